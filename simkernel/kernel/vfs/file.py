"""Open files: what a descriptor stands for, shared by dup and by children.

    descriptor -> OpenFile (struct file: flags, position) -> FileObject (f_op and private_data)

What an object can do is what it overrides; the rest answers as a NULL in `struct file_operations` does.
The conventions of the operations:

* They never wait and do not know who calls.  A `read` that finds nothing now returns None: the caller
  waits on `readers` and asks again.  Any other operation that cannot go on raises `WouldBlock(queue,
  retry)` (kernel/sched/wait.py).  The system call makes EAGAIN of either, or waits.
* What a driver does that sleeps returns an awaitable; then the driver itself has looked at O_NONBLOCK.
* `position` is where to read or write; a call that moves the file's position adds the length of what
  came of it afterwards.  Whether the file is open for reading or writing (EBADF) the caller has checked.
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
"""What poll(2) says of a file that has no poll (include/linux/poll.h)."""

SOCKFS: Final = makedev(0, 9)
PIPEFS: Final = makedev(0, 15)
ANON_INODEFS: Final = makedev(0, 16)
"""st_dev of what lies in no file system that anybody sees."""

FMODE_READ: Final = 1
FMODE_WRITE: Final = 2
"""Bits of an open file's flags + 1 (OPEN_FMODE()): access mode 3 gives neither."""

NOTHING_WAKES: Final = WaitQueue("a file that wakes nobody")


class AnonAttributes(NamedTuple):
    """What fstat(2) says of a file without an inode: by default that of all anonymous inodes."""

    mode: int = 0o600
    number: int = 1
    device: int = ANON_INODEFS
    uid: int = 0
    gid: int = 0


class FileObject(Protocol):
    """What an open file operates on: a socket, a pipe, a device, a file in a file system."""

    __slots__ = ()

    exclusive_read: ClassVar[bool] = False
    """Whether of several who wait to read only one is woken."""

    can_direct: ClassVar[bool] = False
    """Whether it can be open with O_DIRECT (FMODE_CAN_ODIRECT)."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    # -- waiting --------------------------------------------------------------

    def poll(self) -> int:
        """The events of poll(2) that hold now, POLLERR and POLLHUP included."""
        return DEFAULT_POLLMASK

    def poll_for(self, events: int) -> int:
        """`poll()`, told what the caller waits for, which matters to some (`poll_requested_events()`)."""
        return self.poll()

    @property
    def can_poll(self) -> bool:
        """Whether it has a poll of its own (`file_can_poll()`); epoll takes no other (EPERM)."""
        return type(self).poll is not FileObject.poll

    @property
    def wait_queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll()` may have changed."""
        return ()

    @property
    def readers(self) -> WaitQueue:
        """Where to wait when `read` has returned None."""
        return NOTHING_WAKES

    # -- operations -----------------------------------------------------------

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | Awaitable[bytes] | None:
        """Up to `size` bytes; none at the end; None: nothing now.  EINVAL where there is no read."""
        raise os_error(EINVAL)

    def read_again(
        self, task: Task, file: OpenFile, size: int, position: int
    ) -> bytes | Awaitable[bytes] | None:
        """`read` of one who has waited for it."""
        return self.read(task, file, size, position)

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int | Awaitable[int]:
        """How many bytes were taken.  EINVAL where there is no write.

        An object whose O_APPEND matters looks at `file.flags` and sets `file.position` to where the
        data begins (`generic_write_checks()`).
        """
        raise os_error(EINVAL)

    def ioctl(self, task: Task, file: OpenFile, request: int, argument: int) -> int | Awaitable[int]:
        """ioctl(2).  ENOTTY for what it does not know."""
        raise os_error(ENOTTY)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """The new position, which it has stored in `file.position`.  ESPIPE where there is none."""
        raise os_error(ESPIPE)

    def mmap(self, task: Task, file: OpenFile, area: VmArea) -> Awaitable[None] | None:
        """Give `area` its memory (`area.map(...)`).  ENODEV where there is nothing to map."""
        raise os_error(ENODEV)

    def fasync(self, file: OpenFile, fd: int, on: bool) -> None:
        """Switch O_ASYNC in `file.flags`.  ENOTTY where there is no fasync, which F_SETFL ignores."""
        raise os_error(ENOTTY)

    def fsync(self, task: Task, file: OpenFile) -> None:
        """fsync(2).  EINVAL where there is nothing to be written back."""
        raise os_error(EINVAL)

    def iterate(self, task: Task, file: OpenFile) -> list[DirectoryEntry]:
        """What getdents64(2) still has to tell from `file.position` on.  ENOTDIR unless it is a directory."""
        raise os_error(ENOTDIR)

    def release(self) -> Awaitable[None] | None:
        """The last descriptor is gone (`file_operations.release`).

        What it returns may be waited for, and need not be: it goes on by itself.
        """
        return None

    # -- what it is -----------------------------------------------------------

    @property
    def inode(self) -> Inode | None:
        """What fstat(2) and fchmod(2) look at; None for what lies in no file system."""
        return None

    @property
    def ioctl_table(self) -> str:
        """The section of kernel/lib/ioctls.txt: the file system's name, unless a subclass has another."""
        return "" if self.inode is None else self.inode.superblock.name

    @property
    def has_positions(self) -> bool:
        """Whether pread(2) and pwrite(2) work: not without an inode, nor on a stream."""
        return self.inode is not None

    @property
    def description(self) -> str:
        """What /proc/self/fd says of a file without a path (`d_dname`)."""
        return "anon_inode:[file]"

    @property
    def anon_attributes(self) -> AnonAttributes:
        """What fstat(2) says if there is no inode."""
        return AnonAttributes()

    def fdinfo(self) -> str:
        """The lines that its kind of file adds in /proc/self/fdinfo (`show_fdinfo`)."""
        return ""


