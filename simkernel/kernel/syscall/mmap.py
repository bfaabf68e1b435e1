"""System calls about memory: mmap, munmap, msync and memfd_create."""

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
"""Maximum length of a memfd's name in bytes: NAME_MAX minus the length of `memfd:` (MFD_NAME_MAX_LEN)."""
MEMFD: Final = mman.MFD_CLOEXEC | mman.MFD_ALLOW_SEALING | mman.MFD_NOEXEC_SEAL | mman.MFD_EXEC
SEALING: Final = mman.MFD_ALLOW_SEALING | mman.MFD_NOEXEC_SEAL


class MmapCalls:
    """Handlers of system calls about a process's memory."""

    def __init__(self, kernel: KernelParts) -> None:
        self._kernel = kernel

    def mmap(
        self, task: Task, address: int, length: int, prot: int, flags: int, fd: int, offset: int
    ) -> Mapped | Coroutine[Any, Any, Mapped]:
        """Map a file or anonymous memory. Return the address and the memory of the mapping (mmap(2)).

        The kernel chooses the address and ignores `address`, which is only a hint.
        """
        if offset % mman.PAGE_SIZE:
            raise os_error(EINVAL)
        file: OpenFile | None = None if flags & mman.MAP_ANONYMOUS else task.files.get(fd)
        return map_area(self._kernel.unmodelled, task, length, prot, flags, file, offset)

    def munmap(self, task: Task, address: int, length: int) -> None:
        """Unmap `length` bytes at `address` (munmap(2))."""
        unmap(self._kernel.unmodelled, task, address, length)

    def msync(self, task: Task, address: int, length: int, flags: int) -> None:
        """Check the arguments and do nothing else (msync(2)).

        A mapping and its file share one memory, so there is nothing to write back.

        Raises EINVAL for bad flags or an unaligned address, and ENOMEM if the address is not mapped.
        """
        if address % mman.PAGE_SIZE or flags & ~(mman.MS_ASYNC | mman.MS_INVALIDATE | mman.MS_SYNC):
            raise os_error(EINVAL)
        if flags & mman.MS_ASYNC and flags & mman.MS_SYNC:
            raise os_error(EINVAL)
        if length and address_space(task).find(address) is None:
            raise os_error(ENOMEM)

    def memfd_create(self, task: Task, name: str, flags: int = 0) -> int:
        """Create a file without a path and return its descriptor (memfd_create(2)).

        `name` appears only in /proc.
        """
        if flags & ~MEMFD:
            raise os_error(EINVAL)
        if flags & SEALING:
            raise self._kernel.unmodelled("seals of a memfd are not modelled", EINVAL)
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
