"""The root of sysfs (fs/sysfs/mount.c)."""

from __future__ import annotations

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.sysfs import buses, devices, modules
from simkernel.kernel.pseudofs.sysfs.entry import Contents, Folder, SysDirectory, SysFs, value
from simkernel.kernel.vfs.inode import Dentry


def mount(kernel: KernelParts, device: int) -> Dentry:
    """Create the sysfs of a machine and return its root directory."""
    return Dentry("/", None, SysDirectory(SysFs(kernel, device), "", lambda: _contents(kernel), 0o555))


def _contents(kernel: KernelParts) -> Contents:
    yield "bus", Folder(lambda: buses.buses(kernel))
    yield "class", Folder(lambda: buses.classes(kernel))
    yield "dev", Folder(lambda: buses.numbers(kernel))
    yield "devices", Folder(lambda: devices.contents(kernel))
    yield "kernel", Folder(lambda: _kernel(kernel))
    yield "module", Folder(lambda: modules.contents(kernel))


def _kernel(kernel: KernelParts) -> Contents:
    """Yield the files in /sys/kernel (kernel/ksysfs.c)."""
    yield "uevent_seqnum", value(lambda: kernel.uevents.sequence)
