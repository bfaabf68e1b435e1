async def watch(app, table):
    # Call uevents() before listdir(): a mouse that is plugged in between these calls is in the list, in a
    # uevent, or in both.
    monitor = await app.uevents()
    table.update(await app.listdir("/sys/class/mouse"))
    async for event in monitor:
        if event.variables["SUBSYSTEM"] != "mouse":
            continue
        name = event.devpath.rpartition("/")[2]
        if event.action == "add":
            table.add(name)
        elif event.action == "remove":
            table.discard(name)
