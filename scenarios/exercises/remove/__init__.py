"""Complete a driver: when its device is removed, release its resources in the right order.

Your file is a kernel module, a driver of the mouse.  `probe` is complete.  It acquires three resources and
enables the device's interrupts.  Each resource has a function that releases it:

    the interrupt handler    await free_irq(self.this, device.irq, clicker)          driverapi.interrupt
                             removes it, and waits until it does not run
    the work queue           await destroy_workqueue(self.this, clicker.queue)       driverapi.workqueue
                             runs the work that is queued, then destroys the queue
    /sys/class/clicker/...   device_unregister(clicker.node)                         driverapi.device

The interrupt handler queues the work, and the work reads the device's registers.

Write `remove`.  The kernel calls it when a mouse is unplugged, and when the module is unloaded while the
mouse still moves.  After `remove` returns, the kernel unmaps the registers: then no code of the driver may
run. For each resource, ask: what can still use it?
"""

from __future__ import annotations

import re
from typing import Any

from simkernel import millis
from simkernel.hardware import Mouse, Move, Script
from simkernel.testing.exercise import Wrong, exercise

LEFT = re.compile(r"left behind: (.*)|its child (\S+) was left behind")
"""A regular expression for the lines of the kernel log about resources that a driver has not released."""


@exercise(module="remove", options={"udev": False})
async def judge(app: Any, sim: Any, student: None) -> None:
    """Judge the student's driver: unplug a moving mouse, and unload the module while another mouse moves.
    Both happen at moments that vary from run to run.
    """
    first, second = (Mouse(Script([Move(millis(2 + each), dx=1) for each in range(12)])) for _ in range(2))
    sim.plug(first)
    sim.plug(second)
    await app.sleep(0.003)
    sim.any_step(sim.unplug, first)
    sim.any_step(remove_module, sim)
    await sim.quiet()
    left = LEFT.findall("\n".join(sim.machine.log.lines()))
    if left:
        raise Wrong(f"remove does not release {', '.join(sorted({a or b for a, b in left}))}")


def remove_module(sim: Any) -> None:
    sim.machine.spawn(rmmod)


async def rmmod(app: Any) -> None:
    await app.rmmod("remove")
