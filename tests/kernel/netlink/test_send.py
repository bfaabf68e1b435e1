"""Unicast over netlink: receivers, full queues, and the errors that the sender gets."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.sched.wait import WouldBlock
from simkernel.uapi.netlink import NETLINK_GENERIC, NETLINK_USERSOCK
from simkernel.uapi.socket import (
    MSG_OOB,
    SCM_CREDENTIALS,
    SCM_RIGHTS,
    SO_MEMINFO,
    SO_PASSCRED,
    SO_RCVBUF,
    SO_SNDBUF,
    SOL_SOCKET,
)
from tests.kernel.netlink.stack import NOBODY, Sock, Stack

A, B, C = 0x41000001, 0x41000002, 0x41000003


def memory(sock: Sock) -> int:
    """Return the number of bytes that are charged to the socket's receive queue (SO_MEMINFO)."""
    return struct.unpack_from("<I", sock.get(SO_MEMINFO, 36, SOL_SOCKET))[0]


def test_a_message_arrives_as_it_is(stack: Stack) -> None:
    a, b = stack.open(NETLINK_USERSOCK, A), stack.open(NETLINK_USERSOCK, B)
    assert a.send(b"not netlink", (B, 0)) == 11
    received = b.receive()
    assert (received.data, received.address, received.flags) == (b"not netlink", (A, 0), 0)


def test_sending_chooses_a_port_id(stack: Stack) -> None:
    a = stack.open(NETLINK_USERSOCK)
    with pytest.raises(ConnectionRefusedError):
        a.send(b"x", (B, 0))
    assert a.it.getsockname() == (a.task.tgid, 0)


def test_refusals_come_in_the_kernels_order(stack: Stack) -> None:
    """`netlink_sendmsg()` checks MSG_OOB, an empty message, credentials, the address and the size, in this
    order.
    """
    a = stack.open(NETLINK_GENERIC, A, uid=NOBODY)
    rights = ((SOL_SOCKET, SCM_RIGHTS, bytes(4)),)
    with pytest.raises(OSError, match="not supported"):
        a.send(b"", (B, 0), control=rights, flags=MSG_OOB)
    with pytest.raises(OSError, match="No data"):
        a.send(b"", (B, 0), control=rights)
    with pytest.raises(OSError, match="Invalid argument"):
        a.send(b"x", (B, 0), control=rights)
    with pytest.raises(PermissionError):
        a.send(bytes(10**7), (B, 0))
    with pytest.raises(OSError, match="too long"):
        a.send(bytes(10**7), (0, 0))


def test_size_is_limited_by_the_send_buffer(stack: Stack) -> None:
    a = stack.open(NETLINK_USERSOCK, A)
    stack.open(NETLINK_USERSOCK, B)
    a.set(SO_SNDBUF, 4096, SOL_SOCKET)
    assert a.send(bytes(8192 - 32), (B, 0)) == 8160
    with pytest.raises(OSError, match="too long"):
        a.send(bytes(8192 - 31), (B, 0))


def test_a_connected_socket_hears_its_peer_only(stack: Stack) -> None:
    a, b, c = (stack.open(NETLINK_USERSOCK, portid) for portid in (A, B, C))
    b.connect(A)
    a.send(b"peer", (B, 0))
    with pytest.raises(ConnectionRefusedError):
        c.send(b"other", (B, 0))
    assert b.drain() == [b"peer"]


def test_a_full_receiver_blocks_its_sender_until_something_is_read(stack: Stack) -> None:
    a, b = stack.open(NETLINK_USERSOCK, A), stack.open(NETLINK_USERSOCK, B)
    b.set(SO_RCVBUF, 0, SOL_SOCKET)
    a.send(bytes(100), (B, 0))
    a.send(bytes(100), (B, 0))
    with pytest.raises(WouldBlock) as blocked:
        a.it.sendmsg(a.task, b"third", (B, 0))
    assert blocked.value.queue is b.it.senders
    with pytest.raises(WouldBlock):
        blocked.value.retry()
    b.receive()
    assert blocked.value.retry() == 5
    assert b.drain() == [bytes(100), b"third"]
    assert b.it.drops == 0


def test_a_sender_that_waits_does_not_send_to_the_group_again(stack: Stack) -> None:
    a, b, c = (stack.open(NETLINK_USERSOCK, portid) for portid in (A, B, C))
    c.join(1)
    b.set(SO_RCVBUF, 0, SOL_SOCKET)
    a.send(bytes(3000), (B, 0))
    with pytest.raises(WouldBlock) as blocked:
        a.it.sendmsg(a.task, b"both", (B, 1))
    b.receive()
    blocked.value.retry()
    assert (b.drain(), c.drain()) == ([b"both"], [b"both"])


