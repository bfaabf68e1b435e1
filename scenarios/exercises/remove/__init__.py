"""Complete a driver: when its device goes, give back what the driver holds, in the right order.

The file is a kernel module, a driver of the mouse.  `probe` is written.  It takes four things:

    an interrupt handler    `free_irq` takes it back and waits until it does not run
    a work queue            `destroy_workqueue` runs the work that is queued, then takes the queue back
    the device              with its interrupts on
    /sys/class/clicker/...  `device_unregister` takes the file away

The interrupt handler queues the work, and the work reads the device's registers.

Write `remove`.  It is called when a mouse is unplugged, and when the module is removed while the mouse still
moves.  After `remove` returns, the kernel unmaps the registers: nothing of the driver may run any more.
Ask of each thing: who can still use it?
"""

from __future__ import annotations

from typing import Any

from simkernel import millis
from simkernel.hardware import Mouse, Move, Script
from simkernel.testing.exercise import Wrong, exercise


@exercise(module="remove", options={"udev": False})
async def judge(app: Any, sim: Any, student: None) -> None:
    """Unplug a moving mouse at any step, and remove the module at any step while another one moves."""
    first, second = (Mouse(Script([Move(millis(2 + each), dx=1) for each in range(12)])) for _ in range(2))
    sim.plug(first)
    sim.plug(second)
    await app.sleep(0.003)
    sim.any_step(sim.unplug, first)
    sim.any_step(remove_module, sim)
    await sim.quiet()
    left = [line.partition("] ")[2] for line in sim.machine.log.lines() if "left behind" in line]
    if left:
        raise Wrong(f"remove keeps what probe has taken: {', '.join(sorted(set(left)))}")


def remove_module(sim: Any) -> None:
    sim.machine.spawn(rmmod)


async def rmmod(app: Any) -> None:
    await app.rmmod("remove")
