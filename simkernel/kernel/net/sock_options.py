"""Options of level SOL_SOCKET: a table of the functions that set and read each option.

Sources: sk_setsockopt() and sk_getsockopt() of net/core/sock.c. The results for netlink sockets were
recorded on Linux 6.18. Options that affect only network protocols are stored and returned.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container
from functools import partial
from typing import Final, Literal

import attrs

from simkernel.kernel.net import timestamping
from simkernel.kernel.net.sock import HZ, JIFFY, MAXIMUM_BUFFER, Sock
from simkernel.kernel.net.truesize import SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import capability as cap
from simkernel.uapi import errno
from simkernel.uapi import socket as so
from simkernel.uapi.errno import os_error
from simkernel.uapi.structure import S32

Getter = Callable[[Sock, int], int | bytes]
"""Function that returns an option's value, an int or a packed structure. Arguments: socket, caller's buffer
size.
"""
Setter = Callable[[Sock, "Task", int, bytes], None]
"""Function that sets an option. Arguments: the socket, the calling task, the value as an int, the value as
bytes.
"""

INT_MAX: Final = 2**31 - 1
MAX_SCHEDULE_TIMEOUT: Final = 2**63 - 1
SNDBUF_LOCK: Final = 1
RCVBUF_LOCK: Final = 2
BPF_EXTENSIONS: Final = 64
"""Number of ancillary loads that a filter program can use (SKF_AD_MAX)."""
IFNAMSIZ: Final = 16
CLOCK_MONOTONIC: Final = 1
CLOCKS: Final = (0, CLOCK_MONOTONIC, 11)
"""Clock ids that SO_TXTIME accepts: CLOCK_REALTIME, CLOCK_MONOTONIC and CLOCK_TAI
(`sockopt_validate_clockid()`).
"""

_LINGER = struct.Struct("<ii")
_TIMEVAL = struct.Struct("<qq")
_PAIR = struct.Struct("<iI")
_U64 = struct.Struct("<Q")


@attrs.frozen
class Option:
    """A socket option with the functions that read and set it. If `get` or `set` is an errno instead of a
    function, the call fails with this errno.
    """

    get: Getter | int = errno.ENOPROTOOPT
    set: Setter | int = errno.ENOPROTOOPT


def set_option(sock: Sock, task: Task, number: int, value: bytes) -> None:
    """Set an option of level SOL_SOCKET (setsockopt(2), `sk_setsockopt()`)."""
    if number == so.SO_BINDTODEVICE:
        _bind_to_device(sock, task, value)
        return
    if len(value) < 4:
        raise os_error(errno.EINVAL)
    setter = OPTIONS.get(number, _UNKNOWN).set
    if isinstance(setter, int):
        raise os_error(setter)
    setter(sock, task, S32.unpack_from(value)[0], value)


def get_option(sock: Sock, number: int, length: int) -> bytes:
    """Return at most `length` bytes of an option of level SOL_SOCKET (getsockopt(2), `sk_getsockopt()`)."""
    if length < 0:
        raise os_error(errno.EINVAL)
    getter = OPTIONS.get(number, _UNKNOWN).get
    if isinstance(getter, int):
        raise os_error(getter)
    value = getter(sock, length)
    return (S32.pack(value) if isinstance(value, int) else value)[:length]


def _require(task: Task, *capabilities: int, error: int = errno.EPERM) -> None:
    """Raise `error` unless the task has one of the `capabilities`."""
    if not any(task.credentials.capable(each) for each in capabilities):
        raise os_error(error)


# -- kinds of options -------------------------------------------------------


Check = Callable[["Task", int], None]
"""Function that raises an error if the task may not set the option to the value. Arguments: task, value."""


def _flag(number: int, check: Check | None = None) -> Option:
    """Return an `Option` that stores 0 or 1. Setting any non-zero value stores 1."""

    def set(sock: Sock, task: Task, value: int, raw: bytes) -> None:
        if check is not None:
            check(task, value)
        sock.set_option(number, value != 0)

    return Option(lambda sock, _: sock.option(number), set)


def _stored(
    number: int, default: int = 0, check: Check | None = None, setter: Setter | None = None
) -> Option:
    """Return an `Option` that accepts any value. Reading it returns the stored value, or `default` if none is
    stored.
    """

    def get(sock: Sock, _: int) -> int:
        return default if sock.options is None else sock.options.get(number, default)

    def set(sock: Sock, task: Task, value: int, raw: bytes) -> None:
        if check is not None:
            check(task, value)
        sock.set_option(number, value)

    return Option(get, setter or set)


def _needs(*capabilities: int, unless: Container[int] = (), error: int = errno.EPERM) -> Check:
    """Return a function that checks a new option value. The function raises `error` if the task has none of
    `capabilities`. A value in the container `unless` is allowed without capability.
    """

    def check(task: Task, value: int) -> None:
        if value not in unless:
            _require(task, *capabilities, error=error)

    return check


def _within(allowed: Container[int]) -> Check:
    """Return a function that raises EINVAL if the new option value is not in `allowed`."""

    def check(task: Task, value: int) -> None:
        if value not in allowed:
            raise os_error(errno.EINVAL)

    return check


def _ignored_setter(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    """Setter that accepts and ignores any value, because the option has no effect on a netlink socket."""


# -- buffers ----------------------------------------------------------------


def _buffer(slot: Literal["rcvbuf", "sndbuf"], lock: int, minimum: int, *, force: bool) -> Setter:
    """Return the setter for the size of the receive buffer or of the send buffer (`__sock_set_rcvbuf()`).

    It sets twice the value, as on Linux, to leave space for the overhead of buffers. Unless `force` is
    set, the value is interpreted as unsigned and limited to `MAXIMUM_BUFFER`.
    """

    def set(sock: Sock, task: Task, value: int, raw: bytes) -> None:
        if force:
            _require(task, cap.CAP_NET_ADMIN)
            value = max(value, 0)
        else:
            value = min(value & 0xFFFFFFFF, MAXIMUM_BUFFER)
        sock.set_option(so.SO_BUF_LOCK, sock.option(so.SO_BUF_LOCK) | lock)
        setattr(sock, slot, max(min(value, INT_MAX // 2) * 2, minimum))
        if slot == "sndbuf":
            sock.write_space()

    return set


_send_buffer = partial(_buffer, "sndbuf", SNDBUF_LOCK, SOCK_MIN_SNDBUF)
_receive_buffer = partial(_buffer, "rcvbuf", RCVBUF_LOCK, SOCK_MIN_RCVBUF)


def _memory(sock: Sock, length: int) -> bytes:
    """Return the memory counters of a socket (SO_MEMINFO, `sk_get_meminfo()`)."""
    return struct.pack("<9I", sock.rmem, sock.rcvbuf, sock.wmem, sock.sndbuf, 0, 0, 0, 0, sock.drops)


# -- timeouts ---------------------------------------------------------------


def _timeout(slot: Literal["rcvtimeo", "sndtimeo"]) -> Option:
    """Return an `Option` for a timeout. It stores the timeout in ticks, rounded up (`sock_set_timeout()`)."""

    def set(sock: Sock, task: Task, value: int, raw: bytes) -> None:
        if len(raw) < _TIMEVAL.size:
            raise os_error(errno.EINVAL)
        seconds, micros = _TIMEVAL.unpack_from(raw)
        if not 0 <= micros < 1_000_000:
            raise os_error(errno.EDOM)
        if seconds < 0:
            ticks: int | None = 0
        elif (seconds or micros) and seconds < MAX_SCHEDULE_TIMEOUT // HZ - 1:
            ticks = seconds * HZ + -(-micros // (1_000_000 // HZ))
        else:
            ticks = None
        setattr(sock, slot, None if ticks is None else ticks * JIFFY)

    def get(sock: Sock, length: int) -> bytes:
        ns: int | None = getattr(sock, slot)
        return _TIMEVAL.pack(*divmod((ns or 0) // 1000, 1_000_000))

    return Option(get, set)


# -- privileged and checked values --------------------------------------------


def _low_water_mark(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    sock.set_option(so.SO_RCVLOWAT, INT_MAX if value < 0 else value or 1)


def _reuse_port(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    if value:
        raise os_error(errno.EOPNOTSUPP)


def _busy_poll_budget(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    if value > sock.option(so.SO_BUSY_POLL_BUDGET):
        _require(task, cap.CAP_NET_ADMIN)
    if not 0 <= value <= 0xFFFF:
        raise os_error(errno.EINVAL)
    sock.set_option(so.SO_BUSY_POLL_BUDGET, value)


def _pacing_rate(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    rate = 2**64 - 1 if value == -1 else value & 0xFFFFFFFF
    if len(raw) >= 8:
        (rate,) = _U64.unpack_from(raw)
    sock.set_option(so.SO_MAX_PACING_RATE, rate)


def _get_pacing_rate(sock: Sock, length: int) -> bytes:
    rate = sock.options.get(so.SO_MAX_PACING_RATE, 2**64 - 1) if sock.options else 2**64 - 1
    return _U64.pack(rate) if length >= 8 else struct.pack("<I", min(rate, 2**32 - 1))


def _reserve_memory(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    raise os_error(errno.EOPNOTSUPP if value >= 0 else errno.EINVAL)


def _linger(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    if len(raw) < _LINGER.size:
        raise os_error(errno.EINVAL)
    on, seconds = _LINGER.unpack_from(raw)
    sock.set_option(so.SO_LINGER, on != 0)
    if on:
        limit = MAX_SCHEDULE_TIMEOUT // HZ
        sock.set_option(_LINGER_TIME, seconds if 0 <= seconds < limit else limit)


def _get_linger(sock: Sock, length: int) -> bytes:
    seconds = sock.option(_LINGER_TIME) & 0xFFFFFFFF
    return struct.pack("<iI", sock.option(so.SO_LINGER), seconds)


def _transmit_time(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    if len(raw) != _PAIR.size:
        raise os_error(errno.EINVAL)
    clock, flags = _PAIR.unpack(raw)
    if flags & ~3:
        raise os_error(errno.EINVAL)
    if clock != CLOCK_MONOTONIC:
        _require(task, cap.CAP_NET_ADMIN)
    if clock not in CLOCKS:
        raise os_error(errno.EINVAL)
    sock.set_option(so.SO_TXTIME, clock)
    sock.set_option(_TXTIME_FLAGS, flags)


def _get_transmit_time(sock: Sock, length: int) -> bytes:
    return _PAIR.pack(sock.option(so.SO_TXTIME), sock.option(_TXTIME_FLAGS))


# -- devices ----------------------------------------------------------------


def _bind_to_index(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    """Bind the socket to the device with an index. Changing an existing binding needs CAP_NET_RAW
    (`sock_bindtoindex_locked()`).
    """
    if sock.option(so.SO_BINDTOIFINDEX):
        _require(task, cap.CAP_NET_RAW)
    if value < 0:
        raise os_error(errno.EINVAL)
    sock.set_option(so.SO_BINDTOIFINDEX, value)


def _bind_to_device(sock: Sock, task: Task, value: bytes) -> None:
    """Bind the socket to a device by name (`sock_setbindtodevice()`). The name can lack its NUL."""
    name = value[: IFNAMSIZ - 1].split(b"\0", 1)[0].decode("latin-1")
    index = 0
    if name:
        device = sock.net.device_named(name)
        if device is None:
            raise os_error(errno.ENODEV)
        index = device.index
    _bind_to_index(sock, task, index, value)


def _get_bound_device(sock: Sock, length: int) -> bytes:
    index = sock.option(so.SO_BINDTOIFINDEX)
    if not index:
        return b""
    if length < IFNAMSIZ:
        raise os_error(errno.EINVAL)
    device = sock.net.devices.get(index)
    if device is None:
        raise os_error(errno.ENODEV)
    return device.name.encode("utf-8", "surrogateescape") + b"\0"


# -- filters ----------------------------------------------------------------


def _attach_filter(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    """Raise EFAULT, because `struct sock_fprog` contains a pointer to the instructions and the kernel cannot
    read the memory at this pointer. Raise EINVAL if the structure has a wrong size.

    Programs of the simulation call `Sock.attach_filter()` instead.
    """
    raise os_error(errno.EFAULT if len(raw) == 16 else errno.EINVAL)


def _detach_filter(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    if sock.option(so.SO_LOCK_FILTER):
        raise os_error(errno.EPERM)
    if sock.filter is None:
        raise os_error(errno.ENOENT)
    sock.filter = None
    sock.changed()


def _lock_filter(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    if sock.option(so.SO_LOCK_FILTER) and not value:
        raise os_error(errno.EPERM)
    sock.set_option(so.SO_LOCK_FILTER, value != 0)


def _get_filter(sock: Sock, length: int) -> bytes:
    """Return the instructions of the socket's filter (`sk_get_filter()`). The parameter `length` counts
    instructions, not bytes, as on Linux.
    """
    if sock.filter is None:
        return b""
    count = len(sock.filter)
    if 0 < length < count:
        raise os_error(errno.EINVAL)
    return sock.filter.code[:count]


def _attach_bpf(sock: Sock, task: Task, value: int, raw: bytes) -> None:
    """Fail, because simkernel has no BPF programs (`__get_bpf()`). The error is EPERM if SO_LOCK_FILTER is
    set, EBADF if `value` is not an open descriptor, and EINVAL in all other cases.
    """
    if len(raw) != 4:
        raise os_error(errno.EINVAL)
    if sock.option(so.SO_LOCK_FILTER):
        raise os_error(errno.EPERM)
    task.files.get(value)
    raise os_error(errno.EINVAL)


# -- identity -----------------------------------------------------------------


def _peer_name(sock: Sock, length: int) -> bytes:
    name = sock.getpeername_bytes()
    if length > len(name):
        raise os_error(errno.EINVAL)
    return name


def _cookie(sock: Sock, length: int) -> bytes:
    if length < 8:
        raise os_error(errno.EINVAL)
    return _U64.pack(sock.cookie())


def _net_cookie(sock: Sock, length: int) -> bytes:
    if length != 8:
        raise os_error(errno.EINVAL)
    return _U64.pack(sock.net.cookie)


_LINGER_TIME: Final = -so.SO_LINGER
_TXTIME_FLAGS: Final = -so.SO_TXTIME
"""Keys under which `Sock.options` stores the time of SO_LINGER and the flags of SO_TXTIME."""

NO_PEER: Final = (0, 2**32 - 1, 2**32 - 1)

_UNKNOWN = Option()
_REFUSED = Option(errno.EOPNOTSUPP, errno.EOPNOTSUPP)

OPTIONS: Final[dict[int, Option]] = {
    so.SO_DEBUG: _flag(so.SO_DEBUG, _needs(cap.CAP_NET_ADMIN, unless=(0,), error=errno.EACCES)),
    so.SO_TYPE: Option(lambda sock, _: sock.type),
    so.SO_ERROR: Option(lambda sock, _: sock.take_error()),
    so.SO_SNDBUF: Option(lambda sock, _: sock.sndbuf, _send_buffer(force=False)),
    so.SO_RCVBUF: Option(lambda sock, _: sock.rcvbuf, _receive_buffer(force=False)),
    so.SO_SNDBUFFORCE: Option(set=_send_buffer(force=True)),
    so.SO_RCVBUFFORCE: Option(set=_receive_buffer(force=True)),
    so.SO_PRIORITY: _stored(
        so.SO_PRIORITY, check=_needs(cap.CAP_NET_RAW, cap.CAP_NET_ADMIN, unless=range(7))
    ),
    so.SO_LINGER: Option(_get_linger, _linger),
    so.SO_BSDCOMPAT: Option(lambda sock, _: 0, _ignored_setter),
    so.SO_REUSEPORT: Option(lambda sock, _: 0, _reuse_port),
    so.SO_PEERCRED: Option(lambda sock, _: so.Ucred(*(sock.peer_creds or NO_PEER)).pack()),
    so.SO_RCVLOWAT: _stored(so.SO_RCVLOWAT, 1, setter=_low_water_mark),
    so.SO_SNDLOWAT: Option(lambda sock, _: 1),
    so.SO_RCVTIMEO: _timeout("rcvtimeo"),
    so.SO_SNDTIMEO: _timeout("sndtimeo"),
    so.SO_RCVTIMEO_NEW: _timeout("rcvtimeo"),
    so.SO_SNDTIMEO_NEW: _timeout("sndtimeo"),
    so.SO_BINDTODEVICE: Option(_get_bound_device),
    so.SO_ATTACH_FILTER: Option(_get_filter, _attach_filter),
    so.SO_DETACH_FILTER: Option(set=_detach_filter),
    so.SO_PEERNAME: Option(_peer_name),
    so.SO_ACCEPTCONN: Option(lambda sock, _: int(sock.accepts)),
    so.SO_MARK: _stored(so.SO_MARK, check=_needs(cap.CAP_NET_RAW, cap.CAP_NET_ADMIN)),
    so.SO_PROTOCOL: Option(lambda sock, _: sock.protocol),
    so.SO_DOMAIN: Option(lambda sock, _: sock.family),
    so.SO_PEEK_OFF: _REFUSED,
    so.SO_LOCK_FILTER: Option(_flag(so.SO_LOCK_FILTER).get, _lock_filter),
    so.SO_BUSY_POLL: _stored(so.SO_BUSY_POLL, check=_within(range(INT_MAX + 1))),
    so.SO_MAX_PACING_RATE: Option(_get_pacing_rate, _pacing_rate),
    so.SO_BPF_EXTENSIONS: Option(lambda sock, _: BPF_EXTENSIONS),
    so.SO_INCOMING_CPU: _stored(so.SO_INCOMING_CPU, -1),
    so.SO_ATTACH_BPF: Option(set=_attach_bpf),
    so.SO_ATTACH_REUSEPORT_CBPF: Option(set=_attach_filter),
    so.SO_ATTACH_REUSEPORT_EBPF: Option(set=_attach_bpf),
    so.SO_CNX_ADVICE: Option(set=_ignored_setter),
    so.SO_MEMINFO: Option(_memory),
    so.SO_INCOMING_NAPI_ID: Option(lambda sock, _: 0),
    so.SO_COOKIE: Option(_cookie),
    so.SO_PEERGROUPS: Option(errno.ENODATA),
    so.SO_ZEROCOPY: Option(lambda sock, _: 0, errno.EOPNOTSUPP),
    so.SO_TXTIME: Option(_get_transmit_time, _transmit_time),
    so.SO_BINDTOIFINDEX: _stored(so.SO_BINDTOIFINDEX, setter=_bind_to_index),
    so.SO_DETACH_REUSEPORT_BPF: Option(set=errno.EINVAL),
    so.SO_PREFER_BUSY_POLL: _flag(so.SO_PREFER_BUSY_POLL, _needs(cap.CAP_NET_ADMIN, unless=(0,))),
    so.SO_BUSY_POLL_BUDGET: Option(set=_busy_poll_budget),
    so.SO_NETNS_COOKIE: Option(_net_cookie),
    so.SO_BUF_LOCK: _stored(so.SO_BUF_LOCK, check=_within(range((SNDBUF_LOCK | RCVBUF_LOCK) + 1))),
    so.SO_RESERVE_MEM: Option(lambda sock, _: 0, _reserve_memory),
    so.SO_TXREHASH: _REFUSED,
    so.SO_PASSPIDFD: _REFUSED,
    so.SO_PEERPIDFD: Option(errno.ENODATA),
    so.SO_DEVMEM_DONTNEED: Option(set=errno.EBADF),
    so.SO_PASSRIGHTS: _REFUSED,
    **{
        number: _flag(number)
        for number in (
            so.SO_REUSEADDR,
            so.SO_DONTROUTE,
            so.SO_BROADCAST,
            so.SO_KEEPALIVE,
            so.SO_OOBINLINE,
            so.SO_NO_CHECK,
            so.SO_PASSCRED,
            so.SO_PASSSEC,
            so.SO_RXQ_OVFL,
            so.SO_WIFI_STATUS,
            so.SO_NOFCS,
            so.SO_SELECT_ERR_QUEUE,
            so.SO_RCVMARK,
            so.SO_RCVPRIORITY,
        )
    },
    **{number: Option(*functions) for number, functions in timestamping.OPTIONS.items()},
}
