"""Sets of random arguments: meaningful values and values near them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import Any, Final

from simkernel.uapi import netlink as nl
from simkernel.uapi import socket as so
from tests.conformance.live.steps import PID, Port

PORTS: Final = (1, 2, 77, 0x41000001, 0x41000002, 0x7FFFFFFF, 0xFFFFF001, 0xFFFFFFFF)
"""Explicit port ids. A kernel never chooses one of them."""

GROUP_MASKS: Final = (1, 1, 2, 2, 3, 4, 6, 8, 0x10, 0x80000000, 0xFFFFFFFF)
GROUPS: Final = (1, 1, 1, 2, 2, 3, 4, 5, 16, 17, 31, 32)
ODD_GROUPS: Final = (0, 33, 34, 37, 38, 39, 63, 64, 65, 96, 200, -1, 2**31 - 1)

TYPES: Final = (so.SOCK_RAW, so.SOCK_DGRAM)
ODD_TYPES: Final = (0, 1, 4, 5, 6, 10, 11, 15)
TYPE_FLAGS: Final = (0, 0, so.SOCK_NONBLOCK, so.SOCK_CLOEXEC, so.SOCK_NONBLOCK | so.SOCK_CLOEXEC)
ODD_TYPE_FLAGS: Final = (0x10, 0o1000, 1 << 20)
ODD_PROTOCOLS: Final = (1, 3, 14, 22, 23, 30, 31, 32, 33, 1000, -1, -2)

SIZES: Final = (0, 1, 2, 4, 15, 16, 17, 20, 36, 100, 255, 256, 257, 500, 576, 600, 704, 705, 1000)
LARGE_SIZES: Final = (1728, 1729, 3520, 3776, 3777, 4096, 7872, 7873, 8000, 16000, 33000, 70000)
TOO_LARGE: Final = (212959, 212960, 212961, 213000, 500_000)

BUFFERS: Final = (0, 1, 1152, 2304, 2305, 4096, 8192, 16384, 65536, 212992)
CONTROLLENS: Final = (0, 0, 0, 8, 15, 16, 17, 20, 20, 20, 24, 24, 24, 28, 32, 48, 56, 100, 200)
READS: Final = (0, 1, 4, 16, 20, 100, 1000, 4096, 8192, 16384, 32768, 65536, 65536, 65536)

SEND_FLAGS: Final = (
    so.MSG_DONTROUTE,
    so.MSG_EOR,
    so.MSG_CONFIRM,
    so.MSG_NOSIGNAL,
    so.MSG_MORE,
    *(so.MSG_OOB,) * 6,
    so.MSG_TRUNC,
    so.MSG_ZEROCOPY,
    so.MSG_FASTOPEN,
    so.MSG_PROBE,
    so.MSG_SYN,
    so.MSG_RST,
    so.MSG_BATCH,
    so.MSG_ERRQUEUE,
    so.MSG_PEEK,
)
RECEIVE_FLAGS: Final = (
    so.MSG_PEEK,
    so.MSG_PEEK,
    so.MSG_TRUNC,
    so.MSG_TRUNC,
    so.MSG_PEEK | so.MSG_TRUNC,
    so.MSG_WAITALL,
    *(so.MSG_OOB,) * 3,
    so.MSG_CMSG_CLOEXEC,
    so.MSG_NOSIGNAL,
    so.MSG_CTRUNC,
    so.MSG_WAITFORONE,
    so.MSG_ERRQUEUE,
    so.MSG_DONTROUTE,
)

SWITCHES: Final = (
    nl.NETLINK_PKTINFO,
    nl.NETLINK_BROADCAST_ERROR,
    nl.NETLINK_NO_ENOBUFS,
    nl.NETLINK_LISTEN_ALL_NSID,
    nl.NETLINK_CAP_ACK,
    nl.NETLINK_EXT_ACK,
    nl.NETLINK_GET_STRICT_CHK,
)
MEMBERSHIPS: Final = (nl.NETLINK_ADD_MEMBERSHIP, nl.NETLINK_ADD_MEMBERSHIP, nl.NETLINK_DROP_MEMBERSHIP)
ODD_OPTIONS: Final = (0, 6, 7, 9, 13, 14, 99, -1)

POINTERS: Final = frozenset({so.SO_ATTACH_FILTER, so.SO_ATTACH_REUSEPORT_CBPF})
"""Options whose value contains a pointer to the program's memory. The search sets them only to zeros.

