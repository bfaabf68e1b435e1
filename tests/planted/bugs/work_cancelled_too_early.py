"""A driver cancels its work item before it frees the interrupt. The interrupt can then schedule the work item
again.

After CVE-2026-23239 (espintcp): `cancel_work_sync()` stops queued work, but does not prevent new queueing.
https://agentlab-fun.pages.dev/insights/out-of-cancel-linux-kernel-vulnerability-v4bel-2026.html describes
the class.
"""

from __future__ import annotations

from typing import Any

from simkernel import millis
from simkernel.hardware import Mouse
from simkernel.hardware.mouse.motion import Move, Script
from tests.planted.bug import Bug


async def body(app: Any, sim: Any, sound: bool) -> None:
    """The driver is unloaded while the mouse moves."""
    sim.plug(Mouse(Script([Move(millis(1 + number), dx=1) for number in range(6)])))
    await app.sleep(0.0035)
    await app.rmmod("tracker")
    await sim.quiet()


BUG = Bug(body, sound=("tracker",), faulty=("tracker mistake=cancel-first",), options={"udev": False})
