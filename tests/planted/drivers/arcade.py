"""A character device with a mutex and a buffer.

With `sound=0`, the driver registers the device before it creates the mutex and the buffer.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import attrs

from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.mutex import Mutex, mutex_init

if TYPE_CHECKING:
    from .misc import Misc

MODULE = Module(license="GPL", parameters=(ModuleParameter("sound", bool, True),), imports=("misc_register",))


@attrs.define(eq=False)
class Arcade:
    """State of the device. Its attributes do not exist before `prepare` has been called."""

    mutex: Mutex = attrs.field(init=False)
    buffer: bytearray = attrs.field(init=False)

    def prepare(self, this: ThisModule) -> None:
        """Create the mutex and the buffer."""
        self.mutex = mutex_init(this, "arcade")
        self.buffer = bytearray()


async def write(file: File, data: bytes, position: int) -> int:
    """Append the data to the buffer."""
    arcade: Arcade = file.cdev.data
    async with arcade.mutex:
        arcade.buffer += data
    return len(data)


def init(this: ThisModule) -> ExitStack:
    """Create /dev/arcade."""
    misc: Misc = this.symbols
    arcade = Arcade()
    operations = FileOperations(write=write)
    if this.parameters["sound"]:
        arcade.prepare(this)
        return misc.misc_register(this, "arcade", operations, arcade)
    undo = misc.misc_register(this, "arcade", operations, arcade)
    arcade.prepare(this)
    return undo


def exit(this: ThisModule, undo: ExitStack) -> None:
    """Remove /dev/arcade."""
    undo.close()
