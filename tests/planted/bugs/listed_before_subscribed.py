"""A client lists the devices and subscribes to uevents afterwards. It misses a change between these two
steps.

After https://github.com/pyudev/pyudev/issues/417, and for routes
https://github.com/vishvananda/netlink/pull/318.
"""

from __future__ import annotations

from typing import Any

from tests.planted.bug import Bug


async def watch(app: Any, table: set[str], sound: bool) -> None:
    """Keep a table of the mice: list them, then apply uevents."""
    if sound:
        monitor = await app.uevents()
        table.update(await app.listdir("/sys/class/mouse"))
    else:
        table.update(await app.listdir("/sys/class/mouse"))
        monitor = await app.uevents()
    async for event in monitor:
        if event.variables.get("SUBSYSTEM") == "mouse":
            name = event.devpath.rpartition("/")[2]
            if event.action == "add":
                table.add(name)
            elif event.action == "remove":
                table.discard(name)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A mouse is unplugged at an arbitrary step of the client."""
    table: set[str] = set()
    sim.any_step(sim.unplug, "mouse0")
    await app.sleep(0.01)
    await app.spawn(watch, table, sound)
    await sim.quiet()
    assert table == set(sim.truth("mouse")), table


BUG = Bug(body, devices=("mouse",))
