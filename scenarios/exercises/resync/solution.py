ENOBUFS = 105


async def load(mice, table, sequences):
    """Request the state of all mice and store it in the table. If an event is lost meanwhile, the next
    receive raises ENOBUFS.
    """
    for state in await mice.dump("get-state"):
        table[state["device"]] = (state["x"], state["y"])
        sequences[state["device"]] = state.get("sequence", -1)


async def follow(app, table):
    mice = await app.genetlink("mouse")
    await mice.join("motion")
    sequences = {}
    stale = True
    while True:
        try:
            if stale:
                await load(mice, table, sequences)
                stale = False
            async for event in mice.events():
                name = event["device"]
                if event["sequence"] <= sequences.get(name, -1):
                    continue  # the table already contains this movement
                x, y = table.get(name, (0, 0))
                table[name] = (x + event["dx"], y + event["dy"])
                sequences[name] = event["sequence"]
        except OSError as error:
            if error.errno != ENOBUFS:
                raise
            stale = True
