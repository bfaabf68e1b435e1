"""Open files, to which descriptors refer. After dup(2) or fork(2), several descriptors refer to one open
file.

    descriptor -> OpenFile (struct file: flags, position) -> FileObject (f_op and private_data)

A class of objects overrides the operations that it supports. The defaults behave as a NULL in `struct
file_operations`.  Conventions of the operations:

* The operations never wait and do not know their caller.  A `read` without data returns None: the caller
  waits on `readers` and calls it again.  Any other operation that would block raises `WouldBlock(queue,
  retry)` (kernel/sched/wait.py).  The system call then waits or returns EAGAIN.
* An operation of a driver that sleeps returns an awaitable.  The driver itself has checked O_NONBLOCK.
* `position` is where to read or write.  The caller then adds the result's length to the file's position.
  The caller has also checked the access mode (EBADF).
* `argument` of an ioctl is an int: a value, or an address in the memory of `task` (`task.mm`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import suppress
from typing import Any, ClassVar, Final, NamedTuple, Protocol, Self

from simkernel.kernel.mm.shmem import MAX_LFS_FILESIZE
from simkernel.kernel.mm.vma import VmArea
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.fasync import FileOwner
from simkernel.kernel.vfs.inode import Dentry, DirectoryEntry, Inode
from simkernel.kernel.vfs.socket import Address, Control, Received
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EINVAL, ENODEV, ENOTDIR, ENOTTY, ENXIO, ESPIPE, os_error
from simkernel.uapi.fcntl import O_ASYNC
from simkernel.uapi.poll import POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from simkernel.uapi.seek import SEEK_CUR, SEEK_END, SEEK_SET
from simkernel.uapi.stat import makedev

DEFAULT_POLLMASK: Final = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM
"""The poll events of a file without a poll operation (include/linux/poll.h)."""

SOCKFS: Final = makedev(0, 9)
PIPEFS: Final = makedev(0, 15)
ANON_INODEFS: Final = makedev(0, 16)
"""Device numbers (st_dev) of file systems without a mount: sockets, pipes and anonymous inodes."""

FMODE_READ: Final = 1
FMODE_WRITE: Final = 2
"""The bits for read access and for write access. The kernel tests them in `flags + 1`, where `flags` are the
flags of open(2) (OPEN_FMODE()). With access mode 3, neither bit is set.
"""

NOTHING_WAKES: Final = WaitQueue("a file that never wakes a reader")


class AnonAttributes(NamedTuple):
    """The attributes of a file without an inode, for fstat(2).

    The defaults are the attributes of anonymous inodes.
    """

    mode: int = 0o600
    number: int = 1
    device: int = ANON_INODEFS
    uid: int = 0
    gid: int = 0


class FileObject(Protocol):
    """The object of an open file: a socket, a pipe, a device, or a file in a file system."""

    __slots__ = ()

    exclusive_read: ClassVar[bool] = False
    """True if a wake-up wakes only one of the tasks that wait to read from this object."""

    can_direct: ClassVar[bool] = False
    """True if the object can be opened with O_DIRECT (FMODE_CAN_ODIRECT)."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    # -- waiting --------------------------------------------------------------

    def poll(self) -> int:
        """Return the poll(2) events that hold now, including POLLERR and POLLHUP."""
        return DEFAULT_POLLMASK

    def poll_for(self, events: int) -> int:
        """Return the poll events, as `poll()` does. `events` are the events that the caller waits for; most
        objects ignore this argument.
        """
        return self.poll()

    @property
    def can_poll(self) -> bool:
        """True if the object implements poll (`file_can_poll()`). Otherwise, epoll_ctl(2) fails with
        EPERM.
        """
        return type(self).poll is not FileObject.poll

    @property
    def wait_queues(self) -> tuple[WaitQueue, ...]:
        """The wait queues that are woken when the result of `poll()` may have changed."""
        return ()

    @property
    def readers(self) -> WaitQueue:
        """The wait queue on which a task waits after `read` has returned None."""
        return NOTHING_WAKES

    # -- operations -----------------------------------------------------------

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | Awaitable[bytes] | None:
        """Return up to `size` bytes, b"" at the end, None if there is no data yet.

        Raises EINVAL if unsupported.
        """
        raise os_error(EINVAL)

    def read_again(
        self, task: Task, file: OpenFile, size: int, position: int
    ) -> bytes | Awaitable[bytes] | None:
        """Repeat a read after the task has waited on `readers`. The possible results are those of `read`."""
        return self.read(task, file, size, position)

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int | Awaitable[int]:
        """Write `data` and return the number of bytes written. Raise EINVAL if the object does not support
        writes.

        An object that supports O_APPEND checks `file.flags` and sets `file.position` to the start of the
        data (`generic_write_checks()`).
        """
        raise os_error(EINVAL)

    def ioctl(self, task: Task, file: OpenFile, request: int, argument: int) -> int | Awaitable[int]:
        """Execute a request of ioctl(2).  Raise ENOTTY if it is unknown."""
        raise os_error(ENOTTY)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """Set `file.position` and return the new position.  Raise ESPIPE if the file has no position."""
        raise os_error(ESPIPE)

    def mmap(self, task: Task, file: OpenFile, area: VmArea) -> Awaitable[None] | None:
        """Map memory with `area.map(...)` (mmap(2)). Raise ENODEV if the file cannot be mapped."""
        raise os_error(ENODEV)

    def fasync(self, file: OpenFile, fd: int, on: bool) -> None:
        """Set or clear O_ASYNC in `file.flags`. Raise ENOTTY if the object does not support O_ASYNC; F_SETFL
        ignores this error.
        """
        raise os_error(ENOTTY)

    def fsync(self, task: Task, file: OpenFile) -> None:
        """Write the data to storage (fsync(2)).  Raise EINVAL if unsupported."""
        raise os_error(EINVAL)

    def iterate(self, task: Task, file: OpenFile) -> list[DirectoryEntry]:
        """Return the directory entries from `file.position` on, for getdents64(2).

        Raises ENOTDIR unless a directory.
        """
        raise os_error(ENOTDIR)

    def release(self) -> Awaitable[None] | None:
        """Handle the close of the last descriptor (`file_operations.release`).

        The caller may await the result of the release, but need not: the release continues by itself.
        """
        return None

    # -- inode and ioctl table ------------------------------------------------

    @property
    def inode(self) -> Inode | None:
        """The inode for fstat(2) and fchmod(2). None for a file outside of all file systems."""
        return None

    @property
    def ioctl_table(self) -> str:
        """Name of the section of kernel/lib/ioctls.txt that lists the ioctl(2) requests of this object. By
        default, it is the name of the file system.
        """
        return "" if self.inode is None else self.inode.superblock.name

    @property
    def has_positions(self) -> bool:
        """True if pread(2) and pwrite(2) work: the object has an inode and is not a stream."""
        return self.inode is not None

    @property
    def moves(self) -> bool:
        """True if reads and writes move the position. If False, fdinfo shows the position 0."""
        return self.has_positions

    @property
    def description(self) -> str:
        """The target of the link in /proc/self/fd for a file without a path (`d_dname`)."""
        return "anon_inode:[file]"

    @property
    def anon_attributes(self) -> AnonAttributes:
        """The attributes for fstat(2) of a file without an inode."""
        return AnonAttributes()

    def fdinfo(self) -> str:
        """Return the lines that this kind of file adds to /proc/self/fdinfo (`show_fdinfo`)."""
        return ""


