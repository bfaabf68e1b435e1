"""The kinds of files in procfs (fs/proc/generic.c).

An inode in procfs is created at each lookup and not cached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.vfs.directory import DirectoryInode
from simkernel.kernel.vfs.file import DEFAULT_POLLMASK, FileObject, OpenableInode, OpenFile
from simkernel.kernel.vfs.inode import Dentry, DirectoryEntry
from simkernel.kernel.vfs.seq_file import Records, SeqFile, Store
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.capability import CAP_SYS_PTRACE
from simkernel.uapi.errno import EACCES, EPERM, os_error

Entry = Callable[["ProcFs", str], "ProcInode"]
"""A function that creates the inode of a directory entry. Its arguments are the file system and the path of
the entry in procfs.
"""
Table = Mapping[str, Entry]


class ProcFs(SuperBlock):
    """The superblock of procfs, with the kernel that the files describe."""

    __slots__ = ("kernel",)

    def __init__(self, kernel: KernelParts, device: int) -> None:
        super().__init__("proc", device, kernel.realtime)
        self.kernel = kernel


class ProcInode(OpenableInode):
    """A file in procfs. It belongs to the user and group of the task `owner`, or to root if `owner` is None.

    The inode number of the file is computed from its path.
    """

    __slots__ = ("fs", "path")

    block_size = 1024

    def __init__(self, fs: ProcFs, path: str, mode: int, owner: Task | None = None) -> None:
        uid, gid = (0, 0) if owner is None else (owner.credentials.uid, owner.credentials.gid)
        super().__init__(fs, fs.number_of(path), mode, uid, gid)
        self.fs = fs
        self.path = path

    def set_attributes(self, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """Raise EPERM if a program sets the mode of a file of a process, even to the same mode, or of a file
        in /proc/sys (`proc_setattr()`, `proc_sys_setattr()`).

        Changes of owner or mode that Linux would allow are not modelled.
        """
        if mode is not None and uid is None and (self.path[1:2].isdigit() or self.path.startswith("/sys")):
            raise os_error(EPERM)
        if any(new not in (None, old) for new, old in ((mode, self.mode), (uid, self.uid), (gid, self.gid))):
            raise self.fs.kernel.unmodelled(
                "changing mode or owner of a file in /proc is not modelled", EPERM
            )


class ProcText(ProcInode):
    """A text file in procfs. `events` is the mask of poll events that poll(2) always reports for the file.
    The default mask means readable and writable (DEFAULT_POLLMASK, as in `proc_reg_poll()`).

    If `events` is None, the file has no poll operation, like those in a process's directory (tid_base_stuff).
    """

    __slots__ = ("_events", "_records", "_store")

    def __init__(
        self,
        fs: ProcFs,
        path: str,
        records: Records,
        owner: Task | None = None,
        mode: int = 0o444,
        store: Store | None = None,
        events: int | None = DEFAULT_POLLMASK,
    ) -> None:
        super().__init__(fs, path, stat.S_IFREG | mode, owner)
        self._records = records
        self._events = events
        self._store = store

    def open(self, task: Task, file: OpenFile) -> FileObject:
        kernel = self.fs.kernel
        return SeqFile(kernel.engine, kernel.costs, self, self._records, self._store, self._events)

    def truncate(self, size: int) -> None:
        """Do nothing when a program opens the file with O_TRUNC, because the text is generated at each read
        (`proc_notify_change()`).
        """


def check_access(task: Task, owner: Task) -> None:
    """Raise EACCES if `task` is not allowed to trace the task `owner` (`ptrace_may_access()`)."""
    mine, theirs = task.credentials, owner.credentials
    same = (mine.uid, mine.gid) == (theirs.uid, theirs.gid)
    if not same and not mine.capable(CAP_SYS_PTRACE):
        raise os_error(EACCES)


class ProcLink(ProcInode):
    """A symbolic link in procfs. The function `target` returns the path to which the link leads for a given
    task.

    Raises EACCES if that task may not trace the task `owner` (`proc_pid_get_link()`).
    """

    __slots__ = ("_owner", "_target")

    def __init__(
        self, fs: ProcFs, path: str, target: Callable[[Task], str], owner: Task | None = None
    ) -> None:
        super().__init__(fs, path, stat.S_IFLNK | 0o777, owner)
        self._target = target
        self._owner = owner

    def readlink(self, task: Task) -> str:
        if self._owner is not None:
            check_access(task, self._owner)
        return self._target(task)


class ProcDirectory(ProcInode, DirectoryInode):
    """A directory in procfs with entries from a table. Programs cannot create or remove files in it."""

    __slots__ = ("_table",)

    def __init__(
        self, fs: ProcFs, path: str, table: Table, owner: Task | None = None, mode: int = 0o555
    ) -> None:
        super().__init__(fs, path, stat.S_IFDIR | mode, owner)
        self._table = table

    def find(self, name: str) -> ProcInode | None:
        """Return the inode of the entry `name`, or None."""
        entry = self._table.get(name)
        return None if entry is None else entry(self.fs, f"{self.path}/{name}")

    def names(self) -> Iterable[str]:
        """Return the names of the entries in the order in which getdents64(2) lists them."""
        return self._table

    def lookup(self, task: Task, here: Dentry, name: str) -> Dentry | None:
        found = self.find(name)
        return None if found is None else Dentry(name, here, found)

    def entries(self, task: Task) -> Iterator[DirectoryEntry]:
        for position, name in enumerate(self.names(), 2):
            inode = self.find(name)
            if inode is not None:
                yield DirectoryEntry(name, inode.number, inode.kind, position)

    def check_new_name(self, name: str) -> None:
        """Raise ENOENT, because programs cannot create files in procfs (`proc_lookup_de()`)."""
        raise self.missing([name])

    def missing(self, names: Sequence[str]) -> Exception:
        return self.fs.kernel.unmodelled.missing(f"/proc{self.path}", names)
