"""A character device that adds up the numbers that programs write.

With `sound=0`, the addition does not hold the lock.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import attrs

from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.spinlock import SpinLock, spin_lock_init

if TYPE_CHECKING:
    from .misc import Misc

MODULE = Module(license="GPL", parameters=(ModuleParameter("sound", bool, True),), imports=("misc_register",))


@attrs.define(eq=False)
class Adder:
    """The sum, and the spinlock that protects it."""

    sound: bool
    lock: SpinLock
    total: int = 0


def write(file: File, data: bytes, position: int) -> int:
    """Add a number to the sum."""
    adder: Adder = file.cdev.data
    number = int(data)
    if adder.sound:
        with adder.lock:
            adder.total += number
    else:
        adder.total += number
    return len(data)


def read(file: File, size: int, position: int) -> bytes:
    """Return the sum as text."""
    return str(file.cdev.data.total).encode()[position : position + size]


def init(this: ThisModule) -> ExitStack:
    """Create /dev/adder."""
    misc: Misc = this.symbols
    adder = Adder(this.parameters["sound"], spin_lock_init(this, "adder"))
    return misc.misc_register(this, "adder", FileOperations(read=read, write=write), adder)


def exit(this: ThisModule, undo: ExitStack) -> None:
    """Remove /dev/adder."""
    undo.close()
