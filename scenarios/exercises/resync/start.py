async def follow(app, table):
    mice = await app.genetlink("mouse")
    await mice.join("motion")
    async for event in mice.events():
        x, y = table.get(event["device"], (0, 0))
        table[event["device"]] = (x + event["dx"], y + event["dy"])
