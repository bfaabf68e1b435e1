"""Table of the calls that programs make on the host and in simkernel. It maps the name of each Python
function to its system calls.

    "pread": lambda fd, size, offset: Request("pread64", (fd, size, offset)),

Names, arguments and results are those of os, fcntl, select, socket and signal, except that a file is
always a descriptor and a result consists of plain data. A system call has the name, arguments and result
defined in `simkernel.uapi.syscalls`: simkernel executes it directly, `host.py` with the host's C library.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, Final

from simkernel.uapi import dirent
from simkernel.uapi import fcntl as f
from simkernel.uapi.socket import AF_UNSPEC, SCM_CREDENTIALS, SCM_RIGHTS, SO_PEERCRED, SOL_SOCKET, Ucred
from simkernel.uapi.stat import S_IFIFO, S_IFREG, kind
from simkernel.uapi.structure import S32, U16
from simkernel.uapi.un import UnixAddress, decode_sockaddr_un, encode_sockaddr_un

BUFFER_SIZE: Final = 65536
"""Buffer size in bytes for each read of a whole file."""
LIBRARY: Final = f.O_LARGEFILE
"""Flag that openat(2) adds for 64-bit programs. F_GETFL returns it."""


class Pid(int):
    """A process id that belongs to a program. The log shows the program's name and not the number."""


class Request:
    """A system call, and a function that converts its result to plain data."""

    __slots__ = ("arguments", "convert", "name")

    def __init__(
        self, name: str, arguments: tuple[Any, ...], convert: Callable[[Any], Any] | None = None
    ) -> None:
        self.name = name
        self.arguments = arguments
        self.convert = convert


Composed = Generator[Request, Any, Any]
"""Type of a library call that consists of several system calls: a generator that yields them."""


def run(made: Request | Composed, perform: Callable[[Request], Any]) -> Any:
    """Execute a call. `perform` executes each of its system calls and returns the raw result."""
    if isinstance(made, Request):
        return _converted(made, perform(made))
    value, error = None, None
    try:
        while True:
            request = made.send(value) if error is None else made.throw(error)
            value, error = None, None
            try:
                value = _converted(request, perform(request))
            except OSError as raised:
                error = raised
    except StopIteration as stop:
        return stop.value


def _converted(request: Request, value: Any) -> Any:
    return value if request.convert is None else request.convert(value)


def milliseconds(timeout: float | None) -> int | None:
    """Convert a timeout from ms to ns. Return None for an infinite timeout, which is None or negative."""
    return None if timeout is None or timeout < 0 else int(timeout * 1_000_000)


# -- addresses and messages -------------------------------------------------------


def address(name: UnixAddress | None) -> bytes | None:
    """Encode a sockaddr_un. A str is a path. Bytes can be an abstract name, which begins with NUL, or a
    path.
    """
    if name is None:
        return None
    return encode_sockaddr_un(name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name)


def sender(raw: Any) -> Any:
    """Return the address of a sender, or None if it is unbound."""
    return decode_sockaddr_un(raw) if raw else None