The search never reads them: for SO_GET_FILTER, the kernel takes the buffer size as a number of instructions,
so it would write beyond the end of Python's buffer.
"""
DESCRIPTORS: Final = frozenset({so.SO_ATTACH_BPF, so.SO_ATTACH_REUSEPORT_EBPF})
"""Options whose value is a file descriptor. The search passes only descriptors that are closed."""
MACHINE: Final = frozenset({so.SO_INCOMING_CPU})
"""Options with values that depend on the machine."""

SOCKET_OPTIONS: Final = tuple(sorted(set(range(1, 92)) - POINTERS - DESCRIPTORS - MACHINE))
COMMON_OPTIONS: Final = (
    so.SO_RCVBUF,
    so.SO_SNDBUF,
    so.SO_PASSCRED,
    so.SO_ERROR,
    so.SO_RCVBUFFORCE,
    so.SO_SNDBUFFORCE,
    so.SO_MEMINFO,
    so.SO_TYPE,
    so.SO_PROTOCOL,
    so.SO_DOMAIN,
    so.SO_COOKIE,
    so.SO_NETNS_COOKIE,
    so.SO_LOCK_FILTER,
    so.SO_DETACH_FILTER,
)
PRIVILEGED: Final = (
    so.SO_DEBUG,
    so.SO_PRIORITY,
    so.SO_SNDBUFFORCE,
    so.SO_RCVBUFFORCE,
    so.SO_MARK,
    so.SO_BUSY_POLL_BUDGET,
    so.SO_BUSY_POLL_BUDGET,
    so.SO_PREFER_BUSY_POLL,
    so.SO_TXTIME,
    so.SO_TXTIME,
)
"""Options that a program can set to some or all values only with privilege."""
LEVELS: Final = (0, 6, 17, 41, 255, 263, 269, 271, 300, -1)
NUMBERS: Final = (0, 1, 1, 1, 2, 17, 100, 4096, 65536, -1, 2**31 - 1, -(2**31))
LENGTHS: Final = (0, 0, 0, 1, 2, 3, 3, 3, 4, 4, 5, 8, 12, 16, 36, 64, 1024)

POLL_MASKS: Final = (0, 1, 4, 5, 0x145, 0x3FF, 0x2010, 0x18)


def portid(random: Random, slots: int) -> Any:
    """Return a port id: 0, a fixed one, the process id, or that of a socket."""
    pick = random.random()
    if pick < 0.35:
        return Port(random.randrange(slots))
    if pick < 0.6:
        return 0
    if pick < 0.65:
        return PID
    return random.choice(PORTS)


def groups(random: Random) -> int:
    """Return a mask of groups, mostly 0."""
    return 0 if random.random() < 0.6 else random.choice(GROUP_MASKS)


def address(random: Random, slots: int) -> tuple[Any, int]:
    """Return an address for bind, connect or send."""
    return portid(random, slots), groups(random)


def blob(random: Random) -> bytes:
    """Return meaningless bytes of a random length."""
    pick = random.random()
    if pick < 0.8:
        size = random.choice(SIZES)
    elif pick < 0.99:
        size = random.choice(LARGE_SIZES)
    else:
        size = random.choice(TOO_LARGE)
    return bytes([random.randrange(256)]) * size


def odd_size(random: Random) -> bytes:
    """Return no bytes, or more NUL bytes than fit in a send buffer."""
    return bytes(random.choice((0, *TOO_LARGE)))


def number(random: Random) -> int:
    """Return an int for an option's value."""
    return random.choice(NUMBERS) if random.random() < 0.9 else random.randrange(-(2**31), 2**31)


