"""An analog-digital converter: a read starts a conversion and blocks until a timer ends it.

With `sound=0`, the reader tests for the end under the lock, but sets `sleeping` after it has released the
lock.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from simkernel.driverapi.completion import complete, init_completion, wait_for_completion
from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.ktime import ktime_get
from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.mutex import mutex_init
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.timer import Timer, micros, mod_timer, timer_delete, timer_setup

if TYPE_CHECKING:
    from .misc import Misc

MODULE = Module(license="GPL", parameters=(ModuleParameter("sound", bool, True),), imports=("misc_register",))

CONVERSION: Final = micros(100)


class Converter:
    """Driver state of the converter. `mutex` serialises reads. `lock` protects `ready` and `sleeping`."""

    def __init__(self, this: ThisModule) -> None:
        self.this = this
        self.sound: bool = this.parameters["sound"]
        self.mutex = mutex_init(this, "converter")
        self.lock = spin_lock_init(this, "converter")
        self.timer = timer_setup(this, self.converted)
        self.done = init_completion(this, "conversion")
        self.ready = self.sleeping = False
        self.samples = 0

    def converted(self, timer: Timer) -> None:
        """End the conversion and wake the reader if it sleeps. Called in interrupt context."""
        with self.lock:
            self.samples += 1
            self.ready = True
            sleeping = self.sleeping
        if sleeping:
            complete(self.done)

    async def sample(self) -> int:
        """Make a conversion and return the number of the sample."""
        async with self.mutex:
            self.ready = self.sleeping = False
            mod_timer(self.timer, ktime_get(self.this) + CONVERSION)
            with self.lock:
                ready = self.ready
                if self.sound:
                    self.sleeping = not ready
            if not ready:
                if not self.sound:
                    self.sleeping = True
                await wait_for_completion(self.done)
            return self.samples


async def read(file: File, size: int, position: int) -> bytes:
    """Make a conversion and return the number of the sample as text."""
    converter: Converter = file.cdev.data
    return str(await converter.sample()).encode()[:size]


def init(this: ThisModule) -> ExitStack:
    """Create /dev/converter."""
    misc: Misc = this.symbols
    converter = Converter(this)
    undo = misc.misc_register(this, "converter", FileOperations(read=read), converter)
    undo.callback(timer_delete, converter.timer)
    return undo


def exit(this: ThisModule, undo: ExitStack) -> None:
    """Remove /dev/converter."""
    undo.close()
