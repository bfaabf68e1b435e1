"""The kinds of files in sysfs (fs/sysfs/, fs/kernfs/).  An inode is created at each lookup.

A function yields the contents of a directory from the objects of the kernel, so no copy must be kept up to
date.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import attrs

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.vfs.directory import DirectoryInode
from simkernel.kernel.vfs.file import DEFAULT_POLLMASK, FileObject, OpenableInode, OpenFile, seek
from simkernel.kernel.vfs.inode import Dentry, DirectoryEntry
from simkernel.kernel.vfs.seq_file import SeqFile
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.errno import EACCES, ENODEV, EPERM, os_error
from simkernel.uapi.mman import PAGE_SIZE
from simkernel.uapi.poll import POLLERR, POLLPRI

CHANGED: Final = DEFAULT_POLLMASK | POLLERR | POLLPRI
"""The poll(2) events of an attribute that has not been read, or whose object was removed."""

Guard = Callable[[], AbstractContextManager[None]]


@attrs.frozen
class Attribute:
    """An attribute in sysfs: `show` returns its text, and `store` handles the bytes of a write. `alive`
    returns False after the object that has the attribute was removed.
    """

    show: Callable[[], str] | None = None
    store: Callable[[bytes], int | Awaitable[int | None] | None] | None = None
    mode: int = attrs.field(kw_only=True)
    alive: Callable[[], bool] = attrs.field(default=lambda: True, kw_only=True)
    guard: Guard = attrs.field(default=nullcontext, kw_only=True)
    """Function that returns a context manager. `show` and `store` run inside the context manager. If they are
    functions of a module, it converts their exceptions (except OSError) to an oops.
    """

    @mode.default
    def _usual(self) -> int:
        return (0o444 if self.show else 0) | (0o200 if self.store else 0)


@attrs.frozen
class Link:
    """A symbolic link; its target is a path below /sys, for example `/devices/...`."""

    target: str


@attrs.frozen
class Folder:
    """A directory and the function that yields its contents."""

    contents: Callable[[], Iterator[tuple[str, Node]]]


Node = Attribute | Link | Folder
Contents = Iterator[tuple[str, Node]]


def value(show: Callable[[], object]) -> Attribute:
    """Return a read-only attribute whose text is the result of `show()` and a newline."""
    return Attribute(lambda: f"{show()}\n")


class SysFs(SuperBlock):
    """The superblock of sysfs, with the kernel that the files describe."""

    __slots__ = ("kernel",)

    def __init__(self, kernel: KernelParts, device: int) -> None:
        super().__init__("sysfs", device, kernel.realtime)
        self.kernel = kernel


class SysInode(OpenableInode):
    """A file in sysfs; `path` is its path below /sys."""

    __slots__ = ("fs", "path")

    def __init__(self, fs: SysFs, path: str, mode: int) -> None:
        super().__init__(fs, fs.number_of(path), mode)
        self.fs = fs
        self.path = path

    def set_attributes(self, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """Raise EPERM if a program changes the mode or owner of the file, which is not modelled."""
        if any(new not in (None, old) for new, old in ((mode, self.mode), (uid, self.uid), (gid, self.gid))):
            raise self.fs.kernel.unmodelled("changing mode or owner of a file in /sys is not modelled", EPERM)


class SysDirectory(SysInode, DirectoryInode):
    """A directory in sysfs. Programs cannot create or remove files in it."""

    __slots__ = ("_contents",)

    def __init__(self, fs: SysFs, path: str, contents: Callable[[], Contents], mode: int = 0o755) -> None:
        super().__init__(fs, path, stat.S_IFDIR | mode)
        self._contents = contents

    def lookup(self, task: Task, here: Dentry, name: str) -> Dentry | None:
        """Return the dentry of the entry `name`, or None if the directory has no such entry."""
        for each, node in self._contents():
            if each == name:
                return Dentry(name, here, self._make(name, node))
        return None

    def entries(self, task: Task) -> Iterator[DirectoryEntry]:
        """Yield the entries of the directory, in the order in which its contents are generated."""
        for position, (name, node) in enumerate(self._contents(), 2):
            inode = self._make(name, node)
            yield DirectoryEntry(name, inode.number, inode.kind, position)

    def missing(self, names: Sequence[str]) -> Exception:
        return self.fs.kernel.unmodelled.missing(f"/sys{self.path}", names)

    def _make(self, name: str, node: Node) -> SysInode:
        path = f"{self.path}/{name}"
        if isinstance(node, Folder):
            return SysDirectory(self.fs, path, node.contents)
        if isinstance(node, Link):
            return SysLink(self.fs, path, node.target)
        return SysFile(self.fs, path, node)


class SysLink(SysInode):
    """A symbolic link with a relative path (`sysfs_get_target_path()`)."""

    __slots__ = ("_target",)

    def __init__(self, fs: SysFs, path: str, target: str) -> None:
        super().__init__(fs, path, stat.S_IFLNK | 0o777)
        self._target = target

    def readlink(self, task: Task) -> str:
        """Return the relative path from the link's directory to the target: one `..` for each level up to the
        deepest directory that contains both, then the path down to the target.
        """
        here, there = self.path.split("/")[1:-1], self._target.split("/")[1:]
        common = 0
        while common < len(here) and common < len(there) - 1 and here[common] == there[common]:
            common += 1
        return "/".join([".."] * (len(here) - common) + there[common:])


class SysFile(SysInode):
    """A file in sysfs with the contents of one attribute."""

    __slots__ = ("_attribute",)

    size = PAGE_SIZE

    def __init__(self, fs: SysFs, path: str, attribute: Attribute) -> None:
        super().__init__(fs, path, stat.S_IFREG | attribute.mode)
        self._attribute = attribute

    def open(self, task: Task, file: OpenFile) -> FileObject:
        """Open the attribute (`kernfs_fop_open()`).

        An open for reading needs a read bit in the mode and the function `show`. An open for writing needs a
        write bit and the function `store`. Otherwise raise EACCES, even for root.
        """
        for wanted, bits, function in (
            (file.writable, 0o222, self._attribute.store),
            (file.readable, 0o444, self._attribute.show),
        ):
            if wanted and (not self.mode & bits or function is None):
                raise os_error(EACCES)
        self.fs.kernel.engine.charge(self.fs.kernel.costs.attribute)
        return AttributeFile(self.fs, self, self._attribute)

    def truncate(self, size: int) -> None:
        """Do nothing when a program opens the file with O_TRUNC (`kernfs_iop_setattr()`)."""


class AttributeFile(SeqFile):
    """An open attribute. Reads and writes raise ENODEV once the attribute's object is removed."""

    __slots__ = ("_attribute", "_log", "_name")

    def __init__(self, fs: SysFs, inode: SysFile, attribute: Attribute) -> None:
        super().__init__(fs.kernel.engine, fs.kernel.costs, inode, self._text, None, CHANGED)
        self._log = fs.kernel.log
        self._attribute = attribute
        self._name = inode.path.rpartition("/")[2]

    def poll(self) -> int:
        """Return the poll events. They include POLLERR and POLLPRI before the first read, and after the
        attribute's object was removed (`kernfs_fop_poll()`).
        """
        return super().poll() if self._attribute.alive() else CHANGED

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes:
        """Read the attribute's text (`kernfs_seq_show()`, `sysfs_kf_seq_show()`)."""
        self._hold()
        return super().read(task, file, size, position)

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int | Awaitable[int]:
        """Pass at most a page of `data` to the attribute's store function (`kernfs_fop_write_iter()`)."""
        self._hold()
        store = self._attribute.store
        assert store is not None
        data = data[:PAGE_SIZE]
        self._engine.charge(self._costs.copy(len(data)))
        if not data:
            return 0
        with self._attribute.guard():
            taken = store(data)
            if not isinstance(taken, Awaitable):
                return _or_all(taken, len(data))
        return self._taken(taken, len(data))

    async def _taken(self, pending: Awaitable[int | None], size: int) -> int:
        with self._attribute.guard():
            return _or_all(await pending, size)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """Set the file position. SEEK_END is relative to the nominal size of the file, one page
        (`generic_file_llseek()`).
        """
        return seek(file, offset, whence, PAGE_SIZE)

    def _hold(self) -> None:
        """Raise ENODEV if the attribute's object is removed (`kernfs_get_active()`)."""
        self._engine.charge(self._costs.attribute)
        if not self._attribute.alive():
            raise os_error(ENODEV)

    def _text(self) -> tuple[str, ...]:
        show = self._attribute.show
        assert show is not None
        self.events = DEFAULT_POLLMASK
        with self._attribute.guard():
            text = show()
        if len(text) >= PAGE_SIZE:
            self._log.err(f"fill_read_buffer: {self._name}_show returned bad count")
            text = text[: PAGE_SIZE - 1]
        return (text,)


def _or_all(taken: object, size: int) -> int:
    if taken is None:
        return size
    if not isinstance(taken, int):
        raise TypeError(
            f"store returned {taken!r}: it must return the number of bytes stored, or None for all"
        )
    return taken
