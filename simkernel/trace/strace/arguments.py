"""Arguments of system calls in the format of strace: a printer for each kind of argument in `uapi.syscalls`.

Source: the output of strace 6.13 on Linux, which is in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from simkernel.engine import SECOND
from simkernel.trace.strace.addresses import given
from simkernel.trace.strace.constants import flags, hexadecimal, names, number, one_of, pick, set_of
from simkernel.trace.strace.quoting import c_string, hexadecimal_string
from simkernel.uapi import (
    dirent,
    eventfd,
    eventpoll,
    fcntl,
    futex,
    mman,
    resource,
    sched,
    seek,
    signal,
    socket,
    stat,
    syslog,
)
from simkernel.uapi.utsname import Utsname

PATH_MAX: Final = 4096
"""Maximum number of bytes to print of a path. No path is longer, so every path is printed in full."""

Printer = Callable[[Any], str]

_ACCESS: Final = pick(fcntl, "O_", "RDONLY WRONLY RDWR")
_OPEN: Final = pick(
    fcntl,
    "O_",
    "CREAT EXCL NOCTTY TRUNC APPEND NONBLOCK SYNC DSYNC ASYNC DIRECT LARGEFILE NOFOLLOW NOATIME CLOEXEC PATH "
    "TMPFILE DIRECTORY",
)
_KINDS: Final = names(stat, "S_IF", "S_IFMT")
_SPECIAL: Final = ((stat.S_ISUID, "S_ISUID"), (stat.S_ISGID, "S_ISGID"), (stat.S_ISVTX, "S_ISVTX"))
_MAP_TYPES: Final = pick(mman, "MAP_", "SHARED PRIVATE SHARED_VALIDATE")
_MAP: Final = names(mman, "MAP_", *_MAP_TYPES.values(), "MAP_TYPE")
_PROTECTION: Final = names(mman, "PROT_", "PROT_NONE")
_MODES: Final = ((4, "R_OK"), (2, "W_OK"), (1, "X_OK"))
"""Mode bits of access(2), in strace's order."""
_SIGNALS: Final = names(signal, "SIG", "SIG_", "SIGRT")
_HANDLERS: Final = names(signal, "SIG_", "SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK")


def text(value: object) -> str:
    """Format an argument of unknown kind."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return c_string(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bytes):
        return hexadecimal_string(value)
    if isinstance(value, int):
        return str(int(value))
    name = getattr(value, "__qualname__", None) or getattr(value, "comm", None)
    return str(name) if name else type(value).__qualname__


def open_flags(value: int) -> str:
    """Format the flags of open(2), such as `O_RDWR|O_NONBLOCK`."""
    access = number(value & fcntl.O_ACCMODE, _ACCESS, "O")
    rest = value & ~fcntl.O_ACCMODE
    return f"{access}|{flags(rest, _OPEN)}" if rest else access


def octal(mode: int) -> str:
    """Format a mode, such as `0644`."""
    return f"0{mode:o}".zfill(3)


def device(number: int) -> str:
    """Format a device number, such as `makedev(0x1, 0x3)`."""
    return f"makedev({hexadecimal(stat.major(number))}, {hexadecimal(stat.minor(number))})"


def is_special(mode: int) -> bool:
    """Return True if a node with this mode is a device."""
    return stat.kind(mode) in (stat.S_IFCHR, stat.S_IFBLK)


def vector(data: str, size: int) -> str:
    """Format an array of one `struct iovec`, and the length of the array."""
    return f"[{{iov_base={data}, iov_len={size}}}], 1"


def string(data: bytes | None) -> str:
    """Format the bytes that a call has read, or NULL if the call has failed."""
    return "NULL" if data is None else c_string(data)


def timespec(ns: int) -> str:
    """Format a time in nanoseconds as a `struct timespec`."""
    whole, rest = divmod(ns, SECOND)
    return f"{{tv_sec={whole}, tv_nsec={rest}}}"


def signal_name(value: int) -> str:
    """Format a signal, such as `SIGTERM`, or `0`."""
    return _SIGNALS.get(value, str(value))


def _path(path: str) -> str:
    return c_string(path.encode("utf-8", "surrogateescape"), PATH_MAX)


def _mode(value: int) -> str:
    return "|".join(name for bit, name in _MODES if value & bit) or "F_OK"


def _node(value: int) -> str:
    """Format a mode with its file type, as strace's `print_symbolic_mode_t()` does."""
    kind = stat.kind(value)
    if kind not in _KINDS:
        return octal(value)
    special = [name for bit, name in _SPECIAL if value & bit]
    return "|".join([_KINDS[kind], *special, octal(value & 0o777)])