class SocketObject(FileObject, Protocol):
    """The interface of a socket: its non-blocking operations, and the wait queues on which system calls
    block.

    `atomic_send` is true if a send that blocks has had no effect and holds nothing. Such a send is retried
    as a whole.
    """

    family: ClassVar[int]
    atomic_send: ClassVar[bool]

    rcvtimeo: int | None
    sndtimeo: int | None

    @property
    def title(self) -> str: ...
    @property
    def readers(self) -> WaitQueue: ...
    @property
    def receivers(self) -> WaitQueue: ...
    def bind(self, task: Task, address: Address) -> None: ...
    def connect(self, task: Task, address: Address) -> None: ...
    def getsockname(self) -> Address: ...
    def getpeername(self) -> Address: ...
    def sendmsg(
        self, task: Task, data: bytes, address: Address | None, control: Control, flags: int
    ) -> int | Awaitable[int]: ...
    def recvmsg(self, task: Task, size: int, control_size: int, flags: int) -> Received | None: ...
    def setsockopt(self, task: Task, level: int, option: int, value: bytes) -> None: ...
    def getsockopt(self, task: Task, level: int, option: int, length: int) -> bytes: ...
    def opened(self, file: OpenFile) -> None: ...
    def listen(self, task: Task, backlog: int) -> None: ...
    def accept(self, task: Task) -> SocketObject | None: ...
    def shutdown(self, task: Task, how: int) -> None: ...


class SocketFamily(Protocol):
    """An address family (`struct net_proto_family`).  Creating a socket may sleep, to load a module."""

    def socket(self, task: Task, type: int, protocol: int) -> SocketObject | Awaitable[SocketObject]: ...
    def socketpair(self, task: Task, type: int, protocol: int) -> tuple[SocketObject, SocketObject]: ...


class Watcher(Protocol):
    """The method of an epoll item that the watched file calls."""

    def remove(self) -> None:
        """Stop watching the file, because it is released."""


def inode_and_device(file: OpenFile) -> tuple[int, int]:
    """Return the inode number and the device number (st_dev) of an open file (`file_inode()`)."""
    inode = file.object.inode
    if inode is not None:
        return inode.number, inode.superblock.device
    anon_attributes = file.object.anon_attributes
    return anon_attributes.number, anon_attributes.device


