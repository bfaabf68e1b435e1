"""A device that rings once, 1 ms after its module is loaded.

Its poll and its condition have a statement after the one that reads the state.
"""

from __future__ import annotations

from simkernel.driverapi.device import class_register, class_unregister, device_create
from simkernel.driverapi.fs import (
    Cdev,
    File,
    FileOperations,
    alloc_chrdev_region,
    cdev_add,
    cdev_del,
    cdev_init,
    unregister_chrdev_region,
)
from simkernel.driverapi.ktime import ktime_get
from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.poll import PollTable, poll_wait
from simkernel.driverapi.timer import millis, mod_timer, timer_delete, timer_setup
from simkernel.driverapi.wait import init_waitqueue_head, wait_event_interruptible, wake_up
from simkernel.uapi.poll import POLLIN

MODULE = Module(license="GPL")


class Bell:
    """State of the device /dev/bell."""

    def __init__(self, this: ThisModule) -> None:
        self.rung = False
        self.looks = 0
        self.queue = init_waitqueue_head("the bell")
        self.number = alloc_chrdev_region(this, 0, 1, "bell")
        operations = FileOperations(read=self.read, poll=self.poll)
        self.cdev: Cdev = cdev_init(this, operations)
        cdev_add(self.cdev, self.number)
        self.kind = class_register(this, "bell")
        device_create(this, self.kind, None, "bell", node="bell", number=self.number)
        self.timer = timer_setup(this, self.ring)
        mod_timer(self.timer, ktime_get(this) + millis(1))

    def ring(self, timer: object) -> None:
        """Set the state `rung`, and wake the programs that read or poll /dev/bell."""
        self.rung = True
        wake_up(self.queue)

    def has_rung(self) -> bool:
        """Return True if the bell has rung. The function reads the state first and returns it in a later
        statement, so that a search can pause the task between the two.
        """
        rung = self.rung
        self.looks += 1
        return rung

    def poll(self, file: File, table: PollTable) -> int:
        """Register the wait first, then check the state, as drivers do."""
        poll_wait(self.queue, table)
        return POLLIN if self.has_rung() else 0

    async def read(self, file: File, size: int, position: int) -> bytes:
        """Wait until the bell rings."""
        await wait_event_interruptible(self.queue, self.has_rung)
        return b"!"


def init(this: ThisModule) -> Bell:
    """Create the device."""
    return Bell(this)


def exit(this: ThisModule, bell: Bell) -> None:
    """Remove the device."""
    timer_delete(bell.timer)
    class_unregister(bell.kind)
    cdev_del(bell.cdev)
    unregister_chrdev_region(this, bell.number, 1)
