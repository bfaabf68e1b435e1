"""An open regular file in memory (mm/shmem.c, fs/read_write.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.kernel.mm.shmem import LARGEST
from simkernel.kernel.vfs.file import FileObject, OpenFile
from simkernel.uapi.errno import EFBIG, EINVAL, ENOMEM, ENXIO, os_error
from simkernel.uapi.fcntl import O_APPEND, O_NOATIME
from simkernel.uapi.seek import SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET

if TYPE_CHECKING:
    from simkernel.kernel.mm.vma import VmArea
    from simkernel.kernel.vfs.task import Task
    from simkernel.kernel.vfs.tmpfs import TmpfsFile


class RegularFile(FileObject):
    """A file that is open, and keeps its inode alive."""

    __slots__ = ("_inode",)

    can_direct = True

    def __init__(self, inode: TmpfsFile) -> None:
        self._inode = inode
        inode.openers += 1

    @property
    def inode(self) -> TmpfsFile:
        """What it is."""
        return self._inode

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        if not file.flags & O_NOATIME:
            self._inode.accessed()
        return self._inode.pages.read(position, size)

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int:
        """All of `data`.  EFBIG beyond what a file may have; ENOSPC."""
        if not data:
            return 0
        inode = self._inode
        if file.flags & O_APPEND:
            position = file.position = inode.size
        if position >= LARGEST:
            raise os_error(EFBIG)
        inode.pages.write(position, data[: LARGEST - position])
        inode.mtime = inode.ctime = inode.superblock.now()
        return min(len(data), LARGEST - position)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """`shmem_file_llseek()`.  EINVAL before the beginning; ENXIO where no data or hole is."""
        pages = self._inode.pages
        if whence in (SEEK_DATA, SEEK_HOLE):
            if not 0 <= offset < pages.size:
                raise os_error(ENXIO)
            found = pages.data_from(offset) if whence == SEEK_DATA else pages.hole_from(offset)
            if found is None:
                raise os_error(ENXIO)
            file.position = found
            return found
        return seek(file, offset, whence, pages.size, LARGEST)

    def mmap(self, task: Task, file: OpenFile, area: VmArea) -> None:
        """Share the file's pages, or copy them for a private mapping.

        Linux copies a private page when it is first written to; whether changes that others make
        before that are seen is not specified (mmap(2)).
        """
        pages = self._inode.pages
        unmodelled = self._inode.unmodelled
        if area.shared:
            memory = pages.view(area.offset, area.length, lambda what: unmodelled(what, ENOMEM))
        else:
            copy = pages.read(area.offset, area.length).ljust(area.length, b"\0")
            memory = memoryview(bytearray(copy))
        area.map(memory)

    def fsync(self, task: Task, file: OpenFile) -> None:
        """There is nothing to be written back (`noop_fsync()`)."""

    def release(self) -> None:
        """One holder less: the pages of a file without a name go with the last."""
        self._inode.openers -= 1
        self._inode.forget_if_unused()


def seek(file: OpenFile, offset: int, whence: int, size: int, largest: int) -> int:
    """Move a file's position; the new one (`generic_file_llseek_size()`).  EINVAL."""
    bases = {SEEK_SET: 0, SEEK_CUR: file.position, SEEK_END: size}
    if whence not in bases:
        raise os_error(EINVAL)
    position = bases[whence] + offset
    if not 0 <= position <= largest:
        raise os_error(EINVAL)
    file.position = position
    return position
