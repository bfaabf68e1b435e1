"""System calls on the host, with the arguments and results of `simkernel.uapi.syscalls`.

`HOST[name](*arguments)` returns the raw result or raises the kernel's error as OSError. Python's os would
restart a call after a signal (PEP 475), make descriptors non-inheritable and check arguments. Calls that
it would change go through the C library here. Linux on x86_64 only.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from simkernel.uapi.eventpoll import EPOLL_CTL_DEL
from simkernel.uapi.syslog import SYSLOG_ACTION_READ, SYSLOG_ACTION_READ_ALL, SYSLOG_ACTION_READ_CLEAR

NUMBERS: Final = {
    "read": 0, "write": 1, "poll": 7, "lseek": 8, "pread64": 17, "pwrite64": 18, "readv": 19, "ioctl": 16,
    "dup": 32, "dup2": 33, "dup3": 292, "socket": 41, "connect": 42, "accept4": 288, "sendto": 44,
    "sendmsg": 46, "recvfrom": 45, "recvmsg": 47, "bind": 49, "listen": 50, "getsockname": 51,
    "getpeername": 52, "socketpair": 53, "setsockopt": 54, "getsockopt": 55, "shutdown": 48, "fcntl": 72,
    "getdents64": 217, "openat": 257, "epoll_create1": 291, "epoll_ctl": 233, "epoll_wait": 232,
    "pselect6": 270, "wait4": 61, "prlimit64": 302, "close": 3, "close_range": 436, "mknodat": 259,
    "renameat2": 316, "linkat": 265, "faccessat2": 439, "unlinkat": 263, "eventfd2": 290, "pipe2": 293,
    "fsync": 74, "kill": 62, "prctl": 157, "readlinkat": 267, "ftruncate": 77, "fchmodat": 268,
    "fchownat": 260, "fchown": 93, "umask": 95, "mkdirat": 258, "symlinkat": 266, "setgroups": 116,
    "writev": 20, "setuid": 105, "setgid": 106, "fchdir": 81, "syslog": 103,
}  # fmt: skip
"""System call numbers (arch/x86/entry/syscalls/syscall_64.tbl)."""
PATH_MAX: Final = 4096
FD_SETSIZE: Final = 1024
READS: Final = (SYSLOG_ACTION_READ, SYSLOG_ACTION_READ_ALL, SYSLOG_ACTION_READ_CLEAR)
PR_SET_NAME: Final = 15
SOCKADDR: Final = 128
POLLFD: Final = struct.Struct("=ihH")
EVENT: Final = struct.Struct("=IQ")
CMSG: Final = struct.Struct("=qii")

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * 6  # c_void_p accepts numbers, bytes and buffers.
_get_errno = ctypes.get_errno
_address = ctypes.addressof
_ref = ctypes.byref


def call(name: str, *arguments: Any) -> int:
    """Make a system call. An argument is a number or a buffer. Raise OSError for an error."""
    result: int = _syscall(NUMBERS[name], *arguments, *(0,) * (6 - len(arguments)))
    if result < 0:
        number = _get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _buffer(content: bytes | int) -> Any:
    """Return a buffer with these bytes or of this size. It has at least one byte, so that it has an
    address.
    """
    if isinstance(content, int):
        return ctypes.create_string_buffer(max(content, 1))
    return ctypes.create_string_buffer(content, max(len(content), 1))


def _first(memory: Any, length: int) -> bytes:
    """Return the bytes that a call has written to the start of a buffer. `length` is their number."""
    return memory.raw[:length]


_path = os.fsencode  # No NUL is added here, because ctypes appends one to bytes.


def _timespec(ns: int | None) -> bytes:
    return b"" if ns is None else struct.pack("=qq", *divmod(ns, 1_000_000_000))


def _milliseconds(ns: int | None) -> int:
    return -1 if ns is None else -(-ns // 1_000_000)


# -- descriptors ------------------------------------------------------------------------


def read(fd: int, size: int) -> bytes:
    memory = _buffer(size)
    return _first(memory, call("read", fd, memory, size))


def pread64(fd: int, size: int, offset: int) -> bytes:
    memory = _buffer(size)
    return _first(memory, call("pread64", fd, memory, size, offset))


def readv(fd: int, sizes: Sequence[int]) -> bytes:
    memory = _buffer(sum(sizes))
    start, vector = _address(memory), b""
    for size in sizes:
        vector += struct.pack("=QQ", start, size)
        start += size
    table = _buffer(vector)
    return _first(memory, call("readv", fd, table, len(sizes)))


def writev(fd: int, data: bytes) -> int:
    memory = _buffer(data)
    vector = struct.pack("=QQ", _address(memory), len(data))
    return call("writev", fd, vector, 1)


def write(fd: int, data: bytes) -> int:
    return call("write", fd, data, len(data))


def syslog(action: int, size: int) -> bytes | int:
    memory = _buffer(max(size, 0))
    result = call("syslog", action, memory, size)
    return _first(memory, result) if action in READS else result


def pwrite64(fd: int, data: bytes, offset: int) -> int:
    return call("pwrite64", fd, data, len(data), offset)


def pipe2(flags: int) -> tuple[int, int]:
    memory = _buffer(8)
    call("pipe2", memory, flags)
    return struct.unpack("=ii", memory.raw[:8])


def ioctl(fd: int, request: int, argument: Any) -> int:
    if isinstance(argument, int):
        return call("ioctl", fd, request, argument)
    memory = _buffer(bytes(argument))
    result = call("ioctl", fd, request, memory)
    argument[:] = memory.raw[: len(argument)]
    return result


def poll(watched: Sequence[tuple[int, int]], timeout: int | None) -> list[tuple[int, int]]:
    memory = _buffer(b"".join(POLLFD.pack(fd, events, 0) for fd, events in watched))
    call("poll", memory, len(watched), _milliseconds(timeout))
    found = POLLFD.iter_unpack(memory.raw[: POLLFD.size * len(watched)])
    return [(fd, ready) for fd, _, ready in found if ready]


def select(sets: Iterable[Sequence[int]], timeout: int | None) -> tuple[list[int], ...]:
    sets = list(sets)
    count = max((fd for fds in sets for fd in fds), default=-1) + 1
    masks = [
        _buffer(sum(1 << fd for fd in set(fds)).to_bytes(max(FD_SETSIZE, count) // 8 + 8, "little"))
        for fds in sets
    ]
    wait = _timespec(timeout)
    call("pselect6", count, *masks, wait or 0)
    ready = [int.from_bytes(mask.raw, "little") for mask in masks]
    return tuple([fd for fd in fds if bits >> fd & 1] for fds, bits in zip(sets, ready, strict=True))


def epoll_ctl(epfd: int, operation: int, fd: int, events: int = 0, data: int = 0) -> int:
    memory = 0 if operation == EPOLL_CTL_DEL else _buffer(EVENT.pack(events, data))
    return call("epoll_ctl", epfd, operation, fd, memory)


def epoll_wait(epfd: int, maxevents: int, timeout: int | None) -> list[tuple[int, int]]:
    memory = _buffer(EVENT.size * max(min(maxevents, 4096), 0))
    count = call("epoll_wait", epfd, memory, maxevents, _milliseconds(timeout))
    return list(EVENT.iter_unpack(memory.raw[: EVENT.size * count]))


# -- paths ------------------------------------------------------------------------------------


def _at(name: str) -> Callable[..., Any]:
    """Return a function that makes a system call with a directory descriptor, a path and numbers as
    arguments.
    """
    return lambda dirfd, path, *numbers: call(name, dirfd, _path(path), *numbers)


def getdents64(fd: int, size: int) -> bytes:
    memory = _buffer(size)
    return _first(memory, call("getdents64", fd, memory, size))


def newfstatat(dirfd: int, path: str, flags: int) -> Any:
    if flags & 0x1000 and not path:
        return os.fstat(dirfd) if dirfd >= 0 else os.stat(".")
    return os.stat(path, dir_fd=None if dirfd == -100 else dirfd, follow_symlinks=not flags & 0x100)


def readlinkat(dirfd: int, path: str) -> str:
    memory = _buffer(PATH_MAX)
    length = call("readlinkat", dirfd, _path(path), memory, PATH_MAX)
    return os.fsdecode(memory.raw[:length])


def _two_paths(name: str) -> Callable[..., Any]:
    return lambda olddirfd, old, newdirfd, new, flags: call(
        name, olddirfd, _path(old), newdirfd, _path(new), flags
    )


def utimensat(dirfd: int, path: str, times: tuple[int, int] | None, flags: int) -> None:
    os.utime(path, ns=times, follow_symlinks=not flags) if times else os.utime(
        path, follow_symlinks=not flags
    )


# -- sockets ----------------------------------------------------------------------------------


def _named(name: str) -> Callable[[int, bytes], int]:
    """Return a function that makes a system call with a descriptor and a socket address as arguments."""
    return lambda fd, address: call(name, fd, address, len(address))


def _name_of(name: str) -> Callable[[int], bytes]:
    def get(fd: int) -> bytes:
        memory, length = _buffer(SOCKADDR), ctypes.c_int(SOCKADDR)
        call(name, fd, memory, _ref(length))
        return memory.raw[: length.value]

    return get


def socketpair(family: int, type: int, protocol: int) -> tuple[int, int]:
    memory = _buffer(8)
    call("socketpair", family, type, protocol, memory)
    return struct.unpack("=ii", memory.raw[:8])


def accept4(fd: int, flags: int) -> tuple[int, bytes]:
    memory, length = _buffer(SOCKADDR), ctypes.c_int(SOCKADDR)
    made = call("accept4", fd, memory, _ref(length), flags)
    return made, memory.raw[: length.value]


def sendto(fd: int, data: bytes, flags: int, address: bytes | None) -> int:
    where = (0, 0) if address is None else (address, len(address))
    return call("sendto", fd, data, len(data), flags, *where)


def _control(messages: Iterable[tuple[int, int, bytes]]) -> bytes:
    packed = b""
    for level, type, data in messages:
        packed += CMSG.pack(CMSG.size + len(data), level, type) + data
        packed += bytes(-len(packed) % 8)
    return packed


def sendmsg(
    fd: int, data: bytes, messages: Sequence[tuple[int, int, bytes]], flags: int, address: bytes | None
) -> int:
    memory, control = _buffer(data), _control(messages)
    ancillary, name = _buffer(control), _buffer(address or b"")
    vector = _buffer(struct.pack("=QQ", _address(memory), len(data)))
    header = _header(
        name if address is not None else None, len(address or b""), vector, ancillary, len(control)
    )
    return call("sendmsg", fd, header, flags)


def _header(name: Any, name_size: int, vector: Any, ancillary: Any, size: int) -> Any:
    return _buffer(
        struct.pack(
            "=QIIQQQQiI", _address(name) if name else 0, name_size, 0, _address(vector), 1,
            _address(ancillary) if size else 0, size, 0, 0,
        )
    )  # fmt: skip


def recvfrom(fd: int, size: int, flags: int = 0) -> Any:
    memory, name, length = _buffer(size), _buffer(SOCKADDR), ctypes.c_int(SOCKADDR)
    count = call("recvfrom", fd, memory, size, flags, name, _ref(length))
    return memory.raw[: min(count, size)], count, [], 0, name.raw[: length.value]


def recvmsg(fd: int, size: int, control_size: int, flags: int) -> Any:
    memory, name, ancillary = _buffer(size), _buffer(SOCKADDR), _buffer(control_size)
    vector = _buffer(struct.pack("=QQ", _address(memory), size))
    header = _header(name, SOCKADDR, vector, ancillary, control_size)
    count = call("recvmsg", fd, header, flags)
    _, name_size, _, _, _, _, used, told, _ = struct.unpack("=QIIQQQQiI", header.raw[:56])
    return (
        memory.raw[: min(count, size)], count, list(_messages(ancillary.raw[:used])), told,
        name.raw[:name_size],
    )  # fmt: skip


def _messages(control: bytes) -> Iterable[tuple[int, int, bytes]]:
    start = 0
    while start + CMSG.size <= len(control):
        length, level, type = CMSG.unpack_from(control, start)
        yield level, type, control[start + CMSG.size : start + length]
        start += -(-length // 8) * 8


def setsockopt(fd: int, level: int, option: int, value: bytes) -> int:
    return call("setsockopt", fd, level, option, value, len(value))


def getsockopt(fd: int, level: int, option: int, size: int) -> bytes:
    memory, length = _buffer(size), ctypes.c_int(size)
    call("getsockopt", fd, level, option, memory, _ref(length))
    return memory.raw[: length.value]


# -- processes ------------------------------------------------------------------------------


def wait4(pid: int, options: int) -> tuple[int, int]:
    status = ctypes.c_int()
    found = call("wait4", pid, _ref(status), options, 0)
    return found, status.value if found else 0


def prlimit(resource: int, limits: tuple[int, int] | None = None) -> tuple[int, int]:
    old = _buffer(16)
    new = b"" if limits is None else struct.pack("=QQ", *limits)
    call("prlimit64", 0, resource, new or 0, old)
    return struct.unpack("=QQ", old.raw[:16])


def setgroups(groups: Sequence[int]) -> int:
    return call("setgroups", len(groups), struct.pack(f"={len(groups)}I", *groups))


def _plain(name: str) -> Callable[..., Any]:
    return lambda *numbers: call(name, *numbers)


def _nothing(function: Callable[..., Any]) -> Callable[..., None]:
    """Return a function that makes a call and returns None, because the call's result is always 0."""

    def called(*arguments: Any) -> None:
        function(*arguments)

    return called


