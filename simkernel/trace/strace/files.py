"""Calls on files and mapped memory as strace prints them.

Source: what strace 6.13 prints on Linux; its lines are in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from simkernel.engine import MILLISECOND
from simkernel.trace.strace.constants import Names, flags, hexadecimal, names, number, pick
from simkernel.trace.strace.forms import Form, Texts, View, text
from simkernel.trace.strace.quoting import c_string
from simkernel.uapi import dirent, eventfd, eventpoll, fcntl, mman, seek, stat

_ACCESS: Final = pick(fcntl, "O_", "RDONLY WRONLY RDWR")
_OPEN: Final = pick(
    fcntl,
    "O_",
    "CREAT EXCL NOCTTY TRUNC APPEND NONBLOCK SYNC DSYNC ASYNC DIRECT LARGEFILE NOFOLLOW NOATIME CLOEXEC PATH "
    "TMPFILE DIRECTORY",
)
_AT: Final = pick(fcntl, "AT_", "SYMLINK_NOFOLLOW SYMLINK_FOLLOW EMPTY_PATH")
_REMOVE: Final = pick(fcntl, "AT_", "REMOVEDIR")
_RENAME: Final = names(fcntl, "RENAME_")
_WHENCE: Final = names(seek, "SEEK_")
_KINDS: Final = names(stat, "S_IF", "S_IFMT")
_SPECIAL: Final = ((stat.S_ISUID, "S_ISUID"), (stat.S_ISGID, "S_ISGID"), (stat.S_ISVTX, "S_ISVTX"))
_PROTECTION: Final = names(mman, "PROT_", "PROT_NONE")
_MAP_TYPES: Final = pick(mman, "MAP_", "SHARED PRIVATE SHARED_VALIDATE")
_MAP: Final = names(mman, "MAP_", *_MAP_TYPES.values(), "MAP_TYPE")
_SYNC: Final = names(mman, "MS_")
_MEMFD: Final = names(mman, "MFD_")
_EVENTFD: Final = names(eventfd, "EFD_")
_EPOLL: Final = names(eventpoll, "EPOLL", "EPOLL_")
_EPOLL_CTL: Final = names(eventpoll, "EPOLL_CTL_")
_MODES: Final = ((4, "R_OK"), (2, "W_OK"), (1, "X_OK"))
"""access(2)'s, in strace's order."""

PATH_MAX: Final = 4096
"""Paths are shown whole."""

Argument = Callable[[Any], str]


def _arguments(*forms: Argument) -> Callable[..., Texts]:
    """How each argument is printed, in order; those that are left out are not."""

    def enter(_: View, *arguments: object) -> Texts:
        return [form(argument) for form, argument in zip(forms, arguments, strict=False)]

    return enter


def _directory(fd: int) -> str:
    return "AT_FDCWD" if fd == fcntl.AT_FDCWD else str(fd)


def _whole(path: str) -> str:
    return c_string(path.encode("utf-8", "surrogateescape"), PATH_MAX)


def _octal(mode: int) -> str:
    return f"0{mode:o}".zfill(3)


def _of(known: Names) -> Argument:
    return lambda value: flags(value, known)


def open_flags(value: int) -> str:
    """`O_RDWR|O_NONBLOCK`: how a file is open."""
    access = number(value & fcntl.O_ACCMODE, _ACCESS, "O")
    rest = value & ~fcntl.O_ACCMODE
    return f"{access}|{flags(rest, _OPEN)}" if rest else access


def _openat(_: View, dirfd: int, path: str, flags_: int, mode: int = 0) -> Texts:
    makes = flags_ & fcntl.O_CREAT or flags_ & fcntl.O_TMPFILE == fcntl.O_TMPFILE
    return [_directory(dirfd), _whole(path), open_flags(flags_), *([_octal(mode)] if makes else [])]


def _mode(value: int) -> str:
    return "|".join(name for bit, name in _MODES if value & bit) or "F_OK"


def _node(value: int) -> str:
    """A mode with its kind (`print_symbolic_mode_t()`)."""
    kind = stat.kind(value)
    if kind not in _KINDS:
        return _octal(value)
    special = [name for bit, name in _SPECIAL if value & bit]
    return "|".join([_KINDS[kind], *special, _octal(value & 0o777)])


def _mknodat(view: View, dirfd: int, path: str, mode: int, device: int = 0) -> Texts:
    special = stat.kind(mode) in (stat.S_IFCHR, stat.S_IFBLK)
    return [_directory(dirfd), _whole(path), _node(mode), *([_device(device)] if special else [])]


def _device(device: int) -> str:
    return f"makedev({hexadecimal(stat.major(device))}, {hexadecimal(stat.minor(device))})"


def _stat(result: stat.Stat | None) -> str:
    if result is None:
        return "NULL"
    special = stat.kind(result.st_mode) in (stat.S_IFCHR, stat.S_IFBLK)
    size = f"st_rdev={_device(result.st_rdev)}" if special else f"st_size={result.st_size}"
    return f"{{st_mode={_node(result.st_mode)}, {size}, ...}}"


def _filled(data: bytes | None) -> str:
    """What a call has read; NULL stands for the pointer where it has failed."""
    return "NULL" if data is None else c_string(data)


def _entries(data: bytes | None) -> str:
    return "NULL" if data is None else f"NULL /* {len(list(dirent.entries(data)))} entries */"


def _length(result: bytes, *_: object) -> str:
    return str(len(result))


def _vector(data: str, size: int) -> Texts:
    return [f"[{{iov_base={data}, iov_len={size}}}]", "1"]


def _mmap(_: View, address: int, length: int, prot: int, flags_: int, fd: int, offset: int) -> Texts:
    kind = number(flags_ & mman.MAP_TYPE, _MAP_TYPES, "MAP")
    rest = flags_ & ~mman.MAP_TYPE
    return [
        hexadecimal(address) if address else "NULL",
        str(length),
        flags(prot, _PROTECTION) if prot else "PROT_NONE",
        f"{kind}|{flags(rest, _MAP)}" if rest else kind,
        str(fd),
        hexadecimal(offset),
    ]


def _times(times: tuple[int, int] | None) -> str:
    if times is None:
        return "NULL"
    seconds = (divmod(each, 1_000_000_000) for each in times)
    return f"[{', '.join(f'{{tv_sec={whole}, tv_nsec={rest}}}' for whole, rest in seconds)}]"


def _epoll_ctl(_: View, epfd: int, operation: int, fd: int, events: int = 0, data: int = 0) -> Texts:
    event = f"{{events={flags(events, _EPOLL)}, data={hexadecimal(data)}}}"
    gone = operation == eventpoll.EPOLL_CTL_DEL
    return [str(epfd), number(operation, _EPOLL_CTL, "EPOLL_CTL"), str(fd), "NULL" if gone else event]


def _epoll_events(
    _: View, ready: Sequence[tuple[int, int]] | None, epfd: int, room: int, timeout: int | None = None
) -> Texts:
    milliseconds = -1 if timeout is None else -(-timeout // MILLISECOND)
    events = (f"{{events={flags(events, _EPOLL)}, data={hexadecimal(data)}}}" for events, data in ready or ())
    return ["NULL" if ready is None else f"[{', '.join(events)}]", str(room), str(milliseconds)]


def _fd(_: View, fd: int, *__: object) -> Texts:
    return [str(fd)]


def _path(_: View, dirfd: int, path: str, *__: object) -> Texts:
    return [_directory(dirfd), _whole(path)]


_AT_PATH: Final = (_directory, _whole)
_FLAGS_AT: Final = _of(_AT)

FORMS: Final = {
    "openat": Form(_openat),
    "newfstatat": Form(_path, lambda _, result, fd, path, flags_=0: [_stat(result), flags(flags_, _AT)]),
    "fstat": Form(_fd, lambda _, result, fd: [_stat(result)]),
    "getdents64": Form(
        _fd,
        lambda _, result, fd, size: [_entries(result), str(size)],
        _length,
    ),
    "readlinkat": Form(
        _path,
        lambda _, result, fd, path, size=4096: ["NULL" if result is None else text(result), str(size)],
        lambda result, *_: str(len(result.encode("utf-8", "surrogateescape"))),
    ),
    "faccessat": Form(_arguments(*_AT_PATH, _mode, _FLAGS_AT), name="faccessat2"),
    "mkdirat": Form(_arguments(*_AT_PATH, _octal)),
    "mknodat": Form(_mknodat),
    "symlinkat": Form(_arguments(_whole, *_AT_PATH)),
    "linkat": Form(_arguments(*_AT_PATH, *_AT_PATH, _FLAGS_AT)),
    "unlinkat": Form(_arguments(*_AT_PATH, _of(_REMOVE))),
    "renameat2": Form(_arguments(*_AT_PATH, *_AT_PATH, _of(_RENAME))),
    "fchmodat": Form(_arguments(*_AT_PATH, _octal)),
    "fchmod": Form(_arguments(str, _octal)),
    "fchownat": Form(_arguments(*_AT_PATH, str, str, _FLAGS_AT)),
    "utimensat": Form(_arguments(*_AT_PATH, _times, _FLAGS_AT)),
    "chdir": Form(_arguments(_whole)),
    "chroot": Form(_arguments(_whole)),
    "truncate": Form(_arguments(_whole, str)),
    "umask": Form(_arguments(_octal), result=lambda result, *_: _octal(result)),
    "getcwd": Form(
        lambda *_: [],
        lambda _, result, size=4096: ["NULL" if result is None else _whole(result), str(size)],
        lambda result, *_: str(len(result) + 1),
    ),
    "read": Form(_fd, lambda _, result, fd, size: [_filled(result), str(size)], _length),
    "readv": Form(_fd, lambda _, result, fd, sizes: _vector(_filled(result), sum(sizes)), _length),
    "pread64": Form(
        _fd, lambda _, result, fd, size, at: [_filled(result), str(size), str(at)], _length
    ),
    "write": Form(lambda _, fd, data: [str(fd), c_string(data), str(len(data))]),
    "writev": Form(lambda _, fd, data: [str(fd), *_vector(c_string(data), len(data))]),
    "pwrite64": Form(lambda _, fd, data, at: [str(fd), c_string(data), str(len(data)), str(at)]),
    "lseek": Form(_arguments(str, str, lambda whence: number(whence, _WHENCE, "SEEK"))),
    "mmap": Form(_mmap, result=lambda result, *_: hexadecimal(int(result))),
    "munmap": Form(_arguments(hexadecimal, str)),
    "msync": Form(_arguments(hexadecimal, str, _of(_SYNC))),
    "memfd_create": Form(_arguments(text, _of(_MEMFD))),
    "dup3": Form(_arguments(str, str, _of(_OPEN))),
    "pipe2": Form(
        lambda *_: [],
        lambda _, ends, flags_=0: ["NULL" if ends is None else str(list(ends)), flags(flags_, _OPEN)],
        lambda *_: "0",
    ),
    "eventfd2": Form(_arguments(str, _of(_EVENTFD))),
    "epoll_create1": Form(_arguments(_of({eventpoll.EPOLL_CLOEXEC: "EPOLL_CLOEXEC"}))),
    "epoll_ctl": Form(_epoll_ctl),
    "epoll_wait": Form(_fd, _epoll_events, lambda ready, *_: str(len(ready))),
}  # fmt: skip
