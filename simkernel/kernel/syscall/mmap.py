"""Calls about memory: mmap and its kin, memfd_create."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.inode import Dentry, Owner
from simkernel.kernel.vfs.mmap import Mapped, address_space, map_area, unmap
from simkernel.kernel.vfs.open import do_dentry_open
from simkernel.kernel.vfs.task import Task
from simkernel.kernel.vfs.tmpfs import TmpfsFile
from simkernel.uapi import mman
from simkernel.uapi.errno import EINVAL, ENOMEM, os_error
from simkernel.uapi.fcntl import O_RDWR

NAME_MAX: Final = 249
"""Bytes of a memfd's name: NAME_MAX less `memfd:` (MFD_NAME_MAX_LEN)."""
MEMFD: Final = mman.MFD_CLOEXEC | mman.MFD_ALLOW_SEALING | mman.MFD_NOEXEC_SEAL | mman.MFD_EXEC
SEALING: Final = mman.MFD_ALLOW_SEALING | mman.MFD_NOEXEC_SEAL


class MmapCalls:
    """A process's memory."""

    def __init__(self, kernel: KernelParts) -> None:
        self._kernel = kernel

    def mmap(
        self, task: Task, address: int, length: int, prot: int, flags: int, fd: int, offset: int
    ) -> Mapped | Coroutine[Any, Any, Mapped]:
        """mmap(2): return address and memory; the kernel chooses the address and ignores a hint."""
        if offset % mman.PAGE_SIZE:
            raise os_error(EINVAL)
        file: OpenFile | None = None if flags & mman.MAP_ANONYMOUS else task.files.get(fd)
        return map_area(self._kernel.unmodelled, task, length, prot, flags, file, offset)

    def munmap(self, task: Task, address: int, length: int) -> None:
        """munmap(2)."""
        unmap(self._kernel.unmodelled, task, address, length)

    def msync(self, task: Task, address: int, length: int, flags: int) -> None:
        """msync(2): no effect, since memory and file are one object.  EINVAL; ENOMEM if not mapped."""
        if address % mman.PAGE_SIZE or flags & ~(mman.MS_ASYNC | mman.MS_INVALIDATE | mman.MS_SYNC):
            raise os_error(EINVAL)
        if flags & mman.MS_ASYNC and flags & mman.MS_SYNC:
            raise os_error(EINVAL)
        if length and address_space(task).find(address) is None:
            raise os_error(ENOMEM)

    def memfd_create(self, task: Task, name: str, flags: int = 0) -> int:
        """memfd_create(2): a file without a path; `name` is only shown in /proc."""
        if flags & ~MEMFD:
            raise os_error(EINVAL)
        if flags & SEALING:
            raise self._kernel.unmodelled("seals of a memfd", EINVAL)
        if len(name.encode("utf-8", "surrogateescape")) > NAME_MAX:
            raise os_error(EINVAL)
        fs = self._kernel.fs.anonymous
        inode = TmpfsFile(fs, Owner(task.credentials.uid, task.credentials.gid, 0o777))
        inode.nlink = 0
        dentry = Dentry(f"memfd:{name}", fs.root, inode)
        dentry.deleted = True
        file = do_dentry_open(task, dentry, O_RDWR)
        assert isinstance(file, OpenFile)
        return task.files.install_new(file, close_on_exec=bool(flags & mman.MFD_CLOEXEC))