HOST: Final[dict[str, Callable[..., Any]]] = {
    **{
        name: _plain(name)
        for name in (
            "dup", "dup2", "dup3", "fcntl", "lseek", "eventfd2", "epoll_create1", "socket", "umask",
        )
    },
    **{
        name: _nothing(_plain(name))
        for name in (
            "close", "close_range", "fsync", "listen", "shutdown", "kill", "ftruncate", "fchown", "setuid",
            "fchdir", "setgid",
        )
    },
    **{name: _nothing(_at(name)) for name in ("mkdirat", "mknodat", "unlinkat", "fchmodat", "fchownat")},
    **{name: _nothing(_two_paths(name)) for name in ("linkat", "renameat2")},
    **{name: _nothing(_named(name)) for name in ("bind", "connect")},
    **{name: _name_of(name) for name in ("getsockname", "getpeername")},
    "faccessat": _nothing(_at("faccessat2")),
    "openat": _at("openat"),
    "read": read, "write": write, "pread64": pread64, "pwrite64": pwrite64, "readv": readv,
    "writev": writev, "pipe2": pipe2,
    "ioctl": ioctl, "poll": poll, "select": select, "epoll_ctl": _nothing(epoll_ctl),
    "epoll_wait": epoll_wait, "getdents64": getdents64, "newfstatat": newfstatat, "fstat": os.fstat,
    "readlinkat": readlinkat, "utimensat": utimensat, "socketpair": socketpair, "accept4": accept4,
    "sendto": sendto, "sendmsg": sendmsg, "recvfrom": recvfrom, "recvmsg": recvmsg,
    "setsockopt": _nothing(setsockopt), "getsockopt": getsockopt, "wait4": wait4, "prlimit": prlimit,
    "setgroups": _nothing(setgroups), "memfd_create": os.memfd_create, "getpid": os.getpid,
    "getppid": os.getppid, "getuid": os.geteuid, "getgid": os.getegid, "getgroups": os.getgroups,
    "symlinkat": lambda target, dirfd, path: _nothing(_plain("symlinkat"))(_path(target), dirfd, _path(path)),
    "truncate": os.truncate, "fchmod": os.fchmod, "chdir": os.chdir,
    "getcwd": os.getcwd, "chroot": os.chroot,
    "syslog": syslog,
    "prctl_comm": lambda comm: _nothing(_plain("prctl"))(PR_SET_NAME, _path(comm)),
}  # fmt: skip
"""For each system call, by simkernel's name: the function that makes the call on the host."""
