"""A driver's open takes a module reference. If a later step of the open fails, the reference is never dropped
and the module stays in use.

After https://github.com/sysprog21/lkmpg/pull/280 (no `kobject_put()` after a failed step) and
https://github.com/v4l2loopback/v4l2loopback/pull/488 (a memory leak in `open`).
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.fcntl import O_RDONLY
from tests.planted.bug import Bug


async def reader(app: Any) -> None:
    """Open, read and close the device node up to 12 times. Stop at the first error."""
    try:
        for _ in range(12):
            fd = await app.open("/dev/meter", O_RDONLY)
            await app.read(fd, 16)
            await app.close(fd)
    except OSError:
        pass


async def body(app: Any, sim: Any, sound: bool) -> None:
    """The mouse is unplugged at an arbitrary step of a program that uses it. Then the driver is unloaded."""
    sim.any_step(sim.unplug, "mouse0")
    await app.sleep(0.001)
    await app.spawn(reader)
    await sim.quiet()
    await app.rmmod("meter")


BUG = Bug(body, sound=("meter",), faulty=("meter sound=0",), devices=("mouse",), options={"udev": False})
