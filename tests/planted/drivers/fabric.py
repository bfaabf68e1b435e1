"""A storage fabric: CONNECT creates a controller and sleeps interruptibly until its link is up.

A signal ends the sleep with EINTR, but the controller stays. COUNT returns the number of a host's
controllers.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import attrs

from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.timer import millis
from simkernel.driverapi.wait import WaitQueue, init_waitqueue_head, wait_event_interruptible_timeout
from simkernel.uapi.errno import ENOTTY, os_error
from simkernel.uapi.ioctl import _IO

if TYPE_CHECKING:
    from .misc import Misc

MODULE = Module(license="GPL", imports=("misc_register",))

CONNECT: Final = _IO("F", 1)
COUNT: Final = _IO("F", 2)
LINK_UP: Final = millis(2)


@attrs.define(eq=False)
class Fabric:
    """The number of controllers that each host has."""

    this: ThisModule
    link: WaitQueue
    controllers: Counter[int] = attrs.field(factory=Counter)


async def ioctl(file: File, request: int, argument: int) -> int:
    """Handle the requests CONNECT and COUNT. `argument` is the number that identifies the host."""
    fabric: Fabric = file.cdev.data
    if request == COUNT:
        return fabric.controllers[argument]
    if request != CONNECT:
        raise os_error(ENOTTY)
    fabric.controllers[argument] += 1
    await wait_event_interruptible_timeout(fabric.this, fabric.link, lambda: False, LINK_UP)
    return 0


def init(this: ThisModule) -> ExitStack:
    """Create /dev/fabric."""
    misc: Misc = this.symbols
    fabric = Fabric(this, init_waitqueue_head("link of a controller"))
    return misc.misc_register(this, "fabric", FileOperations(ioctl=ioctl), fabric)


def exit(this: ThisModule, undo: ExitStack) -> None:
    """Remove /dev/fabric."""
    undo.close()