class OpenFile:
    """An open file description: object, status flags, position and reference count.

    `socket` is the object if it is a socket, else None.  `path` is the path that was opened, or None.
    `watchers` are the items of epoll files that watch the file (`f_ep`). `owner` is the recipient of the
    file's signals.  From its first descriptor to its release, an open file is in the machine's table of
    open files.
    """

    path_only: ClassVar[bool] = False
    """True for a file that is open with O_PATH (FMODE_PATH)."""

    __slots__ = (
        "_after",
        "_before",
        "flags",
        "object",
        "owner",
        "path",
        "position",
        "references",
        "socket",
        "watchers",
    )

    def __init__(self, object: FileObject, flags: int = 0, socket: SocketObject | None = None) -> None:
        self.object = object
        self.flags = flags
        self.socket = socket
        self.references = 0
        self.position = 0
        self.path: Dentry | None = None
        self.watchers: list[Watcher] | None = None
        self.owner: FileOwner | None = None
        self._after: Any = None
        self._before: Any = None

    def __repr__(self) -> str:
        return f"<OpenFile of {self.object!r}, flags {self.flags:#o}>"

    @property
    def readable(self) -> bool:
        """True if the file is open for reading."""
        return bool(self.flags + 1 & FMODE_READ)

    @property
    def writable(self) -> bool:
        """True if the file is open for writing."""
        return bool(self.flags + 1 & FMODE_WRITE)

    def get(self) -> Self:
        """Take a reference (`get_file()`)."""
        self.references += 1
        return self

    def put(self) -> Awaitable[None] | None:
        """Drop a reference (`fput()`). If it was the last reference, release the object and return the result
        of the release.
        """
        self.references -= 1
        return None if self.references else self._release()

    def enlist(self, open_files: OpenFiles) -> None:
        """Add the file to the list of the machine's open files when the file gets its first descriptor.

        Linux has no list of all open files, only their number (`nr_files`).
        """
        if self._after is None:
            self._before, self._after = open_files._before, open_files
            self._before._after = open_files._before = self

    def _release(self) -> Awaitable[None] | None:
        """Remove the file from epoll files and from the list of files that get SIGIO, and release the object
        (`__fput()`).
        """
        if self._after is not None:
            self._before._after, self._after._before = self._after, self._before
        while self.watchers:
            self.watchers[-1].remove()
        if self.flags & O_ASYNC:
            with suppress(OSError):  # open(2) accepts O_ASYNC even for a file without fasync
                self.object.fasync(self, -1, False)
        return self.object.release()


class PathObject(FileObject):
    """The object of a file that is open with O_PATH.  It holds a reference to the inode."""

    __slots__ = ("inode",)

    def __init__(self, inode: Inode) -> None:
        self.inode: Inode = inode
        inode.hold()

    def release(self) -> None:
        self.inode.put()


class PathFile(OpenFile):
    """A file that is open with O_PATH. It refers to a dentry (`path`) and cannot be read or written."""

    __slots__ = ()

    path_only = True
    readable = False
    writable = False

    def __init__(self, path: Dentry, flags: int) -> None:
        super().__init__(PathObject(path.inode), flags)
        self.path = path


class OpenFiles:
    """The open files of a machine, oldest first, and the memory mappings of its processes.

    The files form a doubly linked ring, because an item of a dict takes 74 bytes.
    """

    __slots__ = ("_after", "_before", "mappings", "path_only")

    def __init__(self) -> None:
        self.mappings: dict[VmArea, None] = {}
        self.path_only: dict[object, dict[int, OpenFile]] = {}
        """The files that are open with O_PATH, by descriptor table and descriptor. Few tables have such
        files.
        """
        self._after: Any = self
        self._before: Any = self

    def __iter__(self) -> Iterator[OpenFile]:
        file = self._after
        while file is not self:
            yield file
            file = file._after


def seek(file: OpenFile, offset: int, whence: int, size: int | None) -> int:
    """Set the position of a file and return it (`generic_file_llseek_size()`). Raise EINVAL if `whence` or
    the new position is invalid.

    `size` is the size of the file in bytes, None if it is unknown.
    """
    bases = {SEEK_SET: 0, SEEK_CUR: file.position, SEEK_END: size}
    base = bases.get(whence)
    if base is None or not 0 <= base + offset <= MAX_LFS_FILESIZE:
        raise os_error(EINVAL)
    file.position = base + offset
    return file.position


class OpenableInode(Inode):
    """An inode that can be opened.  By default open(2) fails with ENXIO (`no_open()`)."""

    __slots__ = ()

    def open(self, task: Task, file: OpenFile) -> Awaitable[FileObject] | FileObject:
        """Return the object for the open file `file`, or an awaitable that gives it."""
        raise os_error(ENXIO)
