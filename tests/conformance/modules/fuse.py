"""fuse: a module with a character device that programs can open."""

from __future__ import annotations

from typing import Final

from simkernel.driverapi.fs import (
    FileOperations,
    cdev_add,
    cdev_del,
    cdev_init,
    register_chrdev_region,
    unregister_chrdev_region,
)
from simkernel.driverapi.module import Module, ThisModule
from simkernel.kernel.vfs.char_file import Cdev

NUMBER: Final = 10, 229
"""Major and minor number of the device (MISC_MAJOR, FUSE_MINOR)."""

MODULE = Module(license="GPL")


def init(this: ThisModule) -> Cdev:
    """Register the character device."""
    register_chrdev_region(this, NUMBER, 1, "fuse")
    cdev = cdev_init(this, FileOperations())
    cdev_add(cdev, NUMBER)
    return cdev


def exit(this: ThisModule, cdev: Cdev) -> None:
    """Unregister the character device."""
    cdev_del(cdev)
    unregister_chrdev_region(this, NUMBER, 1)
