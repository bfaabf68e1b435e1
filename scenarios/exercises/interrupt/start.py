from simkernel.driverapi.compiler import READ_ONCE
from simkernel.driverapi.device import (
    NodeAccess,
    class_register,
    class_unregister,
    dev_get_drvdata,
    dev_set_drvdata,
    device_create,
    device_unregister,
)
from simkernel.driverapi.fs import (
    FileOperations,
    alloc_chrdev_region,
    cdev_add,
    cdev_del,
    cdev_init,
    unregister_chrdev_region,
)
from simkernel.driverapi.interrupt import IRQF_SHARED, devm_request_irq
from simkernel.driverapi.io import devm_ioremap, writel
from simkernel.driverapi.module import Module
from simkernel.driverapi.simbus import SimbusDeviceId, module_simbus_driver
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.wait import init_waitqueue_head
from simkernel.hardware.mouse import registers as hw

DEVICES = (SimbusDeviceId(hw.VENDOR, hw.DEVICE),)
MODULE = Module(license="GPL", devices=DEVICES)
SLOTS = 16


class Mouse:
    """A mouse and its ring of numbers.  The lock protects `slots`, `head` and `used`."""

    def __init__(self, this, device):
        self.io = devm_ioremap(device)
        self.lock = spin_lock_init(this, "ring")
        self.readable = init_waitqueue_head("reports")
        self.slots = [0] * SLOTS
        self.head = 0
        self.used = 0

    def ready(self):
        """Return True if the ring has a number. READ_ONCE marks a read without the lock."""
        return READ_ONCE(self.used) > 0

    def put(self, number):
        """Append a number, or drop it if the ring is full.  The caller holds the lock."""
        if self.used < SLOTS:
            self.slots[self.head] = number
            self.head = (self.head + 1) % SLOTS
            self.used += 1

    def take(self):
        """Remove and return the oldest number.  The caller holds the lock."""
        number = self.slots[(self.head - self.used) % SLOTS]
        self.used -= 1
        return number


def interrupt(irq, mouse):
    raise NotImplementedError("take all reports, then wake the readers")


async def read(file, size, position):
    raise NotImplementedError("wait until the ring has a number, then take it under the lock")


class ReportsDriver:
    def __init__(self, this, undo):
        self.this = this
        self.kind = class_register(this, "reports", devnode=lambda device: NodeAccess(mode=0o666))
        undo.callback(class_unregister, self.kind)
        self.number = alloc_chrdev_region(this, 0, 1, "reports")
        undo.callback(unregister_chrdev_region, this, self.number, 1)

    def probe(self, device):
        mouse = Mouse(self.this, device)
        dev_set_drvdata(device, mouse)
        devm_request_irq(device, device.irq, interrupt, IRQF_SHARED, "reports", mouse)
        mouse.cdev = cdev_init(self.this, FileOperations(read=read), mouse)
        cdev_add(mouse.cdev, self.number)
        mouse.node = device_create(
            self.this, self.kind, device, "reports", node="reports", number=self.number
        )
        writel(1000, mouse.io, hw.RATE)
        writel(hw.IRQ_REPORTS, mouse.io, hw.IRQ_ENABLE)
        writel(hw.CONTROL_ENABLE, mouse.io, hw.CONTROL)

    def remove(self, device):
        mouse = dev_get_drvdata(device)
        writel(0, mouse.io, hw.CONTROL)
        device_unregister(mouse.node)
        cdev_del(mouse.cdev)


init, exit = module_simbus_driver(DEVICES, ReportsDriver)
