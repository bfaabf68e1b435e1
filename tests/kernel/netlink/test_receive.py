"""Receiving on a netlink socket: truncation, flags and control messages."""

from __future__ import annotations

import pytest

from simkernel.uapi.errno import ENOBUFS
from simkernel.uapi.netlink import NETLINK_GENERIC, NETLINK_PKTINFO, NETLINK_USERSOCK
from simkernel.uapi.poll import POLLERR, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRBAND, POLLWRNORM
from simkernel.uapi.socket import (
    MSG_CTRUNC,
    MSG_PEEK,
    MSG_TRUNC,
    SCM_CREDENTIALS,
    SO_PASSCRED,
    SO_PASSSEC,
    SO_SELECT_ERR_QUEUE,
    SOL_NETLINK,
    SOL_SOCKET,
    Ucred,
)
from tests.kernel.netlink.stack import Sock, Stack

A, B = 0x46000001, 0x46000002
WRITABLE = POLLOUT | POLLWRNORM | POLLWRBAND


@pytest.fixture
def pair(stack: Stack) -> tuple[Sock, Sock]:
    return stack.open(NETLINK_USERSOCK, A), stack.open(NETLINK_USERSOCK, B)


def test_bytes_beyond_the_buffer_are_lost(pair: tuple[Sock, Sock]) -> None:
    a, b = pair
    a.send(b"0123456789", (B, 0))
    a.send(b"next", (B, 0))
    peeked = b.receive(4, flags=MSG_PEEK | MSG_TRUNC)
    assert (peeked.data, peeked.length, peeked.flags) == (b"0123", 10, MSG_TRUNC)
    cut = b.receive(4)
    assert (cut.data, cut.length, cut.flags) == (b"0123", 4, MSG_TRUNC)
    assert b.receive(0).data == b""
    with pytest.raises(BlockingIOError):
        b.receive()


def test_an_empty_queue_gives_nothing(pair: tuple[Sock, Sock]) -> None:
    a, b = pair
    assert b.it.recvmsg(b.task, 10) is None
    assert b.it.wait_queues == (b.it.readers,)
    a.send(b"x", (B, 0))
    assert b.receive().data == b"x"


@pytest.mark.parametrize(
    ("room", "sizes", "cut"),
    [
        (0, [], True),
        (15, [], True),
        (16, [0], True),
        (20, [4], True),
        (40, [4, 0], True),
        (52, [4, 12], False),
    ],
)
def test_control_messages_are_cut_to_the_room_there_is(
    pair: tuple[Sock, Sock], room: int, sizes: list[int], cut: bool
) -> None:
    """The expected control messages follow `put_cmsg()`."""
    a, b = pair
    b.set(NETLINK_PKTINFO)
    b.set(SO_PASSCRED, 1, SOL_SOCKET)
    a.send(b"x", (B, 0))
    received = b.receive(room=room)
    assert [len(data) for _, _, data in received.control] == sizes
    assert bool(received.flags & MSG_CTRUNC) == cut


def test_the_kernel_is_process_zero(stack: Stack) -> None:
    sock = stack.open(NETLINK_GENERIC, A)
    sock.set(SO_PASSCRED, 1, SOL_SOCKET)
    sock.send(b"\x10\0\0\0\1\0\5\0" + bytes(8))
    assert sock.receive(room=100).control == [(SOL_SOCKET, SCM_CREDENTIALS, Ucred(0, 0, 0).pack())]


def test_a_security_label_without_room_counts_as_cut(pair: tuple[Sock, Sock]) -> None:
    a, b = pair
    b.set(SO_PASSSEC, 1, SOL_SOCKET)
    for room, flags in ((0, MSG_CTRUNC), (8, 0)):
        a.send(b"x", (B, 0))
        assert b.receive(room=room).flags == flags


def test_poll(pair: tuple[Sock, Sock]) -> None:
    a, b = pair
    assert b.it.poll() == WRITABLE
    a.send(b"x", (B, 0))
    assert b.it.poll() == WRITABLE | POLLIN | POLLRDNORM
    b.it.report_error(ENOBUFS)
    assert b.it.poll() == WRITABLE | POLLIN | POLLRDNORM | POLLERR
    b.set(SO_SELECT_ERR_QUEUE, 1, SOL_SOCKET)
    assert b.it.poll() & POLLPRI
    with pytest.raises(OSError, match="buffer space"):
        b.receive()
    assert not b.it.poll() & POLLERR


def test_the_group_is_a_mask_in_the_address_and_a_number_in_pktinfo(stack: Stack) -> None:
    kernel = stack.kernel_socket(NETLINK_GENERIC)
    sock = stack.open(NETLINK_GENERIC, A).join(32)
    sock.set(NETLINK_PKTINFO)
    kernel.multicast(kernel.skb(b"x"), 32)
    received = sock.receive(room=100)
    assert received.address == (0, 0x80000000)
    assert received.control == [(SOL_NETLINK, NETLINK_PKTINFO, b"\x20\0\0\0")]
