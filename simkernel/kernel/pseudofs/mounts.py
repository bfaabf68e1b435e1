"""The mounts of a machine: one tmpfs each at /, /tmp and /dev/shm, procfs at /proc, sysfs at /sys, and
devtmpfs at /dev.

The mounts are created when a program first uses a path, so a machine without such programs has none.
"""

from __future__ import annotations

from typing import Final

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs import mem
from simkernel.kernel.pseudofs.devtmpfs import Devtmpfs
from simkernel.kernel.pseudofs.proc import root as proc
from simkernel.kernel.pseudofs.sysfs import root as sysfs
from simkernel.kernel.vfs.filesystem import OPTIONS, FileSystems
from simkernel.kernel.vfs.inode import Dentry, Owner
from simkernel.kernel.vfs.special import SpecialInodes
from simkernel.kernel.vfs.tmpfs import Tmpfs
from simkernel.uapi.stat import makedev

LINKS: Final = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
"""Symbolic links in /dev, and their targets. On Linux, udev creates them."""


def mount_all(kernel: KernelParts) -> FileSystems:
    """Register the memory devices and mount all file systems. Each file system has a fixed device number
    (st_dev), with major number 0.
    """
    mem.register(kernel)
    special = SpecialInodes(kernel.engine, kernel.costs, kernel.char_devices)

    def tmpfs(minor: int, mode: int, name: str = "tmpfs") -> Tmpfs:
        return Tmpfs(makedev(0, minor), kernel.realtime, special, kernel.unmodelled, mode, name)

    def make(here: Dentry, name: str, mode: int) -> Dentry:
        return here.inode.mkdir(here, name, Owner(0, 0, mode))

    root = tmpfs(1, 0o755, "rootfs").root
    fs = FileSystems(root, tmpfs(7, 0o755))
    fs.mount(proc.mount(kernel, makedev(0, 2)), make(root, "proc", 0o555))
    fs.mount(sysfs.mount(kernel, makedev(0, 3)), make(root, "sys", 0o555))
    dev = tmpfs(4, 0o755, "devtmpfs").root
    Devtmpfs(dev, kernel.devices)
    fs.mount(dev, make(root, "dev", 0o755), f"{OPTIONS},mode=755")
    for name, target in LINKS.items():
        dev.inode.symlink(dev, name, Owner(0, 0, 0o777), target)
    fs.mount(tmpfs(5, 0o1777).root, make(dev, "shm", 0o1777))
    fs.mount(tmpfs(6, 0o1777).root, make(root, "tmp", 0o1777))
    make(root, "run", 0o755)
    var = make(root, "var", 0o755)
    var.inode.symlink(var, "run", Owner(0, 0, 0o777), "/run")
    return fs