class SocketObject(FileObject, Protocol):
    """A socket: non-blocking operations and what to wait on.

    `atomic_send`: a send that blocks has done nothing and holds nothing, so it is retried as a whole.
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
    """An address family (`struct net_proto_family`).  Opening may sleep, to load a module."""

    def socket(self, task: Task, type: int, protocol: int) -> SocketObject | Awaitable[SocketObject]: ...
    def socketpair(self, task: Task, type: int, protocol: int) -> tuple[SocketObject, SocketObject]: ...


class Watcher(Protocol):
    """An item of an epoll file, as far as the file that it watches knows one."""

    def remove(self) -> None:
        """Stop watching: the file is released."""


def inode_and_device(file: OpenFile) -> tuple[int, int]:
    """Number of the inode of an open file, and the device it lies on (`file_inode()`)."""
    inode = file.object.inode
    if inode is not None:
        return inode.number, inode.superblock.device
    anon_attributes = file.object.anon_attributes
    return anon_attributes.number, anon_attributes.device


class OpenFile:
    """An open file description: object, status flags, position and reference count.

    `socket` is the object if it is a socket, else None.  `path` is the path that was opened, or None.
    `watchers` are the epoll files that watch it (`f_ep`), and `owner` is the recipient of its signals.  From
    its first descriptor until its release it is in the machine's table of open files.
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
        """Return True if it is open for reading."""
        return bool(self.flags + 1 & FMODE_READ)

    @property
    def writable(self) -> bool:
        """Return True if it is open for writing."""
        return bool(self.flags + 1 & FMODE_WRITE)

    def get(self) -> Self:
        """One more holder (`get_file()`)."""
        self.references += 1
        return self

    def put(self) -> Awaitable[None] | None:
        """One holder less; the last one releases the object (`fput()`), and gets what that returns."""
        self.references -= 1
        return None if self.references else self._release()

    def enlist(self, open_files: OpenFiles) -> None:
        """Add the file to the machine's open files, once.  Linux only counts them (`nr_files`)."""
        if self._after is None:
            self._before, self._after = open_files._before, open_files
            self._before._after = open_files._before = self

    def _release(self) -> Awaitable[None] | None:
        """`__fput()`: epoll forgets it, and nobody is sent signals for it."""
        if self._after is not None:
            self._before._after, self._after._before = self._after, self._before
        while self.watchers:
            self.watchers[-1].remove()
        if self.flags & O_ASYNC:
            with suppress(OSError):  # open(2) takes the flag for a file that has no fasync, too
                self.object.fasync(self, -1, False)
        return self.object.release()


class PathObject(FileObject):
    """The object of a file that is open with O_PATH.  It holds the inode and returns its attributes."""

    __slots__ = ("inode",)

    def __init__(self, inode: Inode) -> None:
        self.inode: Inode = inode
        inode.hold()

    def release(self) -> None:
        self.inode.put()


class PathFile(OpenFile):
    """A file that is open with O_PATH: a place in the tree, neither readable nor writable."""

    __slots__ = ()

    path_only = True
    readable = False
    writable = False

    def __init__(self, path: Dentry, flags: int) -> None:
        super().__init__(PathObject(path.inode), flags)
        self.path = path


class OpenFiles:
    """The open files of a machine, the oldest first, and its mappings.

    The files form a ring, because an item of a dict takes 74 bytes.
    """

    __slots__ = ("_after", "_before", "mappings", "path_only")

    def __init__(self) -> None:
        self.mappings: dict[VmArea, None] = {}
        self.path_only: dict[object, dict[int, OpenFile]] = {}
        """Files that are open with O_PATH, by table and descriptor: few tables have one."""
        self._after: Any = self
        self._before: Any = self

    def __iter__(self) -> Iterator[OpenFile]:
        file = self._after
        while file is not self:
            yield file
            file = file._after


def seek(file: OpenFile, offset: int, whence: int, size: int | None) -> int:
    """Move the position of a file of `size` bytes, None if that is unknown (`generic_file_llseek_size()`).

    Return the new position.  EINVAL.
    """
    bases = {SEEK_SET: 0, SEEK_CUR: file.position, SEEK_END: size}
    base = bases.get(whence)
    if base is None or not 0 <= base + offset <= MAX_LFS_FILESIZE:
        raise os_error(EINVAL)
    file.position = base + offset
    return file.position


class OpenableInode(Inode):
    """An inode that open(2) opens; others answer ENXIO (`no_open()`)."""

    __slots__ = ()

    def open(self, task: Task, file: OpenFile) -> Awaitable[FileObject] | FileObject:
        """The object that `file` operates on."""
        raise os_error(ENXIO)
