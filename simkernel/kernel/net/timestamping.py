"""The options SO_TIMESTAMP, SO_TIMESTAMPNS and SO_TIMESTAMPING in their old and new forms (net/core/sock.c).

The values are stored, but a netlink socket delivers no timestamps.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from simkernel.kernel.net.sock import Sock
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import socket as so
from simkernel.uapi.errno import EINVAL, EOPNOTSUPP, os_error

RECEIVE: Final = 1
NANOSECONDS: Final = 2
NEW: Final = 4
"""Bits of the value that `Sock.options` stores under SO_TIMESTAMP. They correspond to the socket flags
SOCK_RCVTSTAMP, SOCK_RCVTSTAMPNS and SOCK_TSTAMP_NEW.
"""

OPT_ID: Final = 1 << 7
OPT_TSONLY: Final = 1 << 11
OPT_STATS: Final = 1 << 12
BIND_PHC: Final = 1 << 15
OPT_ID_TCP: Final = 1 << 16
MASK: Final = (1 << 19) - 1
"""Mask of all valid flags of SO_TIMESTAMPING (SOF_TIMESTAMPING_*)."""

_KINDS: Final = {
    so.SO_TIMESTAMP: RECEIVE,
    so.SO_TIMESTAMPNS: RECEIVE | NANOSECONDS,
    so.SO_TIMESTAMP_NEW: RECEIVE | NEW,
    so.SO_TIMESTAMPNS_NEW: RECEIVE | NANOSECONDS | NEW,
}
"""For each timestamp option, by number: the bits that are stored when a program enables the option
(`sock_set_timestamp()`).
"""

_ALIKE: Final = {so.SO_TIMESTAMP: NANOSECONDS | NEW, so.SO_TIMESTAMPNS: NEW}
"""For SO_TIMESTAMP and SO_TIMESTAMPNS: the bits that the option never sets. If a different option has set one
of these bits in the stored value, reading the option returns 0.
"""

_STAMPING = struct.Struct("<ii")

Functions = tuple[Callable[["Sock", int], "int | bytes"], Callable[["Sock", "Task", int, bytes], None]]


def _timestamp(number: int) -> Functions:
    bits = _KINDS[number]

    def get(sock: Sock, length: int) -> int:
        flags = sock.option(so.SO_TIMESTAMP)
        return flags & bits == bits and not flags & _ALIKE.get(number, 0)

    def set(sock: Sock, task: Task, value: int, raw: bytes) -> None:
        flags = sock.option(so.SO_TIMESTAMP)
        sock.set_option(so.SO_TIMESTAMP, bits if value else flags & NEW)

    return get, set


def _timestamping(number: int) -> Functions:
    new = NEW if number == so.SO_TIMESTAMPING_NEW else 0

    def get(sock: Sock, length: int) -> bytes:
        """Return the SO_TIMESTAMPING flags. A read of SO_TIMESTAMPING_NEW returns 0 if a program set the
        flags by SO_TIMESTAMPING_OLD.
        """
        shown = not new or sock.option(so.SO_TIMESTAMP) & NEW
        return _STAMPING.pack(sock.option(so.SO_TIMESTAMPING) if shown else 0, 0)

    def set(sock: Sock, task: Task, value: int, raw: bytes) -> None:
        """Set the SO_TIMESTAMPING flags (`sock_set_timestamping()`).

        BIND_PHC always fails, because it needs a device with a hardware clock and `lo` has none.
        """
        if (
            value & ~MASK
            or (value & OPT_ID_TCP and not value & OPT_ID)
            or (value & OPT_STATS and not value & OPT_TSONLY)
        ):
            raise os_error(EINVAL)
        if value & BIND_PHC:
            bound = sock.net.devices.get(sock.option(so.SO_BINDTOIFINDEX))
            raise os_error(EOPNOTSUPP if bound is None else EINVAL)
        sock.set_option(so.SO_TIMESTAMPING, value)
        sock.set_option(so.SO_TIMESTAMP, sock.option(so.SO_TIMESTAMP) & ~NEW | new)

    return get, set


OPTIONS: Final[dict[int, Functions]] = {
    **{number: _timestamp(number) for number in _KINDS},
    so.SO_TIMESTAMPING: _timestamping(so.SO_TIMESTAMPING),
    so.SO_TIMESTAMPING_NEW: _timestamping(so.SO_TIMESTAMPING_NEW),
}
