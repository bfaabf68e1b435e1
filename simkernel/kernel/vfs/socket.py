"""What a socket is to the system calls: an object with non-blocking operations.

A send that cannot go on raises `WouldBlock`, and one that a driver answers only after sleeping returns
an awaitable; a receive that finds nothing returns None.  An address is (port id, groups mask), or the
bytes of a whole sockaddr.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

Address = tuple[int, int] | bytes
Control = Sequence[tuple[int, int, bytes]]
NO_CONTROL: Control = ()


Received = tuple[bytes, int, Control, int, Address]
"""What recvmsg(2) gives: data, the call's result, control messages, MSG_ flags, and who sent it.

The result is the data's length, with MSG_TRUNC that of the whole datagram.  A plain tuple, since one with
names takes five to nine times as long to make.
"""


class NeedMoreData(Exception):
    """A receive has some bytes and must wait for more; `rest(deadline)` waits for them."""

    def __init__(self, rest: Callable[[int | None], Coroutine[Any, Any, Received]]) -> None:
        super().__init__(rest)
        self.rest = rest
