"""A character device with two mutexes: one for pinned memory and one for mapped windows.

PIN takes the memory mutex first. MAP also does with `sound=1`, but takes the windows mutex first with
`sound=0`.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import attrs

from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.mutex import Mutex, mutex_init
from simkernel.uapi.errno import ENOTTY, os_error
from simkernel.uapi.ioctl import _IO

if TYPE_CHECKING:
    from .misc import Misc

MODULE = Module(license="GPL", parameters=(ModuleParameter("sound", bool, True),), imports=("misc_register",))

PIN: Final = _IO("P", 1)
MAP: Final = _IO("P", 2)


@attrs.define(eq=False)
class Pinner:
    """The two mutexes, and the counters that they protect."""

    sound: bool
    memory: Mutex
    windows: Mutex
    pinned: int = 0
    mapped: int = 0


async def ioctl(file: File, request: int, argument: int) -> int:
    """Handle the requests PIN and MAP, each of which takes both mutexes."""
    pinner: Pinner = file.cdev.data
    if request == PIN:
        async with pinner.memory:
            pinner.pinned += 1
            async with pinner.windows:
                return pinner.mapped
    if request != MAP:
        raise os_error(ENOTTY)
    first, second = (pinner.memory, pinner.windows) if pinner.sound else (pinner.windows, pinner.memory)
    async with first:
        pinner.mapped += 1
        async with second:
            return pinner.pinned


def init(this: ThisModule) -> ExitStack:
    """Create /dev/pinner."""
    misc: Misc = this.symbols
    pinner = Pinner(this.parameters["sound"], mutex_init(this, "memory"), mutex_init(this, "windows"))
    return misc.misc_register(this, "pinner", FileOperations(ioctl=ioctl), pinner)


def exit(this: ThisModule, undo: ExitStack) -> None:
    """Remove /dev/pinner."""
    undo.close()
