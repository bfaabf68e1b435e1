"""A mouse driver. Its interrupt handler puts the number of each report into a ring buffer. A read returns the
oldest of these numbers.

With `sound=0`, the reader changes the fill count of the ring without the lock.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import attrs

from simkernel.driverapi.device import dev_get_drvdata, dev_set_drvdata, devm_add_action
from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.interrupt import IRQ_HANDLED, IRQ_NONE, IRQF_SHARED, devm_request_irq
from simkernel.driverapi.io import ALL_ONES, IoMemory, devm_ioremap, readl, writel
from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.simbus import SimbusDevice, SimbusDeviceId, Undo, module_simbus_driver
from simkernel.driverapi.spinlock import SpinLock, spin_lock_init
from simkernel.driverapi.wait import (
    WaitQueue,
    init_waitqueue_head,
    wait_event_interruptible,
    wake_up_interruptible,
)
from simkernel.hardware.mouse import registers as hw

if TYPE_CHECKING:
    from .misc import Misc

DEVICES = (SimbusDeviceId(hw.VENDOR, hw.DEVICE),)
"""Ids of the devices that this driver binds to. The declaration of the module (`MODULE`) does not contain
them, so that udevd loads the regular mouse driver and not this one.
"""
MODULE = Module(
    license="GPL",
    parameters=(ModuleParameter("sound", bool, True),),
    imports=("misc_register",),
)

SLOTS: Final = 16


@attrs.define(eq=False)
class Gesture:
    """A mouse and its ring buffer. `head` is the index of the next slot to write. `used` is the number of
    filled slots before it. `lock` protects `slots`, `head` and `used`.
    """

    sound: bool
    io: IoMemory
    lock: SpinLock
    readable: WaitQueue
    slots: list[int] = attrs.field(factory=lambda: [0] * SLOTS)
    head: int = 0
    used: int = 0

    def put(self, number: int) -> None:
        """Append a number, or drop it if the ring is full. The caller holds the lock."""
        if self.used < SLOTS:
            self.slots[self.head] = number
            self.head = (self.head + 1) % SLOTS
            self.used += 1

    def take(self) -> int:
        """Remove and return the oldest number."""
        number = self.slots[(self.head - self.used) % SLOTS]
        self.used -= 1
        return number


def interrupt(irq: int, gesture: Gesture) -> int:
    """Move all reports from the device's queue into the ring."""
    if readl(gesture.io, hw.IRQ_STATUS) in (0, ALL_ONES):
        return IRQ_NONE
    with gesture.lock:
        while 0 < readl(gesture.io, hw.FIFO_COUNT) < ALL_ONES:
            gesture.put(readl(gesture.io, hw.REPORT_STATE) >> 16)
            writel(1, gesture.io, hw.FIFO_POP)
    wake_up_interruptible(gesture.readable)
    return IRQ_HANDLED


async def read(file: File, size: int, position: int) -> bytes:
    """Block until the ring holds a report number, and return it as text."""
    gesture: Gesture = file.cdev.data
    await wait_event_interruptible(gesture.readable, lambda: gesture.used)
    if gesture.sound:
        with gesture.lock:
            number = gesture.take()
    else:
        number = gesture.take()
    return str(number).encode()[:size]


class GestureDriver:
    """The simbus driver: its probe and remove callbacks, and the module that they belong to."""

    def __init__(self, this: ThisModule, undo: Undo) -> None:
        self.this = this
        self.misc: Misc = this.symbols

    def probe(self, device: SimbusDevice) -> None:
        """Create /dev/gesture and enable an interrupt for each report."""
        gesture = Gesture(
            self.this.parameters["sound"],
            devm_ioremap(device),
            spin_lock_init(self.this, "gesture"),
            init_waitqueue_head("reports"),
        )
        devm_request_irq(device, device.irq, interrupt, IRQF_SHARED, "gesture", gesture)
        node: ExitStack = self.misc.misc_register(self.this, "gesture", FileOperations(read=read), gesture)
        devm_add_action(device, node.close)
        dev_set_drvdata(device, gesture)
        writel(1000, gesture.io, hw.RATE)
        writel(hw.IRQ_REPORTS, gesture.io, hw.IRQ_ENABLE)
        writel(hw.CONTROL_ENABLE, gesture.io, hw.CONTROL)

    def remove(self, device: SimbusDevice) -> None:
        """Disable the mouse."""
        writel(0, dev_get_drvdata(device).io, hw.CONTROL)


init, exit = module_simbus_driver(DEVICES, GestureDriver)
