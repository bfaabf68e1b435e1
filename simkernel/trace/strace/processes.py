"""System calls on descriptors and tasks with arguments that depend on each other, in the format of strace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simkernel.engine import MILLISECOND
from simkernel.trace.strace import evdev, video
from simkernel.trace.strace.arguments import PRINTERS, open_flags, signal_name, timespec
from simkernel.trace.strace.constants import flags, hexadecimal, names, number, pick
from simkernel.trace.strace.forms import Form, Texts, View, plain
from simkernel.trace.strace.quoting import hexadecimal_string
from simkernel.uapi import fcntl, ioctl, ioctls, poll, wait
from simkernel.uapi.structure import S32
from simkernel.uapi.video.ioctls import VIDIOC_NAMES

_EVENTS: Final = names(poll, "POLL")
_COMMANDS: Final = names(fcntl, "F_")
_ASKING: Final = frozenset(pick(fcntl, "F_", "GETFD GETFL GETOWN GETSIG GETLEASE GETPIPE_SZ GET_SEALS"))
"""Commands of fcntl() that have no argument."""
_FLAGS_OF: Final = {fcntl.F_SETFD: {fcntl.FD_CLOEXEC: "FD_CLOEXEC"}}
_WAIT_FLAGS: Final = pick(wait, "W", "NOHANG UNTRACED CONTINUED")
_IOCTLS: Final = {**names(ioctls, "FIO"), **VIDIOC_NAMES}
_COUNTS: Final = frozenset({ioctls.FIONREAD, ioctls.SIOCOUTQ, ioctls.FIONBIO, ioctls.FIOASYNC})
"""ioctl requests with an argument that points to an int."""
_DIRECTIONS: Final = {ioctl._IOC_READ: "_IOC_READ", ioctl._IOC_WRITE: "_IOC_WRITE"}

Pairs = Sequence[tuple[int, int]]


def _poll(_: View, watched: Pairs, timeout: int | None = None) -> Texts:
    milliseconds = -1 if timeout is None else -(-timeout // MILLISECOND)
    return [_descriptors(watched, "events"), str(len(watched)), str(milliseconds)]


def _poll_result(ready: Pairs, *_: object) -> str:
    return f"{len(ready)} ({_descriptors(ready, 'revents')})" if ready else "0 (Timeout)"


def _descriptors(pairs: Pairs, what: str) -> str:
    return f"[{', '.join(f'{{fd={fd}, {what}={flags(events, _EVENTS)}}}' for fd, events in pairs)}]"


def _select(_: View, sets: Sequence[Sequence[int]], timeout: int | None = None) -> Texts:
    """Format the arguments of pselect6(2), which glibc's select() calls."""
    highest = max((fd for fds in sets for fd in fds), default=-1)
    waits = "NULL" if timeout is None else timespec(timeout)
    return [str(highest + 1), *(_set(fds) if fds else "NULL" for fds in sets), waits, "NULL"]


def _select_result(ready: Sequence[Sequence[int]], *_: object) -> str:
    """Format the ready descriptors. strace also prints the remaining time, which this function omits."""
    parts = [f"{name} {_set(fds)}" for name, fds in zip(("in", "out", "except"), ready, strict=True) if fds]
    return f"{sum(map(len, ready))} ({', '.join(parts)})" if parts else "0 (Timeout)"


def _set(fds: Sequence[int]) -> str:
    return f"[{' '.join(map(str, fds))}]"


def _fcntl_result(result: int, fd: int, command: int, argument: int = 0) -> str:
    """Format the result of fcntl(). For F_GETFL and F_GETFD, print it in hexadecimal and with the names of
    its flags. Print other results as decimal numbers.
    """
    if command == fcntl.F_GETFL:
        return f"{hexadecimal(result)} (flags {open_flags(result)})"
    if command == fcntl.F_GETFD and result:
        return f"{hexadecimal(result)} (flags {flags(result, _FLAGS_OF[fcntl.F_SETFD])})"
    return str(result)


def _fcntl(_: View, fd: int, command: int, argument: int = 0) -> Texts:
    name = number(command, _COMMANDS, "F")
    if command in _ASKING:
        return [str(fd), name]
    if command == fcntl.F_SETFL:
        return [str(fd), name, open_flags(argument)]
    known = _FLAGS_OF.get(command)
    return [str(fd), name, str(argument) if known is None else flags(argument, known)]


def _ioctl(_: View, fd: int, request: int, *__: object) -> Texts:
    return [str(fd), evdev.name(request) or _IOCTLS.get(request) or _unknown_request(request)]


def _unknown_request(request: int) -> str:
    """Format an unknown request by the parts of its number: `_IOC(_IOC_READ, 0x45, 0x99, 0x4)`."""
    direction = ioctl._IOC_DIR(request)
    way = flags(direction, _DIRECTIONS) if direction else "_IOC_NONE"
    parts = ioctl._IOC_TYPE(request), ioctl._IOC_NR(request), ioctl._IOC_SIZE(request)
    return f"_IOC({', '.join([way, *map(hexadecimal, parts)])})"


def _ioctl_argument(_: View, result: object, fd: int, request: int, argument: int | memoryview = 0) -> Texts:
    """Format the argument of an ioctl request, with its value after the call.

    Bytes of unknown format are printed in hexadecimal.
    """
    if (known := evdev.argument(request, argument, result)) is not None:
        return [known]
    if isinstance(argument, int):
        address = ioctl._IOC_SIZE(request)  # a request of size 0 has a plain number as argument
        return [hexadecimal(argument) if address else f"[{int(argument)}]"]
    if request in _COUNTS and len(argument) >= S32.size:
        return [f"[{S32.unpack_from(argument)[0]}]"]
    return [video.argument(request, argument, result is not None) or hexadecimal_string(argument)]


def _wait4(_: View, pid: int = -1, *__: int) -> Texts:
    return [str(pid)]


def _waited(_: View, result: tuple[int, int] | None, pid: int = -1, options: int = 0) -> Texts:
    status = f"[{{{_status(result[1])}}}]" if result and result[0] else "NULL"
    return [status, flags(options, _WAIT_FLAGS), "NULL"]


def _status(status: int) -> str:
    if wait.WIFEXITED(status):
        return f"WIFEXITED(s) && WEXITSTATUS(s) == {wait.WEXITSTATUS(status)}"
    return f"WIFSIGNALED(s) && WTERMSIG(s) == {signal_name(wait.WTERMSIG(status))}"


def _groups(_: View, groups: Sequence[int] | None) -> Texts:
    return ["NULL", "NULL"] if groups is None else [PRINTERS["counted"](groups)]


FORMS: Final = {
    "poll": Form(_poll, result=_poll_result),
    "select": Form(_select, result=_select_result),
    "fcntl": Form(_fcntl, result=_fcntl_result),
    "ioctl": Form(_ioctl, _ioctl_argument),
    "wait4": Form(_wait4, _waited, lambda result, *_: str(result[0])),
    "getgroups": Form(plain, _groups, lambda groups: str(len(groups))),
}
