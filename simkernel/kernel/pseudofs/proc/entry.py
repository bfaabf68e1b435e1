"""The kinds of file in procfs (fs/proc/generic.c).  None is kept: each is made when it is looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import attrs

from simkernel.kernel.vfs.dentry import Dentry
from simkernel.kernel.vfs.directory import DirectoryFile
from simkernel.kernel.vfs.inode import DirectoryEntry, Inode
from simkernel.kernel.vfs.seq_file import Records, SeqFile, Store, StoringFile
from simkernel.uapi import stat
from simkernel.uapi.errno import ENOENT, EPERM, os_error

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel
    from simkernel.kernel.pseudofs.proc.root import ProcFs
    from simkernel.kernel.vfs.file import FileObject, OpenFile
    from simkernel.kernel.vfs.task import Task

READ_ONLY: Final = stat.S_IFREG | 0o444


@attrs.frozen
class Text:
    """A file: how its records are made for the kernel and the task that opens it, or whose it is."""

    records: Callable[[Kernel, Task], Records]
    mode: int = READ_ONLY
    store: Callable[[Kernel, Task], Store] | None = None


@attrs.frozen
class Link:
    """A symbolic link: where it leads, for the task that follows it."""

    target: Callable[[Kernel, Task], str]


Entry = Text | Link | Callable[["ProcFs", "Task", str], "ProcInode"]
"""An entry of a directory; a function makes a directory of its own kind from its path."""
Table = Mapping[str, Entry]


class ProcInode(Inode):
    """A file in procfs.  Its number follows from its path, whoever looks."""

    __slots__ = ("fs", "path")

    block_size = 1024

    def __init__(self, fs: ProcFs, path: str, mode: int, uid: int = 0, gid: int = 0) -> None:
        super().__init__(fs, fs.number_of(path), mode, uid, gid)
        self.fs = fs
        self.path = path

    def set_attributes(self, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """EPERM for a mode of a process's files (`proc_setattr()`)."""
        if mode is not None and mode != self.mode and self.path[1:2].isdigit():
            raise os_error(EPERM)
        if any(new not in (None, old) for new, old in ((mode, self.mode), (uid, self.uid), (gid, self.gid))):
            raise self.fs.kernel.unmodelled("another mode or owner of a file in /proc", EPERM)


class ProcText(ProcInode):
    """A file of text; `owner` is the task that it tells of, or None if it tells of whoever reads it."""

    __slots__ = ("_entry", "_owner")

    def __init__(self, fs: ProcFs, path: str, entry: Text, owner: Task | None = None) -> None:
        uid, gid = (0, 0) if owner is None else (owner.credentials.uid, owner.credentials.gid)
        super().__init__(fs, path, entry.mode, uid, gid)
        self._entry = entry
        self._owner = owner

    def open(self, task: Task, file: OpenFile) -> FileObject:
        """Whoever opens it reads for himself."""
        kernel, entry = self.fs.kernel, self._entry
        about = self._owner or task
        records = entry.records(kernel, about)
        if entry.store is None:
            return SeqFile(kernel, self, records)
        return StoringFile(kernel, self, records, entry.store(kernel, about))

    def truncate(self, size: int) -> None:
        """O_TRUNC does nothing to what is made when it is read (`proc_notify_change()`)."""


class ProcLink(ProcInode):
    """A symbolic link to a path."""

    __slots__ = ("_entry", "_owner")

    def __init__(self, fs: ProcFs, path: str, entry: Link, owner: Task | None = None) -> None:
        super().__init__(fs, path, stat.S_IFLNK | 0o777)
        self._entry = entry
        self._owner = owner

    def readlink(self, task: Task) -> str:
        """Where it leads."""
        return self._entry.target(self.fs.kernel, self._owner or task)


class ProcDirectory(ProcInode):
    """A directory with entries from a table.  Nothing can be made or taken away there."""

    __slots__ = ("_owner", "_table")

    def __init__(
        self, fs: ProcFs, path: str, table: Table, owner: Task | None = None, mode: int = 0o555
    ) -> None:
        uid, gid = (0, 0) if owner is None else (owner.credentials.uid, owner.credentials.gid)
        super().__init__(fs, path, stat.S_IFDIR | mode, uid, gid)
        self._table = table
        self._owner = owner

    def open(self, task: Task, file: OpenFile) -> FileObject:
        """For getdents64(2)."""
        assert file.path is not None
        return DirectoryFile(file.path)

    def find(self, task: Task, name: str) -> ProcInode | None:
        """The file called `name`; None: there is none."""
        entry = self._table.get(name)
        path = f"{self.path}/{name}"
        if isinstance(entry, Text):
            return ProcText(self.fs, path, entry, self._owner)
        if isinstance(entry, Link):
            return ProcLink(self.fs, path, entry, self._owner)
        return None if entry is None else entry(self.fs, self._owner or task, path)

    def names(self, task: Task) -> Iterator[str]:
        """What is there."""
        yield from self._table

    def lookup(self, task: Task, here: Dentry, name: str) -> Dentry | None:
        """A name."""
        found = self.find(task, name)
        return None if found is None else Dentry(name, here, found)

    def entries(self, task: Task) -> Iterator[DirectoryEntry]:
        """In the order of the table."""
        for position, name in enumerate(self.names(task), 2):
            inode = self.find(task, name)
            if inode is not None:
                yield DirectoryEntry(name, inode.number, inode.kind, position)

    def check_vacant(self, name: str) -> None:
        """ENOENT: a name that is not there will not come to be (`proc_lookup_de()`)."""
        raise os_error(ENOENT)


def whole(text: Callable[[Kernel], str]) -> Text:
    """A file whose text is one record (`single_open()`), the same for everyone."""
    return Text(lambda kernel, _: lambda: (text(kernel),))


def listing(records: Callable[[Kernel], list[str]]) -> Text:
    """A file of several records, the same for everyone."""
    return Text(lambda kernel, _: lambda: records(kernel))
