"""A driver registers its device before it initialises the device's mutex. A program that opens the device
immediately uses the mutex too early.

After https://github.com/recalbox/mk_arcade_joystick_rpi/pull/19 and, for a PCIe driver,
https://github.com/enjoy-digital/litepcie/pull/177.
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.fcntl import O_WRONLY
from tests.planted.bug import Bug


async def opener(app: Any, written: list[int]) -> None:
    """Write to the device as soon as the kernel announces it."""
    monitor = await app.uevents()
    async for event in monitor:
        if event.action == "add" and event.variables.get("DEVNAME") == "arcade":
            fd = await app.open("/dev/arcade", O_WRONLY)
            written.append(await app.write(fd, b"up"))
            return


async def body(app: Any, sim: Any, sound: bool) -> None:
    """The module is loaded while a program waits for its device."""
    written: list[int] = []
    await app.spawn(opener, written)
    await sim.quiet()
    await app.modprobe("arcade", sound=sound)
    await sim.quiet()
    assert written == [2], written


BUG = Bug(body)
