"""/sys itself (fs/sysfs/mount.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.kernel.pseudofs.sysfs import buses, devices, modules
from simkernel.kernel.pseudofs.sysfs.entry import Contents, Folder, SysDirectory, value
from simkernel.kernel.vfs.dentry import Dentry
from simkernel.kernel.vfs.superblock import SuperBlock

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel


class SysFs(SuperBlock):
    """The file system at /sys."""

    __slots__ = ("kernel", "root")

    def __init__(self, kernel: Kernel, device: int) -> None:
        super().__init__("sysfs", device, kernel.realtime)
        self.kernel = kernel
        self.root = Dentry("/", None, SysDirectory(self, "", lambda: _contents(kernel), 0o555))


def _contents(kernel: Kernel) -> Contents:
    yield "bus", Folder(lambda: buses.buses(kernel))
    yield "class", Folder(lambda: buses.classes(kernel))
    yield "dev", Folder(lambda: buses.numbers(kernel))
    yield "devices", Folder(lambda: devices.contents(kernel))
    yield "kernel", Folder(lambda: _kernel(kernel))
    yield "module", Folder(lambda: modules.contents(kernel))


def _kernel(kernel: Kernel) -> Contents:
    """/sys/kernel (kernel/ksysfs.c)."""
    yield "uevent_seqnum", value(lambda: kernel.uevents.sequence)
