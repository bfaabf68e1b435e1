"""`rx_slow_path` of a netlink socket is set if a receive must do more than take a message from the queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.netlink.sock import NetlinkSock
from simkernel.uapi.netlink import NETLINK_LISTEN_ALL_NSID, NETLINK_NO_ENOBUFS, NETLINK_PKTINFO
from simkernel.uapi.socket import MSG_PEEK, MSG_TRUNC, SO_ERROR, SO_PASSCRED, SO_RCVBUF, SOL_SOCKET
from tests.kernel.netlink.stack import Sock, Stack
from tests.kernel.netlink.test_dump import ASK, PROTOCOL, Server

GROUP = 5

Act = Callable[[Sock, Sock], object]
ACTS: dict[str, Act] = {
    "read": lambda sock, other: sock.receive(room=100),
    "read a little": lambda sock, other: sock.receive(8, 20, MSG_TRUNC),
    "look": lambda sock, other: sock.receive(flags=MSG_PEEK),
    "send": lambda sock, other: other.send(bytes(600), (sock.it.portid, 0)),
    "shout": lambda sock, other: [other.send(bytes(600), (0, 1 << GROUP - 1)) for _ in range(3)],
    "dump": lambda sock, other: sock.send(ASK),
    "error": lambda sock, other: sock.number(SO_ERROR),
    "where": lambda sock, other: sock.set(NETLINK_PKTINFO),
    "where no more": lambda sock, other: sock.set(NETLINK_PKTINFO, 0),
    "whence": lambda sock, other: sock.set(NETLINK_LISTEN_ALL_NSID),
    "who": lambda sock, other: sock.set(SO_PASSCRED, 1, SOL_SOCKET),
    "never mind": lambda sock, other: sock.set(NETLINK_NO_ENOBUFS),
    "mind": lambda sock, other: sock.set(NETLINK_NO_ENOBUFS, 0),
}


def history(acts: list[str]) -> list[Any]:
    """Perform the actions whose names are in the list `acts` (keys of ACTS). Return the result of each
    action, and the state of the socket after it.
    """
    stack = Stack()
    Server(stack, [3000] * 4)
    sock = stack.open(PROTOCOL, 7).join(GROUP)
    other = stack.open(PROTOCOL, 8)
    sock.set(SO_RCVBUF, 0, SOL_SOCKET)
    seen: list[Any] = []
    for act in acts:
        try:
            result = ACTS[act](sock, other)
        except OSError as error:
            result = error.errno
        it = sock.it
        seen.append(
            (act, result, it.congested, it.error, it.rmem, it.drops, it.dump is None, stack.engine.charged)
        )
    return seen


@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=30))
def test_receive_fast_path_matches_slow_path(acts: list[str]) -> None:
    seen = history(acts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetlinkSock, "rx_slow_path", property(lambda sock: True, lambda sock, value: None))
        assert history(acts) == seen


def test_an_idle_socket_takes_the_fast_path() -> None:
    """An idle socket must take the fast path. Otherwise the comparison with the slow path would compare the
    slow path with itself.
    """
    stack = Stack()
    Server(stack, [3000] * 4)
    sock = stack.open(PROTOCOL, 7)
    assert not sock.it.rx_slow_path
    sock.set(NETLINK_PKTINFO)
    assert sock.it.rx_slow_path
    sock.set(NETLINK_PKTINFO, 0)
    assert not sock.it.rx_slow_path
    sock.send(ASK)
    assert sock.it.rx_slow_path
    sock.drain()
    assert not sock.it.rx_slow_path
