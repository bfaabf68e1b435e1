"""Register character devices without hardware, and create their nodes in /dev, like drivers/char/misc.c."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import attrs

from simkernel.driverapi.device import (
    Class,
    NodeAccess,
    class_register,
    class_unregister,
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
from simkernel.driverapi.module import Module, ThisModule


@attrs.define(eq=False)
class Misc:
    """The device class `misc`."""

    kind: Class

    def misc_register(self, this: ThisModule, name: str, operations: FileOperations, data: Any) -> ExitStack:
        """Create /dev/`name` and return an ExitStack. Closing the ExitStack unregisters the device. In file
        operations, `file.cdev.data` is `data`.
        """
        with ExitStack() as undo:
            number = alloc_chrdev_region(this, 0, 1, name)
            undo.callback(unregister_chrdev_region, this, number, 1)
            cdev = cdev_init(this, operations, data)
            cdev_add(cdev, number)
            undo.callback(cdev_del, cdev)
            device = device_create(this, self.kind, None, name, node=name, number=number)
            undo.callback(device_unregister, device)
            return undo.pop_all()


MODULE = Module(license="GPL", exports=(Misc.misc_register,))


def init(this: ThisModule) -> Misc:
    """Register the device class. Every user can open its nodes."""
    return Misc(class_register(this, "misc", devnode=lambda device: NodeAccess(mode=0o666)))


def exit(this: ThisModule, misc: Misc) -> None:
    """Unregister the device class."""
    class_unregister(misc.kind)
