"""tmpfs, a file system in memory (mm/shmem.c, fs/libfs.c), for the root, /tmp, /dev/shm and memfds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from simkernel.kernel.lib.unmodelled import Unmodelled
from simkernel.kernel.mm.address_space import RAM_SIZE, private_memory
from simkernel.kernel.mm.shmem import MAX_LFS_FILESIZE, Pages, Space
from simkernel.kernel.mm.vma import VmArea
from simkernel.kernel.vfs.attributes import SET_ID, remove_privileges
from simkernel.kernel.vfs.directory import DirectoryInode
from simkernel.kernel.vfs.file import FileObject, OpenableInode, OpenFile, seek
from simkernel.kernel.vfs.inode import Dentry, DirectoryEntry, Inode, Owner
from simkernel.kernel.vfs.special import SpecialInodes
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.errno import EFBIG, ENAMETOOLONG, ENOENT, ENOMEM, ENOTEMPTY, ENXIO, os_error
from simkernel.uapi.fcntl import O_APPEND, O_NOATIME
from simkernel.uapi.seek import SEEK_DATA, SEEK_HOLE

NAME_MAX: Final = 255
"""Maximum length of a name in bytes."""
ENTRY_SIZE: Final = 20
"""Size in bytes that an entry adds to its directory (BOGO_DIRENT_SIZE)."""
MAX_POSITION: Final = (1 << 31) - 1
"""Upper limit of the positions of directory entries. Each new entry gets a lower position than the older
entries, and getdents64(2) reads a directory in ascending order of positions. If an entry is created while a
program reads the directory, the program does not see it.
"""
SIZE: Final = RAM_SIZE // 2
"""Capacity of a tmpfs in bytes (`shmem_default_max_blocks()`)."""


class Tmpfs(SuperBlock):
    """A tmpfs: its root directory, and the size limit for all its files together."""

    __slots__ = ("root", "space", "special", "unmodelled")

    def __init__(
        self,
        device: int,
        now: Callable[[], int],
        special: SpecialInodes,
        unmodelled: Unmodelled,
        mode: int = 0o755,
        name: str = "tmpfs",
    ) -> None:
        super().__init__(name, device, now)
        self.special = special
        self.unmodelled = unmodelled
        self.space = Space(SIZE)
        self.root = Dentry("/", None, TmpfsDirectory(self, Owner(0, 0, mode)))


class TmpfsFile(OpenableInode):
    """The inode of a regular file in a tmpfs.

    `openers` counts the open files and the mappings of a file. The pages are freed when this number is 0
    and the file has no name.
    """

    __slots__ = ("openers", "pages", "unmodelled")

    def __init__(self, fs: Tmpfs, owner: Owner) -> None:
        super().__init__(fs, fs.next_number(), stat.S_IFREG | owner.mode, owner.uid, owner.gid)
        self.unmodelled = fs.unmodelled
        self.pages = Pages(fs.space)
        self.openers = 0

    @property
    def size(self) -> int:
        """Size in bytes (st_size)."""
        return self.pages.size

    @property
    def blocks(self) -> int:
        """Size of the allocated pages, in blocks of 512 bytes (st_blocks)."""
        return self.pages.allotted // 512

    def open(self, task: Task, file: OpenFile) -> FileObject:
        """Return a new object for an open file of this inode."""
        return RegularFile(self)

    def truncate(self, size: int) -> None:
        """Set the size. Raise EFBIG if it is above the maximum size of a file."""
        if size > MAX_LFS_FILESIZE:
            raise os_error(EFBIG)
        self.pages.truncate(size)
        self.mtime = self.ctime = self.superblock.now()

    def hold(self) -> None:
        self.openers += 1

    def put(self) -> None:
        self.openers -= 1
        self.forget_if_unused()

    def forget_if_unused(self) -> None:
        """Free the pages if the file has no name, no open file and no mapping (`shmem_evict_inode()`)."""
        if self.nlink == 0 and self.openers == 0:
            self.pages.free()


class RegularFile(FileObject):
    """An open regular file.  It holds a reference to its inode."""

    __slots__ = ("inode",)

    can_direct = True

    def __init__(self, inode: TmpfsFile) -> None:
        self.inode: TmpfsFile = inode
        inode.hold()

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes:
        """Return up to `size` bytes from `position` on, b"" at the end of the file."""
        self._file_accessed(file)
        return self.inode.pages.read(position, size)

    def _file_accessed(self, file: OpenFile) -> None:
        """Set the access time, unless the file is open with O_NOATIME (`file_accessed()`)."""
        if not file.flags & O_NOATIME:
            self.inode.touch_atime()

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int:
        """Write `data` up to the maximum size of a file. Raise EFBIG if the position is not below that
        maximum, ENOSPC if the tmpfs is full.
        """
        if not data:
            return 0
        inode = self.inode
        if file.flags & O_APPEND:
            position = inode.size
        if position >= MAX_LFS_FILESIZE:
            raise os_error(EFBIG)
        if inode.mode & SET_ID:
            remove_privileges(task, inode)
        inode.pages.write(position, data[: MAX_LFS_FILESIZE - position])
        file.position = position  # a failed write keeps the old position, even with O_APPEND
        inode.mtime = inode.ctime = inode.superblock.now()
        return min(len(data), MAX_LFS_FILESIZE - position)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """Set the position (`shmem_file_llseek()`).

        Raises EINVAL for a negative position, ENXIO if SEEK_DATA or SEEK_HOLE finds nothing.
        """
        pages = self.inode.pages
        if whence in (SEEK_DATA, SEEK_HOLE):
            if not 0 <= offset < pages.size:
                raise os_error(ENXIO)
            found = pages.data_from(offset) if whence == SEEK_DATA else pages.hole_from(offset)
            if found is None:
                raise os_error(ENXIO)
            file.position = found
            return found
        return seek(file, offset, whence, pages.size)

    def mmap(self, task: Task, file: OpenFile, area: VmArea) -> None:
        """Map the file's pages; a private mapping gets a copy of them.

        Linux copies a private page at its first write. mmap(2) does not specify whether the mapping sees
        earlier changes of the file.
        """
        self._file_accessed(file)
        pages = self.inode.pages
        unmodelled = self.inode.unmodelled
        if area.shared:
            memory = pages.view(area.offset, area.length, lambda text: unmodelled(text, ENOMEM))
        else:
            memory = private_memory(area.length)
            copy = pages.read(area.offset, area.length)
            memory[: len(copy)] = copy
        area.map(memory)

    def fsync(self, task: Task, file: OpenFile) -> None:
        """Do nothing, because the data is only in memory (`noop_fsync()`)."""

    def release(self) -> None:
        """Drop the open file's reference to the inode. If it is the last one and the file has no name, the
        file's pages are freed.
        """
        self.inode.put()


class TmpfsSymlink(Inode):
    """A symbolic link in a tmpfs. The target path is stored in the inode."""

    __slots__ = ("target",)

    def __init__(self, fs: Tmpfs, owner: Owner, target: str) -> None:
        super().__init__(fs, fs.next_number(), stat.S_IFLNK | 0o777, owner.uid, owner.gid)
        self.target = target

    @property
    def size(self) -> int:
        """Length of the target path in bytes (st_size)."""
        return len(encoded(self.target))

    def readlink(self, task: Task) -> str:
        """Return the target path, and set the access time (`do_readlinkat()`, `pick_link()`)."""
        self.touch_atime()
        return self.target


class TmpfsDirectory(DirectoryInode):
    """A directory of a tmpfs; its entries are in the order of creation."""

    __slots__ = ("_entries", "_last", "fs")

    def __init__(self, fs: Tmpfs, owner: Owner) -> None:
        super().__init__(fs, fs.next_number(), stat.S_IFDIR | owner.mode, owner.uid, owner.gid)
        self.fs = fs
        self._entries: dict[str, tuple[int, Dentry]] = {}
        self._last = 1

    @property
    def size(self) -> int:
        """Size in bytes (st_size), including `.` and `..`."""
        return ENTRY_SIZE * (2 + len(self._entries))

    def lookup(self, task: Task, here: Dentry, name: str) -> Dentry | None:
        """Return the dentry of the entry `name`, or None if the directory has no such entry.

        Raises ENAMETOOLONG if the name is too long; in a removed directory ENOENT.
        """
        if len(name) > NAME_MAX // 4 and len(encoded(name)) > NAME_MAX:
            raise os_error(ENOENT if here.deleted else ENAMETOOLONG)
        return self.child(name)

    def child(self, name: str) -> Dentry | None:
        """Return the dentry of the entry `name`, or None if there is no such entry. The length
        of the name is not checked.
        """
        found = self._entries.get(name)
        return None if found is None else found[1]

    def children(self) -> list[Dentry]:
        """Return all entries in the order of creation."""
        return [dentry for _, dentry in self._entries.values()]

    def entries(self, task: Task) -> Iterator[DirectoryEntry]:
        """Yield the entries, newest first (`offset_iterate_dir()`)."""
        for name, (stamp, dentry) in reversed(tuple(self._entries.items())):
            yield DirectoryEntry(name, dentry.inode.number, dentry.inode.kind, MAX_POSITION - stamp)

    # -- new names ----------------------------------------------------------------

    def create(self, here: Dentry, name: str, owner: Owner) -> Dentry:
        """Create a regular file."""
        return self.add(here, name, TmpfsFile(self.fs, self._inherit(owner)))

    def mknod(self, here: Dentry, name: str, owner: Owner, device: int) -> Dentry:
        """Create a device, FIFO or socket node."""
        return self.add(here, name, self.fs.special.make(self.fs, self._inherit(owner), device))

    def mkdir(self, here: Dentry, name: str, owner: Owner) -> Dentry:
        """Create a directory, which inherits S_ISGID."""
        owner = self._inherit(owner)
        mode = owner.mode | self.mode & stat.S_ISGID
        self.nlink += 1
        return self.add(here, name, type(self)(self.fs, Owner(owner.uid, owner.gid, mode)))

    def symlink(self, here: Dentry, name: str, owner: Owner, target: str) -> Dentry:
        """Create a symbolic link to `target`."""
        return self.add(here, name, TmpfsSymlink(self.fs, self._inherit(owner), target))

    def link(self, here: Dentry, name: str, old: Dentry) -> Dentry:
        """Create a hard link to the existing file `old`."""
        old.inode.nlink += 1
        old.inode.ctime = self.superblock.now()
        return self.add(here, name, old.inode)

    def add(self, here: Dentry, name: str, inode: Inode) -> Dentry:
        """Add an entry for an inode and return its dentry."""
        dentry = Dentry(name, here, inode)
        self._put(dentry)
        return dentry

    def _inherit(self, owner: Owner) -> Owner:
        """Return the owner of a new file. If the directory has S_ISGID, the file gets the directory's group
        (`inode_init_owner()`).
        """
        return Owner(owner.uid, self.gid, owner.mode) if self.mode & stat.S_ISGID else owner

    # -- removing names -----------------------------------------------------------

    def unlink(self, here: Dentry, victim: Dentry) -> None:
        """Remove a name of a file. The file's pages are freed when it has no name, no open file and no
        mapping.
        """
        self._take(victim)
        victim.deleted = True
        inode = victim.inode
        inode.nlink -= 1
        inode.ctime = inode.superblock.now()
        if isinstance(inode, TmpfsFile):
            inode.forget_if_unused()

    def rmdir(self, here: Dentry, victim: Dentry) -> None:
        """Remove an empty directory (`simple_rmdir()`). Raise ENOTEMPTY if it has entries."""
        if isinstance(victim.inode, TmpfsDirectory) and not victim.inode.is_empty:
            raise os_error(ENOTEMPTY)
        self.nlink -= 1
        self.unlink(here, victim)
        victim.inode.nlink = 0

    def rename(self, here: Dentry, old: Dentry, target: Dentry, name: str, victim: Dentry | None) -> None:
        """Move the entry `old` into the directory `target` and call it `name`. If `victim` is not None, it is
        the entry that has this name already, and is removed first (`simple_rename()`).
        """
        into = target.inode
        assert isinstance(into, TmpfsDirectory)
        moves_directory = old.inode.kind == stat.S_IFDIR
        if victim is not None:
            if moves_directory:
                into.rmdir(target, victim)
            else:
                into.unlink(target, victim)
        self._take(old)
        if moves_directory:
            self.nlink -= 1
            into.nlink += 1
        old.name, old.parent = name, target
        into._put(old)
        old.inode.ctime = self.superblock.now()

    def _put(self, dentry: Dentry) -> None:
        self._last += 1
        self._entries[dentry.name] = (self._last, dentry)
        self.mtime = self.ctime = self.superblock.now()

    def _take(self, dentry: Dentry) -> None:
        del self._entries[dentry.name]
        self.mtime = self.ctime = self.superblock.now()

    @property
    def is_empty(self) -> bool:
        """True if the directory has no entries."""
        return not self._entries


def encoded(name: str) -> bytes:
    """Return a name as bytes, as Python's os.fsencode() does on Linux."""
    return name.encode("utf-8", "surrogateescape")
