"""A driver's `remove` frees memory, but does not cancel the work item that uses this memory.

After https://undermywatch.io/browse/vuln/CVE-2024-38630: the watchdog driver cpu5wdt released its port
while its timer function could still run.
"""

from __future__ import annotations

from typing import Any

from simkernel import millis
from simkernel.hardware import Mouse
from simkernel.hardware.mouse.motion import Move, Script
from tests.planted.bug import Bug


async def unload(app: Any) -> None:
    """Unload the driver `tracker`."""
    await app.rmmod("tracker")


async def body(app: Any, sim: Any, sound: bool) -> None:
    """The driver is unloaded at an arbitrary step while the mouse moves."""
    mouse = Mouse(Script([Move(millis(2 + number), dx=1) for number in range(10)]))
    sim.plug(mouse)
    sim.any_step(sim.machine.spawn, unload)
    await sim.quiet()


BUG = Bug(body, sound=("tracker",), faulty=("tracker mistake=no-cancel",), options={"udev": False})