def _timeval(random: Random) -> bytes:
    microseconds = random.choice((0, 1, 4001, 10**6 - 1, *(10**6,) * 3, *(-1,) * 3))
    return struct.pack("<qq", random.choice((0, 0, 1, 3600, -1)), microseconds)


def _device(random: Random) -> bytes:
    return random.choice((b"lo", b"lo\0", b"nosuch0\0", b"lo\0xyz", b"a" * 20, b"", b"\0"))


def _pair(random: Random) -> bytes:
    """Return two packed ints, such as a clock and flags."""
    clock = random.choice((0, 1, 1, 1, 11, 2))
    return struct.pack("<iI", clock, random.choice((0, 1, 2, 3, 4, 1 << 10, 1 << 31)))


def _timestamping(random: Random) -> int:
    """Return flags for SO_TIMESTAMPING. Bit 15 requests a device's clock."""
    return random.choice((0, 1 << 15, 1 << 15, 1 << random.randrange(20), 0x1FFFF, -1))


FITTING: Final[dict[int, Callable[[Random], int | bytes]]] = {
    so.SO_RCVTIMEO: _timeval,
    so.SO_SNDTIMEO: _timeval,
    so.SO_RCVTIMEO_NEW: _timeval,
    so.SO_SNDTIMEO_NEW: _timeval,
    so.SO_BINDTODEVICE: _device,
    so.SO_BINDTOIFINDEX: lambda random: random.choice((0, 1, 1, 999, -1)),
    so.SO_LINGER: _pair,
    so.SO_TXTIME: _pair,
    so.SO_TIMESTAMPING: _timestamping,
    so.SO_TIMESTAMPING_NEW: lambda random: struct.pack("<ii", _timestamping(random), random.randrange(2)),
    so.SO_LOCK_FILTER: lambda random: random.randrange(2),
    so.SO_REUSEPORT: lambda random: random.randrange(2),
    so.SO_PRIORITY: lambda random: random.choice((0, 1, 6, 7, -1)),
    so.SO_BUF_LOCK: lambda random: random.randrange(5),
    so.SO_BUSY_POLL_BUDGET: lambda random: random.choice((0, 1, 8, 9, 64, 0xFFFF, 0x10000, -1)),
    so.SO_PREFER_BUSY_POLL: lambda random: random.randrange(2),
    so.SO_MARK: lambda random: random.choice((0, 1, -1)),
    so.SO_RESERVE_MEM: lambda random: random.choice((0, 1, 4096, -1)),
    so.SO_DEBUG: lambda random: random.randrange(2),
}
"""For some options, a function that returns a value of the right form. Random bytes seldom have this form."""
SHAPED: Final = (
    *FITTING,
    *(so.SO_TIMESTAMPING, so.SO_TIMESTAMPING_NEW, so.SO_SNDTIMEO_NEW, so.SO_RCVTIMEO_NEW) * 2,
    so.SO_REUSEPORT,
)
"""Keys of FITTING, from which the search chooses an option at random. Options with many kinds of invalid
values are repeated, so that the search chooses them more often.
"""
BUFSIZES: Final = {so.SO_NETNS_COOKIE: 8, so.SO_COOKIE: 8, so.SO_BINDTODEVICE: 16}
"""Buffer size in bytes that getsockopt() needs for an option."""


def option_length(random: Random, level: int, option: int) -> int:
    """Return a buffer size for getsockopt()."""
    if level == so.SOL_SOCKET and option in BUFSIZES and random.random() < 0.5:
        return BUFSIZES[option]
    return random.choice(LENGTHS)


def option_value(random: Random, level: int, option: int) -> int | bytes:
    """Return a value for setsockopt(): a value of the right form for the option, an int, or bytes of a random
    length.
    """
    pick = random.random()
    if pick < 0.42:
        return struct.pack("<i", number(random))[: random.randrange(4)]
    if level == so.SOL_SOCKET and option in FITTING and pick < 0.85:
        return FITTING[option](random)
    if pick < 0.87:
        return number(random)
    return struct.pack("<i", number(random))[: random.randrange(5)] + bytes(random.choice((0, 0, 0, 4, 12)))