def test_a_sender_is_refused_when_the_receiver_closes(stack: Stack) -> None:
    a, b = stack.open(NETLINK_USERSOCK, A), stack.open(NETLINK_USERSOCK, B)
    b.set(SO_RCVBUF, 0, SOL_SOCKET)
    a.send(bytes(3000), (B, 0))
    with pytest.raises(WouldBlock) as blocked:
        a.it.sendmsg(a.task, b"x", (B, 0))
    b.close()
    with pytest.raises(ConnectionRefusedError):
        blocked.value.retry()


@pytest.mark.parametrize(
    ("claim", "error"),
    [
        ((None, NOBODY, NOBODY), None),
        ((1, NOBODY, NOBODY), PermissionError),
        ((None, 0, NOBODY), PermissionError),
        ((None, NOBODY, 0), PermissionError),
        ((None, 2**32 - 1, NOBODY), OSError),
    ],
)
def test_credentials_may_be_claimed_as_far_as_one_is_allowed(
    stack: Stack, claim: tuple[int | None, int, int], error: type[OSError] | None
) -> None:
    """The expected results follow `scm_check_creds()`."""
    a, b = stack.open(NETLINK_USERSOCK, A, uid=NOBODY), stack.open(NETLINK_USERSOCK, B)
    b.set(SO_PASSCRED, 1, SOL_SOCKET)
    creds = struct.pack("<iII", claim[0] or a.task.tgid, *claim[1:])
    control = ((SOL_SOCKET, SCM_CREDENTIALS, creds),)
    if error is not None:
        with pytest.raises(error):
            a.send(b"x", (B, 0), control=control)
    else:
        a.send(b"x", (B, 0), control=control)
        assert b.receive(room=100).control == [(SOL_SOCKET, SCM_CREDENTIALS, creds)]


def test_root_may_claim_the_pid_of_any_process(stack: Stack) -> None:
    a, b = stack.open(NETLINK_USERSOCK, A), stack.open(NETLINK_USERSOCK, B)
    b.set(SO_PASSCRED, 1, SOL_SOCKET)
    known = struct.pack("<iII", 1, 5, 6)
    a.send(b"x", (B, 0), control=((SOL_SOCKET, SCM_CREDENTIALS, known),))
    assert b.receive(room=100).control == [(SOL_SOCKET, SCM_CREDENTIALS, known)]
    with pytest.raises(ProcessLookupError):
        a.send(b"x", (B, 0), control=((SOL_SOCKET, SCM_CREDENTIALS, struct.pack("<iII", 99999, 5, 6)),))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6000)), max_size=60), st.integers(0, 40_000))
def test_queues_keep_order_and_charge(messages: list[tuple[int, int]], rcvbuf: int) -> None:
    """Accepted datagrams arrive in order. The charged memory is the sum of the memory of the queued
    datagrams. It is zero if the queue is empty.
    """
    stack = Stack()
    senders = [stack.open(NETLINK_USERSOCK, portid) for portid in (A, B, C)]
    receiver = stack.open(NETLINK_USERSOCK, 7)
    receiver.set(SO_RCVBUF, rcvbuf, SOL_SOCKET)
    accepted = []
    for number, (who, size) in enumerate(messages):
        data = struct.pack("<I", number) + bytes(size)
        try:
            senders[who].send(data, (7, 0))
        except BlockingIOError:
            continue
        accepted.append(data)
    queued = receiver.it.queue or ()
    assert memory(receiver) == sum(skb.truesize for skb in queued)
    assert memory(receiver) <= receiver.it.rcvbuf or len(queued) == 1
    assert receiver.drain() == accepted
    assert memory(receiver) == 0


@given(st.lists(st.integers(1, 5000), max_size=20))
def test_closing_gives_all_memory_back(sizes: list[int]) -> None:
    stack = Stack()
    a, b = stack.open(NETLINK_USERSOCK, A), stack.open(NETLINK_USERSOCK, B)
    for size in sizes:
        a.send(bytes(size), (B, 0))
    b.close()
    a.close()
    assert (b.it.rmem, len(b.it.queue or ()), stack.netlink.statistics.sockets) == (0, 0, 0)
    assert len(stack.netlink.ports(stack.namespaces.init, NETLINK_USERSOCK)) == 0
