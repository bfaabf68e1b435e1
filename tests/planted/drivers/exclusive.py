"""A character device that only one program can open at a time.

With `sound=0`, the test and the increment of the open count do not hold the lock.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import attrs

from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.spinlock import SpinLock, spin_lock_init
from simkernel.uapi.errno import EBUSY, os_error

if TYPE_CHECKING:
    from .misc import Misc

MODULE = Module(license="GPL", parameters=(ModuleParameter("sound", bool, True),), imports=("misc_register",))


@attrs.define(eq=False)
class Exclusive:
    """The open count, and the spinlock that protects it."""

    sound: bool
    lock: SpinLock
    open_count: int = 0


def open(file: File) -> None:
    """Open the device. Raise EBUSY while another program has it open."""
    device: Exclusive = file.cdev.data
    if device.sound:
        with device.lock:
            busy = device.open_count > 0
            if not busy:
                device.open_count += 1
        if busy:
            raise os_error(EBUSY)
        return
    if device.open_count:
        raise os_error(EBUSY)
    device.open_count += 1


def release(file: File) -> None:
    """Decrement the open count, so that another program can open the device."""
    device: Exclusive = file.cdev.data
    with device.lock:
        device.open_count -= 1


def write(file: File, data: bytes, position: int) -> int:
    """Discard the data."""
    return len(data)


def init(this: ThisModule) -> ExitStack:
    """Create /dev/exclusive."""
    misc: Misc = this.symbols
    device = Exclusive(this.parameters["sound"], spin_lock_init(this, "exclusive"))
    operations = FileOperations(open=open, release=release, write=write)
    return misc.misc_register(this, "exclusive", operations, device)


def exit(this: ThisModule, undo: ExitStack) -> None:
    """Remove /dev/exclusive."""
    undo.close()
