from simkernel.driverapi.device import (
    class_register,
    class_unregister,
    dev_get_drvdata,
    dev_set_drvdata,
    device_create,
)
from simkernel.driverapi.interrupt import IRQ_HANDLED, IRQ_NONE, IRQF_SHARED, request_irq
from simkernel.driverapi.io import ALL_ONES, devm_ioremap, readl, writel
from simkernel.driverapi.module import Module
from simkernel.driverapi.simbus import SimbusDeviceId, module_simbus_driver
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.workqueue import alloc_ordered_workqueue, init_work, queue_work
from simkernel.hardware.mouse import registers as hw

DEVICES = (SimbusDeviceId(hw.VENDOR, hw.DEVICE),)
MODULE = Module(license="GPL", devices=DEVICES)


class Clicker:
    """A mouse: its registers, its work queue and work item, and its device of class clicker."""

    def __init__(self, this, device):
        self.io = devm_ioremap(device)
        self.lock = spin_lock_init(this, "clicker")
        self.queue = alloc_ordered_workqueue(this, "clicker")
        self.work = init_work(this, self.count)
        self.reports = 0

    def count(self, work):
        """Take all reports. Then enable the device's interrupt, which the handler `interrupt` disabled."""
        with self.lock:
            while 0 < readl(self.io, hw.FIFO_COUNT) < ALL_ONES:
                writel(1, self.io, hw.FIFO_POP)
                self.reports += 1
        writel(hw.IRQ_REPORTS, self.io, hw.IRQ_ENABLE)


def interrupt(irq, clicker):
    status = readl(clicker.io, hw.IRQ_STATUS)
    if status == ALL_ONES or not status & hw.IRQ_REPORTS:
        return IRQ_NONE
    writel(0, clicker.io, hw.IRQ_ENABLE)
    queue_work(clicker.queue, clicker.work)
    return IRQ_HANDLED


class ClickerDriver:
    def __init__(self, this, undo):
        self.this = this
        self.kind = class_register(this, "clicker")
        undo.callback(class_unregister, self.kind)

    def probe(self, device):
        clicker = Clicker(self.this, device)
        dev_set_drvdata(device, clicker)
        request_irq(self.this, device.irq, interrupt, IRQF_SHARED, "clicker", clicker)
        clicker.node = device_create(self.this, self.kind, device, f"clicker{device.serial}")
        writel(1000, clicker.io, hw.RATE)
        writel(hw.IRQ_REPORTS, clicker.io, hw.IRQ_ENABLE)
        writel(hw.CONTROL_ENABLE, clicker.io, hw.CONTROL)

    async def remove(self, device):
        clicker = dev_get_drvdata(device)
        writel(0, clicker.io, hw.CONTROL)
        # Release the resources that probe has acquired.


init, exit = module_simbus_driver(DEVICES, ClickerDriver)
