"""A client compares only the names of devices. It does not notice that a new device has the name of an old
one.

After https://github.com/webosbrew/SDL-webOS/pull/8 (a controller reappears under its number between two
scans) and https://github.com/libusb/hidapi/issues/828 (`/dev/hidrawN` becomes another device).
"""

from __future__ import annotations

from typing import Any

from simkernel import millis
from simkernel.hardware import Mouse
from tests.planted.bug import Bug

MICE = "/sys/class/mouse"


async def look(app: Any, known: dict[str, str], sound: bool) -> None:
    """List /sys/class/mouse, and update `known`, the table of serial numbers by device name. If `sound` is
    false, do not read the serial number of a device whose name is already in the table.
    """
    names = set(await app.listdir(MICE))
    for name in set(known) - names:
        del known[name]
    for name in names:
        if name not in known or sound:
            try:
                known[name] = (await app.read_file(f"{MICE}/{name}/device/serial")).decode().strip()
            except OSError:
                known.pop(name, None)  # The device is being removed. A uevent for the removal follows.


async def watch(app: Any, known: dict[str, str], sound: bool) -> None:
    """Keep a table of the mice's serial numbers by device name."""
    monitor = await app.uevents()
    await look(app, known, sound)
    async for event in monitor:
        if event.variables.get("SUBSYSTEM") == "mouse":
            await look(app, known, sound)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A mouse is unplugged at an arbitrary step, and another mouse takes its name 2 ms later."""
    known: dict[str, str] = {}
    await app.spawn(watch, known, sound)

    def replace() -> None:
        sim.unplug("mouse0")
        sim.machine.at(sim.machine.now + millis(2), sim.plug, Mouse())

    sim.any_step(replace)
    await sim.quiet()
    serial = (await app.read_file(f"{MICE}/mouse0/device/serial")).decode().strip()
    assert known == {"mouse0": serial}, known


BUG = Bug(body, devices=("mouse",))
