"""A mouse driver whose interrupt handler schedules a work item. The work item writes to memory that is freed
when the driver is unbound.

`mistake` selects a bug in `remove`: "no-cancel" does not cancel the work, "cancel-first" cancels it while
the interrupt handler can still schedule it.
"""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.driverapi.delay import fsleep
from simkernel.driverapi.device import dev_get_drvdata, dev_set_drvdata, devm_add_action
from simkernel.driverapi.interrupt import IRQ_HANDLED, IRQ_NONE, IRQF_SHARED, free_irq, request_irq
from simkernel.driverapi.io import ALL_ONES, IoMemory, devm_ioremap, readl, writel
from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.simbus import SimbusDevice, SimbusDeviceId, Undo, module_simbus_driver
from simkernel.driverapi.workqueue import Work, cancel_work_sync, init_work, schedule_work
from simkernel.hardware.mouse import registers as hw

DEVICES = (SimbusDeviceId(hw.VENDOR, hw.DEVICE),)
"""Ids of the devices that this driver binds to. The declaration of the module (`MODULE`) does not contain
them, so that udevd loads the regular mouse driver and not this one.
"""
SETTLE_US: Final = 300
MODULE = Module(license="GPL", parameters=(ModuleParameter("mistake", str, "none"),))


@attrs.define(eq=False)
class Tracker:
    """State of a mouse. When the driver is unbound, `history` is deleted, so a later use raises
    AttributeError.
    """

    io: IoMemory
    history: list[int] = attrs.field(factory=list)
    work: Work = attrs.field(init=False)

    def free(self) -> None:
        """Delete `history`, to which the work item writes. The driver core calls this method when the driver
        is unbound.
        """
        del self.history


def interrupt(irq: int, tracker: Tracker) -> int:
    """Mask the device's interrupt and schedule the work item."""
    if readl(tracker.io, hw.IRQ_STATUS) in (0, ALL_ONES):
        return IRQ_NONE
    writel(0, tracker.io, hw.IRQ_ENABLE)
    schedule_work(tracker.work)
    return IRQ_HANDLED


async def collect(this: ThisModule, tracker: Tracker) -> None:
    """Wait 300 µs for more reports. Then append the numbers of all reports in the device's queue to
    `tracker.history`, and enable the interrupt again. Runs in a worker.
    """
    await fsleep(this, SETTLE_US)
    while 0 < readl(tracker.io, hw.FIFO_COUNT) < ALL_ONES:
        number = readl(tracker.io, hw.REPORT_STATE) >> 16
        writel(1, tracker.io, hw.FIFO_POP)
        tracker.history.append(number)
    writel(hw.IRQ_REPORTS, tracker.io, hw.IRQ_ENABLE)


class TrackerDriver:
    """The simbus driver: its probe and remove callbacks, and the module that they belong to."""

    def __init__(self, this: ThisModule, undo: Undo) -> None:
        self.this = this

    def probe(self, device: SimbusDevice) -> None:
        """Bind to a mouse and enable an interrupt for each report."""
        tracker = Tracker(devm_ioremap(device))
        tracker.work = init_work(self.this, lambda work: collect(self.this, tracker))
        devm_add_action(device, tracker.free)
        request_irq(self.this, device.irq, interrupt, IRQF_SHARED, "tracker", tracker)
        dev_set_drvdata(device, tracker)
        writel(1000, tracker.io, hw.RATE)
        writel(hw.IRQ_REPORTS, tracker.io, hw.IRQ_ENABLE)
        writel(hw.CONTROL_ENABLE, tracker.io, hw.CONTROL)

    async def remove(self, device: SimbusDevice) -> None:
        """Free the interrupt, then cancel the work item. The module parameter `mistake` can swap these steps
        or omit the second one.
        """
        tracker: Tracker = dev_get_drvdata(device)
        mistake = self.this.parameters["mistake"]
        if mistake == "cancel-first":
            await cancel_work_sync(tracker.work)
        writel(0, tracker.io, hw.CONTROL)
        await free_irq(self.this, device.irq, tracker)
        if mistake == "none":
            await cancel_work_sync(tracker.work)


init, exit = module_simbus_driver(DEVICES, TrackerDriver)
