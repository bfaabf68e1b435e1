"""The interface between sockets and system calls: addresses, control messages and receive results.

A send that would block raises `WouldBlock`. If a driver handles the message and sleeps, the send returns
an awaitable. A receive without data returns None.  An address is (port id, groups mask), or the bytes of a
whole sockaddr.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

Address = tuple[int, int] | bytes
Control = Sequence[tuple[int, int, bytes]]
NO_CONTROL: Control = ()


Received = tuple[bytes, int, Control, int, Address]
"""The result of recvmsg(2): data, return value, control messages, MSG_ flags and sender address.

The return value is the length of the data; with MSG_TRUNC it is the length of the whole datagram.
`Received` is a plain tuple, because a named tuple takes five to nine times as long to create.
"""


class NeedMoreData(Exception):
    """Raised by a receive that has some bytes and must wait for more. The caller then awaits
    `rest(deadline)`, which waits at most until the deadline and returns the result of the receive.
    """

    def __init__(self, rest: Callable[[int | None], Coroutine[Any, Any, Received]]) -> None:
        super().__init__(rest)
        self.rest = rest