def _stat(result: stat.Stat) -> str:
    size = f"st_size={result.st_size}"
    if is_special(result.st_mode):
        size = f"st_rdev={device(result.st_rdev)}"
    return f"{{st_mode={_node(result.st_mode)}, {size}, ...}}"


def _map(value: int) -> str:
    kind = number(value & mman.MAP_TYPE, _MAP_TYPES, "MAP")
    rest = value & ~mman.MAP_TYPE
    return f"{kind}|{flags(rest, _MAP)}" if rest else kind


def _times(times: tuple[int, int] | None) -> str:
    return "NULL" if times is None else f"[{', '.join(map(timespec, times))}]"


def _handler(handler: object) -> str:
    name = number(handler, _HANDLERS, "SIG") if isinstance(handler, int) else text(handler)
    return f"{{sa_handler={name}}}"


def _utsname(names: Utsname) -> str:
    return f"{{sysname={text(names.sysname)}, nodename={text(names.nodename)}, ...}}"


def _counted(groups: Sequence[int]) -> str:
    return f"{len(groups)}, {list(groups)}"


def _limits(limits: tuple[int, int] | None) -> str:
    return "NULL" if limits is None else "{{rlim_cur={}, rlim_max={}}}".format(*map(_limit, limits))


def _limit(value: int) -> str:
    """Format a resource limit, as strace's `print_rlim64_t()` does."""
    if value == resource.RLIM64_INFINITY:
        return "RLIM64_INFINITY"
    return f"{value // 1024}*1024" if value > 1024 and value % 1024 == 0 else str(value)


PRINTERS: Final[dict[str, Printer]] = {
    "": text,
    "access": _mode,
    "at": set_of(pick(fcntl, "AT_", "SYMLINK_NOFOLLOW SYMLINK_FOLLOW EMPTY_PATH")),
    "buffer": lambda data: f"{c_string(data)}, {len(data)}",
    "clone": set_of(names(sched, "CLONE_")),
    "counted": _counted,
    "dirfd": lambda fd: "AT_FDCWD" if fd == fcntl.AT_FDCWD else str(fd),
    "entries": lambda data: f"NULL /* {len(list(dirent.entries(data)))} entries */",
    "epoll_create": set_of({eventpoll.EPOLL_CLOEXEC: "EPOLL_CLOEXEC"}),
    "eventfd": set_of(names(eventfd, "EFD_")),
    "fd_flags": set_of(_OPEN),
    "futex": one_of(futex, "FUTEX_", "FUTEX_PRIVATE_FLAG"),
    "handler": _handler,
    "hex": hexadecimal,
    "limits": _limits,
    "list": lambda values: str(list(values)),
    "log": lambda result: c_string(result) if isinstance(result, bytes) else "NULL",
    "map": _map,
    "memfd": set_of(names(mman, "MFD_")),
    "msync": set_of(names(mman, "MS_")),
    "node": _node,
    "o_flags": set_of(names(fcntl, "O_")),
    "octal": octal,
    "open": open_flags,
    "path": _path,
    "pointer": lambda address: hexadecimal(address) if address else "NULL",
    "prot": lambda value: flags(value, _PROTECTION) if value else "PROT_NONE",
    "rlimit": one_of(resource, "RLIMIT_"),
    "rename": set_of(names(fcntl, "RENAME_")),
    "seek": one_of(seek, "SEEK_"),
    "shut": one_of(socket, "SHUT_"),
    "signal": signal_name,
    "sockaddr": lambda address: ", ".join(given(address)),
    "stat": _stat,
    "string": c_string,
    "syslog": one_of(syslog, "SYSLOG_ACTION_"),
    "times": _times,
    "timespec": timespec,
    "unlink": set_of(pick(fcntl, "AT_", "REMOVEDIR")),
    "utsname": _utsname,
    "vector": lambda data: vector(c_string(data), len(data)),
}
