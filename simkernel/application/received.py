"""Conversion of the result of a receive call, such as recvmsg(2), from the kernel's tuple to the return
values of Python's sockets.

The kernel's result is a tuple: data, return value, control messages, MSG_ flags, and the sender's address
(`Received` of kernel/vfs/socket.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final

from simkernel.application.arguments import ControlMessage

Received = tuple[bytes, int, Iterable[ControlMessage], int, Any]
"""The kernel's result of a receive call. The last item is the sender's address, whose type depends on the
family of the socket.
"""

DATA: Final = 0
ADDRESS: Final = 4
"""Indexes of two items of the tuple `Received`: the data and the sender's address."""

plain_data: Final[Callable[[Received], bytes]] = itemgetter(DATA)
"""A function that returns the received data unchanged, for receive calls without MSG_TRUNC."""


def data(received: Received) -> bytes:
    """Return the received data. If the kernel has returned the full length of a truncated message
    (MSG_TRUNC), append NULs up to this length.
    """
    data, length, *_ = received
    return data if len(data) == length else data.ljust(length, b"\0")


def control_and_flags(received: Received) -> tuple[list[ControlMessage], int]:
    """Return the control messages and the MSG_ flags of a received message."""
    return list(received[2]), received[3]


def fill(received: Received, *views: memoryview) -> int:
    """Write the received data into consecutive buffers, and return the length that the kernel returned."""
    data, length, *_ = received
    scatter(data, views)
    return int(length)


def scatter(data: bytes, views: Iterable[memoryview]) -> None:
    """Write `data` into consecutive buffers until the data or the buffers end."""
    start = 0
    for view in views:
        piece = data[start : start + len(view)]
        view[: len(piece)] = piece
        start += len(piece)
