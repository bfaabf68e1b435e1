"""What the kernel gives for a receive, as Python's sockets give it.

That is a tuple: data, the call's own result, control messages, MSG_ flags, and who sent it
(`Received` of kernel/vfs/socket.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final

from simkernel.application.arguments import Address, ControlMessage

DATA: Final = 0
ADDRESS: Final = 4
"""Their places in the tuple."""

plain_data: Final[Callable[[Any], bytes]] = itemgetter(DATA)
"""What was received, where the call cannot say more than it gives."""


def data(received: Any) -> bytes:
    """What was received, as long as the call said: under MSG_TRUNC longer than what there is of it."""
    data: bytes
    data, length, *_ = received
    return data if len(data) == length else data.ljust(length, b"\0")


def data_and_address(received: Any) -> tuple[bytes, Address]:
    """The same, and who sent it."""
    return data(received), received[ADDRESS]


def whole(received: Any) -> tuple[bytes, list[ControlMessage], int, Address]:
    """All but the call's own result."""
    data, _, control, flags, address = received
    return bytes(data), list(control), flags, address


def fill(received: Any, *views: memoryview) -> int:
    """Write what was received into buffers, one after the other; the call's result."""
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
