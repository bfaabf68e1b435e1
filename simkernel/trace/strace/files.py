"""System calls on files with arguments that depend on each other, in the format of strace.

Source: the output of strace 6.13 on Linux, which is in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simkernel.engine import MILLISECOND
from simkernel.trace.strace.arguments import PRINTERS, device, is_special, octal, open_flags, string, vector
from simkernel.trace.strace.constants import flags, hexadecimal, names, number
from simkernel.trace.strace.forms import Form, Texts, View, fd_only
from simkernel.uapi import eventpoll, fcntl

_EPOLL: Final = names(eventpoll, "EPOLL", "EPOLL_")
_EPOLL_CTL: Final = names(eventpoll, "EPOLL_CTL_")


def _at(dirfd: int, path: str) -> Texts:
    return [PRINTERS["dirfd"](dirfd), PRINTERS["path"](path)]


def _openat(_: View, dirfd: int, path: str, flags_: int, mode: int = 0) -> Texts:
    makes = flags_ & fcntl.O_CREAT or flags_ & fcntl.O_TMPFILE == fcntl.O_TMPFILE
    return [*_at(dirfd, path), open_flags(flags_), *([octal(mode)] if makes else [])]


def _mknodat(_: View, dirfd: int, path: str, mode: int, number: int = 0) -> Texts:
    return [*_at(dirfd, path), PRINTERS["node"](mode), *([device(number)] if is_special(mode) else [])]


def _event(events: int, data: int) -> str:
    return f"{{events={flags(events, _EPOLL)}, data={hexadecimal(data)}}}"


def _epoll_ctl(_: View, epfd: int, operation: int, fd: int, events: int = 0, data: int = 0) -> Texts:
    event = "NULL" if operation == eventpoll.EPOLL_CTL_DEL else _event(events, data)
    return [str(epfd), number(operation, _EPOLL_CTL, "EPOLL_CTL"), str(fd), event]


def _epoll_events(
    _: View, ready: Sequence[tuple[int, int]] | None, epfd: int, maxevents: int, timeout: int | None = None
) -> Texts:
    milliseconds = -1 if timeout is None else -(-timeout // MILLISECOND)
    events = "NULL" if ready is None else f"[{', '.join(_event(*each) for each in ready)}]"
    return [events, str(maxevents), str(milliseconds)]


FORMS: Final = {
    "openat": Form(_openat),
    "mknodat": Form(_mknodat),
    "readv": Form(
        fd_only,
        lambda _, result, fd, sizes: [vector(string(result), sum(sizes))],
        lambda result, *_: str(len(result)),
    ),
    "epoll_ctl": Form(_epoll_ctl),
    "epoll_wait": Form(fd_only, _epoll_events, lambda ready, *_: str(len(ready))),
}
