async def watch(app, table):
    raise NotImplementedError("list the mice, and follow the events")
