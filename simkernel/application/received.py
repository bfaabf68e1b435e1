"""The kernel's result of a receive, and what Python's sockets make of it.

It is a tuple: data, the call's own result, control messages, MSG_ flags, and the sender's address
(`Received` of kernel/vfs/socket.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final

from simkernel.application.arguments import ControlMessage

Received = tuple[bytes, int, Iterable[ControlMessage], int, Any]
"""The address is of the socket's family."""

DATA: Final = 0
ADDRESS: Final = 4
"""Their places in the tuple."""

plain_data: Final[Callable[[Received], bytes]] = itemgetter(DATA)
"""The data, for a call whose result is never longer than its data."""


def data(received: Received) -> bytes:
    """The data, as long as the call's result: under MSG_TRUNC that may be more, filled up with NULs."""
    data, length, *_ = received
    return data if len(data) == length else data.ljust(length, b"\0")


def control_and_flags(received: Received) -> tuple[list[ControlMessage], int]:
    """The control messages and the MSG_ flags."""
    return list(received[2]), received[3]


def fill(received: Received, *views: memoryview) -> int:
    """Write the data into buffers, one after the other; the call's result."""
    data, length, *_ = received
    scatter(data, views)
    return int(length)


def scatter(data: bytes, views: Iterable[memoryview]) -> None:
    """Write `data` into buffers, one after the other, as far as it goes."""
    start = 0
    for view in views:
        piece = data[start : start + len(view)]
        view[: len(piece)] = piece
        start += len(piece)
