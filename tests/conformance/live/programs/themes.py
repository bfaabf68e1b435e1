"""Themes of random programs. A theme is a set of calls with weights and random arguments."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import Any, Final

from simkernel.uapi.fcntl import F_GETPIPE_SZ, F_SETPIPE_SZ
from simkernel.uapi.ioctls import FIONBIO, FIONREAD
from simkernel.uapi.resource import RLIMIT_NOFILE
from simkernel.uapi.socket import AF_UNIX, SO_PASSCRED, SO_PEERCRED, SOL_SOCKET
from tests.conformance.live.programs import draw as v
from tests.conformance.live.programs.draw import Draw
from tests.conformance.programs.interface import RECORD, SIG_DFL, SIG_IGN

Arguments = Callable[[Draw], Sequence[Any]]
Table = Sequence[tuple[int, str, Arguments]]


def _send_rights(d: Draw) -> Sequence[Any]:
    fds = [d.fd("socket" if d.chance(0.4) else "") for _ in range(d.choice((1, 1, 1, 2, 3)))]
    return d.fd("socket"), [d.choice(v.DATA[:8])], fds, d.choice(v.SEND), None


THEMES: Final[dict[str, Table]] = {
    "any": (
        (4, "close", lambda d: (d.fd(),)),
        (2, "dup", lambda d: (d.fd(),)),
        (1, "dup2", lambda d: (d.fd(), d.choice((0, 3, 4, 5, 9, 12, 30, 1024, -1)))),
        (1, "dup3", lambda d: (d.fd(), d.choice((3, 4, 5, 12)), d.choice((0, os.O_CLOEXEC, 1)))),
        (6, "read", lambda d: (d.source(), d.choice(v.SIZES))),
        (6, "write", lambda d: d.written()),
        (1, "pread", lambda d: (d.fd(), d.choice(v.SIZES), d.choice((0, 3, -1)))),
        (1, "pwrite", lambda d: (d.fd(), d.choice(v.DATA[:8]), d.choice((0, 3, 5000, -1)))),
        (1, "readv", lambda d: (d.fd("readable"), [d.choice(v.SIZES) for _ in range(3)])),
        (1, "writev", lambda d: (d.sink(), [d.choice(v.DATA[:8]) for _ in range(d.choice((0, 1, 2)))])),
        (2, "lseek", lambda d: (d.fd(), d.choice((0, 1, 3, 5000, -1)), d.choice((0, 0, 1, 2, 3, 4, 5)))),
        (2, "fstat", lambda d: (d.fd(),)),
        (1, "fdinfo", lambda d: (d.only("stream"),)),
        (1, "fcntl", lambda d: (d.fd(), d.choice((0, 1030)), d.choice((0, 5, 20, -1, 1024)))),
        (1, "fcntl", lambda d: (d.fd(), d.choice((1, 2)), d.choice((0, 1)))),
        (2, "fcntl", lambda d: (d.fd(), 3, 0)),
        (2, "fcntl", lambda d: (
            d.fd(), 4, d.choice((0, os.O_NONBLOCK, os.O_NONBLOCK, os.O_APPEND, os.O_NOATIME))
        )),
        (2, "ioctl", lambda d: (d.fd(), d.choice((FIONREAD, v.SIOCOUTQ)), bytes(4))),
        (1, "ioctl", lambda d: (d.fd("stream"), FIONBIO, d.choice((bytes(4), b"\1\0\0\0")))),
        (4, "poll", lambda d: ([(fd, d.choice(v.EVENTS)) for fd in d.fds()], d.timeout())),
        (2, "select", lambda d: (d.few(2), d.few(2), d.few(1), d.timeout())),
        (1, "closerange", lambda d: (d.choice((3, 6, 20)), d.choice((4, 7, 30)))),
        (1, "setrlimit", lambda d: (
            RLIMIT_NOFILE, d.choice(((1024, 4096), (12, 4096), (64, 64), (5, 4), (3, 5000)))
        )),
        (1, "getrlimit", lambda d: (RLIMIT_NOFILE,)),
    ),
    "pipes": (
        (4, "pipe2", lambda d: (d.choice((0, d.nonblock(), d.nonblock(), os.O_DIRECT | d.nonblock())),)),
        (3, "eventfd", lambda d: (d.choice((0, 0, 1, 5, 0xFFFFFFFF)), d.nonblock() | d.choice((0, 1)))),
        (8, "read", lambda d: (d.source("stream"), d.choice(v.SIZES))),
        (8, "write", lambda d: d.written("stream")),
        (1, "fcntl", lambda d: (
            d.fd("pipe"), F_SETPIPE_SZ, d.choice((0, 4096, 8192, 10_000, 65536, 1 << 20, -1))
        )),
        (1, "fcntl", lambda d: (d.fd("pipe"), F_GETPIPE_SZ, 0)),
        (2, "mkfifo", lambda d: (d.choice("pqp"), d.choice(v.MODES))),
        (3, "open", lambda d: (d.choice("ppq"), d.choice(v.ACCESSES) | d.nonblock())),
        (2, "poll", lambda d: ([(d.fd("stream"), d.choice(v.EVENTS))], d.timeout())),
    ),
    "sockets": (
        (3, "socketpair", lambda d: (AF_UNIX, d.choice(v.SOCKETS) | d.nonblock(), 0)),
        (3, "socket", lambda d: (AF_UNIX, d.choice(v.SOCKETS) | d.nonblock(), 0)),
        (3, "bind", lambda d: (d.fd("socket"), d.name())),
        (4, "connect", lambda d: (d.fd("socket"), d.name())),
        (3, "listen", lambda d: (d.fd("socket"), d.choice((0, 1, 5, -1)))),
        (4, "accept", lambda d: (d.fd("socket"), d.choice((0, d.nonblock())))),
        (2, "shutdown", lambda d: (d.fd("socket"), d.choice((0, 1, 2, 2, 3)))),
        (1, "getsockname", lambda d: (d.fd("socket"),)),
        (1, "getpeername", lambda d: (d.fd("socket"),)),
        (1, "getsockopt", lambda d: (d.fd("socket"), SOL_SOCKET, d.choice((2, 3, 4, 7, 8, 16, 30, 38, 39)))),
        (1, "getsockopt", lambda d: (d.fd("socket"), SOL_SOCKET, SO_PEERCRED)),
        (1, "setsockopt", lambda d: (d.fd("socket"), SOL_SOCKET, 7, d.choice((1, 10_000, 50_000)))),
        (1, "setsockopt", lambda d: (d.fd("socket"), SOL_SOCKET, SO_PASSCRED, d.choice((0, 1)))),
        (6, "send", lambda d: (d.fd("socket"), d.choice(v.DATA), d.choice(v.SEND))),
        (2, "sendto", lambda d: (d.fd("socket"), d.choice(v.DATA), d.choice(v.SEND), d.name())),
        (4, "sendmsg", _send_rights),
        (4, "recv", lambda d: (d.fd("socket"), d.choice(v.SIZES), d.choice(v.MSG[:7]))),
        (2, "recvfrom", lambda d: (d.fd("socket"), d.choice(v.SIZES), d.choice(v.MSG))),
        (5, "recvmsg", lambda d: (
            d.fd("socket"), d.choice(v.SIZES), d.choice((0, 16, 20, 24, 100)), d.choice(v.MSG)
        )),
        (1, "unlink", lambda d: (d.choice("st"),)),
    ),
    "epolls": (
        (3, "epoll_create", lambda d: (d.choice((0, os.O_CLOEXEC)),)),
        (8, "epoll_ctl", lambda d: (
            d.fd("epoll"), d.choice((1, 1, 1, 2, 3)), d.fd(), d.choice(v.EVENTS) | d.choice(v.HOW)
        )),
        (6, "epoll_wait", lambda d: (d.fd("epoll"), d.choice((1, 2, 64)), d.timeout())),
        (2, "pipe2", lambda d: (d.nonblock(),)),
        (2, "eventfd", lambda d: (d.choice((0, 1)), d.nonblock())),
        (4, "write", lambda d: d.written("stream")),
        (4, "read", lambda d: (d.source("stream"), d.choice(v.SIZES))),
    ),
    "paths": (
        (6, "open", lambda d: (d.path(), d.open_flags(), d.choice(v.MODES))),
        (3, "open", lambda d: (d.simple(), d.open_flags() | os.O_CREAT, d.choice(v.MODES))),
        (3, "stat", lambda d: (d.path(),)),
        (2, "lstat", lambda d: (d.path(),)),
        (1, "listdir", lambda d: (d.path(),)),
        (1, "readlink", lambda d: (d.path(),)),
        (2, "access", lambda d: (d.path(), d.choice((0, 1, 2, 4, 7)))),
        (2, "mkdir", lambda d: (d.path(), d.choice(v.MODES))),
        (2, "mkdir", lambda d: (d.simple(), d.choice(v.MODES))),
        (1, "mknod", lambda d: (d.path(), d.choice(v.MODES) | d.choice((0, 0o100000, 0o10000, 0o140000)))),
        (3, "symlink", lambda d: (d.path() or "a", d.choice((d.path(), d.simple())))),
        (2, "link", lambda d: (d.path(), d.path())),
        (3, "rename", lambda d: (d.choice((d.path(), d.simple())), d.choice((d.path(), d.simple())))),
        (2, "unlink", lambda d: (d.path(),)),
        (2, "rmdir", lambda d: (d.path(),)),
        (3, "chmod", lambda d: (d.choice((d.path(), d.simple())), d.choice(v.MODES))),
        (1, "fchmod", lambda d: (d.only("path"), d.choice(v.MODES))),
        (3, "chown", lambda d: (d.choice((d.path(), d.simple())), d.choice(v.IDS), d.choice(v.IDS))),
        (1, "lchown", lambda d: (d.path(), d.choice(v.IDS), d.choice(v.IDS))),
        (1, "fchown", lambda d: (d.only("path"), d.choice(v.IDS), d.choice(v.IDS))),
        (1, "utime", lambda d: (d.path(), d.choice((None, (10**18, 10**18))))),
        (2, "truncate", lambda d: (d.path(), d.choice((-1, 0, 3, 5000)))),
        (1, "ftruncate", lambda d: (d.fd("file"), d.choice((-1, 0, 3, 5000)))),
        (1, "chdir", lambda d: (d.choice((d.path(), d.simple(), "..", "/case")),)),
        (1, "fchdir", lambda d: (d.fd("folder"),)),
        (1, "getcwd", lambda d: ()),
        (1, "umask", lambda d: (d.choice((0, 0o22, 0o77, 0o27, 0o7777)),)),
        (2, "write", lambda d: (d.fd("file"), d.choice(v.DATA))),
        (2, "read", lambda d: (d.fd("file"), d.choice(v.SIZES))),
        (1, "openat", lambda d: (d.fd("folder"), d.path(), d.open_flags(), d.choice(v.MODES))),
        (1, "unlinkat", lambda d: (d.fd("folder"), d.path(), d.choice((0, 0x200)))),
    ),
    "processes": (
        (4, "fork", lambda d: ()),
        (2, "end", lambda d: (d.choice((0, 1, 3, 255)),)),
        (3, "waitpid", lambda d: (d.choice((-1, d.any_pid())), d.choice((0, 1, 1)))),
        (5, "kill", lambda d: (d.any_pid(), d.choice((0, *v.SIGNALS, *v.SIGNALS, int(signal.SIGKILL), 65)))),
        (6, "signal", lambda d: (d.choice(v.SIGNALS), d.choice((RECORD, RECORD, SIG_IGN, SIG_DFL)))),
        (5, "caught", lambda d: ()),
        (1, "getpid", lambda d: ()),
        (1, "getppid", lambda d: ()),
        (1, "setuid", lambda d: (d.choice((0, 1000, 1001, -1)),)),
        (1, "setgid", lambda d: (d.choice((0, 100, 1000, -1)),)),
        (1, "setgroups", lambda d: (d.choice(([], [100], [7, 100])),)),
        (1, "getgroups", lambda d: ()),
        (2, "pipe2", lambda d: (0,)),
        (2, "read", lambda d: (d.source("pipe"), 10)),
        (2, "write", lambda d: (d.sink("pipe"), b"hello")),
        (1, "fcntl", lambda d: (d.fd("stream"), 8, d.any_pid())),
        (1, "fcntl", lambda d: (d.fd("stream"), 4, d.choice((os.O_ASYNC, os.O_ASYNC | os.O_NONBLOCK, 0)))),
    ),
}  # fmt: skip
"""For each theme, its calls: the weight, the name, and a function that returns random arguments."""