def control(items: Iterable[int | tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """Return the control messages for sendmsg(). The integers in `items` are descriptors, which are sent
    together in one SCM_RIGHTS message.
    """
    items = list(items)
    fds = [item for item in items if isinstance(item, int)]
    rights = [(SOL_SOCKET, SCM_RIGHTS, b"".join(map(S32.pack, fds)))] if fds else []
    return rights + [item for item in items if not isinstance(item, int)]


def _message(level: int, type: int, data: bytes) -> tuple[int, int, Any]:
    """Return a control message with its descriptors as a list or its credentials as [pid, uid, gid]."""
    if level == SOL_SOCKET and type == SCM_RIGHTS:
        return level, type, [fd for (fd,) in S32.iter_unpack(data)]
    if level == SOL_SOCKET and type == SCM_CREDENTIALS:
        return level, type, credentials(data) if len(data) == Ucred.SIZE else [len(data), data[4:]]
    return level, type, data


def credentials(data: bytes) -> Any:
    """Return a struct ucred as [pid, uid, gid]."""
    if len(data) != Ucred.SIZE:
        return data
    pid, uid, gid = Ucred.LAYOUT.unpack(data)
    return [Pid(pid), uid, gid]


def _received(raw: Any) -> Any:
    data, length, messages, flags, name = raw
    return [data, length, [_message(*each) for each in messages], int(flags), sender(name)]


def _data_and_sender(raw: Any) -> Any:
    return [raw[0], raw[1], sender(raw[4])]


def option(value: int | bytes) -> bytes:
    """Encode the value of a socket option. A number becomes a C int."""
    return S32.pack(value) if isinstance(value, int) else value


def _getsockopt(fd: int, level: int, name: int, length: int = 0) -> Request:
    if level == SOL_SOCKET and name == SO_PEERCRED:
        return Request("getsockopt", (fd, level, name, Ucred.SIZE), credentials)
    if length:
        return Request("getsockopt", (fd, level, name, length))
    return Request("getsockopt", (fd, level, name, S32.size), lambda raw: int(S32.unpack(raw)[0]))


# -- files ----------------------------------------------------------------------------


def _stat(found: Any) -> list[int]:
    """Return mode, links, user, group, size and device of a file. Inode numbers and times vary, so they are
    omitted.
    """
    return [found.st_mode, found.st_nlink, found.st_uid, found.st_gid, found.st_size, found.st_rdev]


def _fcntl(fd: int, command: int, argument: int = 0) -> Request:
    convert: Callable[[int], int] | None = None
    if command == f.F_GETFL:
        convert = lambda flags: flags & ~LIBRARY  # noqa: E731
    elif command == f.F_GETOWN:
        convert = Pid
    return Request("fcntl", (fd, command, argument), convert)


def _ioctl(fd: int, request: int, argument: bytes | int = 0) -> Request:
    if isinstance(argument, int):
        return Request("ioctl", (fd, request, argument))
    buffer = bytearray(argument)
    return Request("ioctl", (fd, request, memoryview(buffer)), lambda _: bytes(buffer))


def _listdir(path: str = ".") -> Composed:
    fd = yield Request("openat", (f.AT_FDCWD, path, f.O_RDONLY | f.O_DIRECTORY | f.O_CLOEXEC, 0))
    found: list[str] = []
    try:
        while data := (yield Request("getdents64", (fd, BUFFER_SIZE))):
            found += [name for name, _, _ in dirent.entries(data) if name not in (".", "..")]
    finally:
        yield Request("close", (fd,))
    return sorted(found)


def _read_file(path: str) -> Composed:
    fd = yield Request("openat", (f.AT_FDCWD, path, f.O_RDONLY | f.O_CLOEXEC, 0))
    found = b""
    try:
        while data := (yield Request("read", (fd, BUFFER_SIZE))):
            found += data
    finally:
        yield Request("close", (fd,))
    return found


def _fdinfo(fd: int) -> Composed:
    found = yield from _read_file(f"/proc/self/fdinfo/{fd}")
    return found.decode().splitlines()[:2]


def _write_file(path: str, data: bytes) -> Composed:
    flags = f.O_WRONLY | f.O_CREAT | f.O_TRUNC | f.O_CLOEXEC
    fd = yield Request("openat", (f.AT_FDCWD, path, flags, 0o666))
    try:
        written = yield Request("write", (fd, data))
    finally:
        yield Request("close", (fd,))
    return written


def _select(
    read: Sequence[int], write: Sequence[int], other: Sequence[int], timeout: float | None = None
) -> Request:
    ns = None if timeout is None else int(timeout * 1_000_000_000)
    return Request(
        "select", (tuple(map(list, (read, write, other))), ns), lambda sets: [list(each) for each in sets]
    )


def _pid_and_status(found: tuple[int, int]) -> list[int]:
    return [Pid(found[0]), found[1]]


def _list(found: Iterable[Any]) -> list[Any]:
    return [list(each) if isinstance(each, tuple) else each for each in found]


UNSPECIFIED: Final = U16.pack(AF_UNSPEC)
"""Address for `connect(fd, None)` (AF_UNSPEC). connect(2) then removes the peer of a datagram socket."""
AT, NOFOLLOW = f.AT_FDCWD, f.AT_SYMLINK_NOFOLLOW

CALLS: Final[dict[str, Callable[..., Request | Composed]]] = {
    # calls on descriptors, named as in Python's os
    "close": lambda fd: Request("close", (fd,)),
    "dup": lambda fd: Request("dup", (fd,)),
    "dup2": lambda fd, other: Request("dup2", (fd, other)),
    "dup3": lambda fd, other, flags: Request("dup3", (fd, other, flags)),
    "closerange": lambda low, high: Request("close_range", (low, high - 1)),
    "read": lambda fd, size: Request("read", (fd, size)),
    "write": lambda fd, data: Request("write", (fd, data)),
    "pread": lambda fd, size, offset: Request("pread64", (fd, size, offset)),
    "pwrite": lambda fd, data, offset: Request("pwrite64", (fd, data, offset)),
    "readv": lambda fd, sizes: Request("readv", (fd, list(sizes))),
    "lseek": lambda fd, offset, whence: Request("lseek", (fd, offset, whence)),
    "writev": lambda fd, buffers: Request("writev", (fd, b"".join(buffers))),
    "pipe": lambda: Request("pipe2", (0,), list),
    "pipe2": lambda flags: Request("pipe2", (flags,), list),
    "eventfd": lambda value, flags=0: Request("eventfd2", (value, flags)),
    "memfd_create": lambda name, flags=0: Request("memfd_create", (name, flags)),
    "fsync": lambda fd: Request("fsync", (fd,)),
    # descriptor flags and locks, named as in Python's fcntl
    "fcntl": _fcntl,
    "ioctl": _ioctl,
    # waiting for events, named as in Python's select
    "poll": lambda pairs, timeout=None: Request(
        "poll", ([tuple(each) for each in pairs], milliseconds(timeout)), _list
    ),
    "select": _select,
    "epoll_create": lambda flags=0: Request("epoll_create1", (flags,)),
    "epoll_ctl": lambda epfd, operation, fd, events=0: Request(
        "epoll_ctl", (epfd, operation, fd, events, fd & 0xFFFFFFFF)
    ),
    "epoll_wait": lambda epfd, maxevents=64, timeout=None: Request(
        "epoll_wait", (epfd, maxevents, milliseconds(timeout)), _list
    ),
    # calls on paths, named as in Python's os
    "open": lambda path, flags, mode=0o777: Request("openat", (AT, path, flags, mode)),
    "openat": lambda dirfd, path, flags, mode=0o777: Request("openat", (dirfd, path, flags, mode)),
    "stat": lambda path: Request("newfstatat", (AT, path, 0), _stat),
    "lstat": lambda path: Request("newfstatat", (AT, path, NOFOLLOW), _stat),
    "fstatat": lambda dirfd, path, flags=0: Request("newfstatat", (dirfd, path, flags), _stat),
    "fstat": lambda fd: Request("fstat", (fd,), _stat),
    "access": lambda path, mode: Request("faccessat", (AT, path, mode, 0)),
    "faccessat": lambda dirfd, path, mode, flags=0: Request("faccessat", (dirfd, path, mode, flags)),
    "readlink": lambda path: Request("readlinkat", (AT, path)),
    "readlinkat": lambda dirfd, path: Request("readlinkat", (dirfd, path)),
    "listdir": _listdir,
    "read_file": _read_file,
    "write_file": _write_file,
    "fdinfo": _fdinfo,
    "mkdir": lambda path, mode=0o777: Request("mkdirat", (AT, path, mode)),
    "mkdirat": lambda dirfd, path, mode=0o777: Request("mkdirat", (dirfd, path, mode)),
    "mknod": lambda path, mode=0o600, device=0: Request(
        "mknodat", (AT, path, mode if kind(mode) else mode | S_IFREG, device)
    ),
    "mkfifo": lambda path, mode=0o666: Request("mknodat", (AT, path, mode | S_IFIFO, 0)),
    "symlink": lambda target, path: Request("symlinkat", (target, AT, path)),
    "link": lambda old, new: Request("linkat", (AT, old, AT, new, 0)),
    "linkat": lambda olddirfd, old, newdirfd, new, flags=0: Request(
        "linkat", (olddirfd, old, newdirfd, new, flags)
    ),
    "unlink": lambda path: Request("unlinkat", (AT, path, 0)),
    "rmdir": lambda path: Request("unlinkat", (AT, path, f.AT_REMOVEDIR)),
    "unlinkat": lambda dirfd, path, flags=0: Request("unlinkat", (dirfd, path, flags)),
    "rename": lambda old, new: Request("renameat2", (AT, old, AT, new, 0)),
    "renameat2": lambda olddirfd, old, newdirfd, new, flags=0: Request(
        "renameat2", (olddirfd, old, newdirfd, new, flags)
    ),
    "chmod": lambda path, mode: Request("fchmodat", (AT, path, mode)),
    "fchmod": lambda fd, mode: Request("fchmod", (fd, mode)),
    "chown": lambda path, uid, gid: Request("fchownat", (AT, path, uid, gid, 0)),
    "lchown": lambda path, uid, gid: Request("fchownat", (AT, path, uid, gid, NOFOLLOW)),
    "fchownat": lambda dirfd, path, uid, gid, flags=0: Request("fchownat", (dirfd, path, uid, gid, flags)),
    "fchown": lambda fd, uid, gid: Request("fchown", (fd, uid, gid)),
    "utime": lambda path, ns=None: Request("utimensat", (AT, path, ns, 0)),
    "truncate": lambda path, size: Request("truncate", (path, size)),
    "ftruncate": lambda fd, size: Request("ftruncate", (fd, size)),
    "chdir": lambda path: Request("chdir", (path,)),
    "fchdir": lambda fd: Request("fchdir", (fd,)),
    "getcwd": lambda: Request("getcwd", ()),
    "chroot": lambda path: Request("chroot", (path,)),
    "umask": lambda mask: Request("umask", (mask,)),
    # calls on sockets, named as in Python's socket
    "socket": lambda family, type, protocol=0: Request("socket", (family, type, protocol)),
    "socketpair": lambda family, type, protocol=0: Request("socketpair", (family, type, protocol), list),
    "bind": lambda fd, name: Request("bind", (fd, address(name))),
    "connect": lambda fd, name: Request("connect", (fd, address(name) or UNSPECIFIED), lambda _: None),
    "listen": lambda fd, backlog: Request("listen", (fd, backlog)),
    "accept": lambda fd, flags=0: Request("accept4", (fd, flags), lambda made: [made[0], sender(made[1])]),
    "getsockname": lambda fd: Request("getsockname", (fd,), decode_sockaddr_un),
    "getpeername": lambda fd: Request("getpeername", (fd,), decode_sockaddr_un),
    "shutdown": lambda fd, how: Request("shutdown", (fd, how)),
    "send": lambda fd, data, flags=0: Request("sendto", (fd, data, flags, None)),
    "sendto": lambda fd, data, flags, name: Request("sendto", (fd, data, flags, address(name))),
    "sendmsg": lambda fd, buffers, items=(), flags=0, name=None: Request(
        "sendmsg", (fd, b"".join(buffers), control(items), flags, address(name))
    ),
    "recv": lambda fd, size, flags=0: Request("recvfrom", (fd, size, flags), lambda raw: raw[0]),
    "recvfrom": lambda fd, size, flags=0: Request("recvfrom", (fd, size, flags), _data_and_sender),
    "recvmsg": lambda fd, size, ancsize=0, flags=0: Request("recvmsg", (fd, size, ancsize, flags), _received),
    "setsockopt": lambda fd, level, name, value: Request("setsockopt", (fd, level, name, option(value))),
    "getsockopt": _getsockopt,
    # calls on processes, named as in Python's os and resource
    "getpid": lambda: Request("getpid", (), Pid),
    "getppid": lambda: Request("getppid", (), Pid),
    "getuid": lambda: Request("getuid", ()),
    "getgid": lambda: Request("getgid", ()),
    "getgroups": lambda: Request("getgroups", (), sorted),
    "setuid": lambda uid: Request("setuid", (uid,)),
    "setgid": lambda gid: Request("setgid", (gid,)),
    "setgroups": lambda groups: Request("setgroups", (list(groups),)),
    "getrlimit": lambda resource: Request("prlimit", (resource,), list),
    "setrlimit": lambda resource, limits: Request("prlimit", (resource, tuple(limits)), lambda old: None),
    "wait": lambda: Request("wait4", (-1, 0), _pid_and_status),
    "waitpid": lambda pid, options=0: Request("wait4", (pid, options), _pid_and_status),
    "kill": lambda pid, number: Request("kill", (pid, number)),
    "prctl_comm": lambda comm: Request("prctl_comm", (comm,)),
    # syslog(2), which reads the kernel log
    "syslog": lambda action, size=0: Request("syslog", (action, size)),
}
"""For each call: a function that converts its arguments to a system call (Request) or to several (Composed).
`fork`, `end`, `signal` and `caught` are not in the table, because they need different code on the host and in
simkernel.
"""
