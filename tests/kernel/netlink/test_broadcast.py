"""Multicasts: their receivers, the order of delivery, and overruns."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel.uapi import filter as bpf
from simkernel.uapi.errno import ENOBUFS, ESRCH
from simkernel.uapi.netlink import (
    NETLINK_BROADCAST_ERROR,
    NETLINK_GENERIC,
    NETLINK_LISTEN_ALL_NSID,
    NETLINK_NO_ENOBUFS,
    NETLINK_PKTINFO,
    NETLINK_USERSOCK,
)
from simkernel.uapi.socket import SO_ERROR, SO_RCVBUF, SOL_NETLINK, SOL_SOCKET
from tests.examples import examples
from tests.kernel.netlink.stack import Sock, Stack

A, B, C, D = 0x42000001, 0x42000002, 0x42000003, 0x42000004


def shout(sock: Sock, data: bytes, group: int = 1) -> None:
    """Send to a group. The kernel also sends to port id 0 by unicast, which fails with ECONNREFUSED."""
    with pytest.raises(ConnectionRefusedError):
        sock.send(data, (0, 1 << (group - 1)))


def test_only_members_receive_it(stack: Stack) -> None:
    a, b, c, d = (stack.open(NETLINK_USERSOCK, portid) for portid in (A, B, C, D))
    a.join(2), b.join(2), c.join(2, 3), d.join(3)
    shout(a, b"hello", 2)
    assert [each.drain() for each in (a, b, c, d)] == [[], [b"hello"], [b"hello"], []]


def test_the_latest_subscriber_is_first(stack: Stack) -> None:
    """The kernel pushes a socket onto the stack `mc_list` when the socket joins its first group. A multicast
    is delivered from the top of the stack to the bottom.
    """
    sender = stack.open(NETLINK_USERSOCK, A)
    b, c, d = (stack.open(NETLINK_USERSOCK, portid) for portid in (B, C, D))
    c.join(5), b.join(1), d.join(1), c.join(1)
    order: list[int] = []
    stack.engine.trace.subscribe(
        lambda record: (
            order.append(record.fields["dst_portid"]) if record.name == "netlink_deliver_tap" else None
        )
    )
    shout(sender, b"x")
    assert order == [D, B, C]


def test_port_id_zero_is_not_sent_to(stack: Stack) -> None:
    """A member that is not bound has port id 0, which the sender excludes (`do_one_broadcast()`)."""
    sender, member = stack.open(NETLINK_USERSOCK, A), stack.open(NETLINK_USERSOCK)
    member.join(1)
    shout(sender, b"lost")
    member.bind(B, 1)
    shout(sender, b"heard")
    assert member.drain() == [b"heard"]


def test_overrun_is_an_error_once_and_until_the_queue_is_empty(stack: Stack) -> None:
    sender, member = stack.open(NETLINK_USERSOCK, A), stack.open(NETLINK_USERSOCK, B).join(1)
    member.set(SO_RCVBUF, 0, SOL_SOCKET)
    for number in range(5):
        shout(sender, bytes([number]))
    assert member.it.drops == 3
    assert member.number(SO_ERROR) == ENOBUFS
    assert member.number(SO_ERROR) == 0
    assert member.receive().data == b"\0"
    shout(sender, b"there would be room")
    assert member.drain() == [b"\1"]
    shout(sender, b"again")
    assert member.drain() == [b"again"]


def test_no_enobufs_loses_in_silence(stack: Stack) -> None:
    sender, member = stack.open(NETLINK_USERSOCK, A), stack.open(NETLINK_USERSOCK, B).join(1)
    member.set(NETLINK_NO_ENOBUFS)
    member.set(SO_RCVBUF, 0, SOL_SOCKET)
    for number in range(5):
        shout(sender, bytes([number]))
    assert member.number(SO_ERROR) == 0
    member.receive()
    shout(sender, b"new")
    assert member.drain() == [b"\1", b"new"]


def test_a_multicast_of_the_kernel_returns_if_it_was_received(stack: Stack) -> None:
    kernel = stack.kernel_socket(NETLINK_GENERIC)
    with pytest.raises(OSError) as nobody:
        kernel.multicast(kernel.skb(b"x"), 5)
    assert nobody.value.errno == ESRCH
    member = stack.open(NETLINK_GENERIC, A).join(5)
    member.set(SO_RCVBUF, 0, SOL_SOCKET)
    for _ in range(2):
        kernel.multicast(kernel.skb(b"x"), 5)
    with pytest.raises(OSError) as nobody:
        kernel.multicast(kernel.skb(b"x"), 5)
    assert nobody.value.errno == ESRCH
    member.set(NETLINK_BROADCAST_ERROR)
    with pytest.raises(OSError) as lost:
        kernel.multicast(kernel.skb(b"x"), 5)
    assert lost.value.errno == ENOBUFS


def test_a_listener_of_all_namespaces_hears_only_those_with_an_id(stack: Stack) -> None:
    """With NETLINK_LISTEN_ALL_NSID, a listener receives from a namespace only if this namespace has an nsid
    in the listener's namespace. On Linux 6.18, the control message with the nsid follows the one with the
    group.
    """
    there = stack.namespaces.create()
    listener = stack.open(NETLINK_USERSOCK, A).join(1)
    sender = stack.open(NETLINK_USERSOCK, B, net=there)
    shout(sender, b"deaf")
    listener.set(NETLINK_LISTEN_ALL_NSID)
    shout(sender, b"unknown")
    stack.namespaces.init.assign_id(there, 7)
    listener.set(NETLINK_PKTINFO)
    shout(sender, b"heard")
    received = listener.receive(room=100)
    assert received.data == b"heard"
    assert received.control == [
        (SOL_NETLINK, NETLINK_PKTINFO, b"\1\0\0\0"),
        (SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, b"\7\0\0\0"),
    ]


def keep(count: int) -> bytes:
    """Return a filter that keeps the first `count` bytes."""
    return bpf.SockFilter(bpf.BPF_RET | bpf.BPF_K, k=count).pack()


def test_a_filter_of_one_member_is_not_felt_by_others(stack: Stack) -> None:
    sender = stack.open(NETLINK_USERSOCK, A)
    members = [stack.open(NETLINK_USERSOCK, portid).join(1) for portid in (B, C, D)]
    members[1].it.attach_filter(keep(2), stack.netlink.random)
    members[2].it.attach_filter(keep(0), stack.netlink.random)
    shout(sender, b"hello")
    assert [member.drain() for member in members] == [[b"hello"], [b"he"], []]


def test_a_filter_cuts_the_kernel_s_buffer_for_later_members(stack: Stack) -> None:
    """The kernel passes the buffer itself, not a copy, to the first member. The filter of this member
    shortens the buffer for all later members (`do_one_broadcast()`).
    """
    kernel = stack.kernel_socket(NETLINK_GENERIC)
    members = [stack.open(NETLINK_GENERIC, portid).join(5) for portid in (B, C)]
    members[1].it.attach_filter(keep(2), stack.netlink.random)
    kernel.multicast(kernel.skb(b"hello"), 5)
    assert [member.drain() for member in members] == [[b"he"], [b"he"]]


class Sleeper:
    """A wait queue entry of a socket. It records its wake-ups, and each wake-up costs the waker some time."""

    exclusive = False

    def __init__(self, stack: Stack) -> None:
        self.engine = stack.engine
        self.woken: list[int] = []

    def wake(self, woken: bool) -> None:
        self.woken.append(self.engine.time())
        self.engine.charge(7)


Kind = tuple[int | None, bool, bool, bool, bool]
PLAIN: Kind = (None, False, False, False, False)
KINDS = st.just(PLAIN) | st.tuples(st.sampled_from((None, 0, 2)), *[st.booleans()] * 4)
"""Strategy for the properties of a group member. The first one is the number of bytes that its filter keeps,
or None without a filter. The others are flags: another namespace, small receive buffer, no bound address,
waiting reader.
"""


def multicasts(kinds: list[Kind], acts: list[str], traced: bool) -> object:
    """Create group members with the properties `kinds`. For each entry of `acts`, the kernel or a program
    sends a multicast, or all members read. Return the queues, the wake-ups, the charged time and the
    statistics.
    """
    stack = Stack()
    if traced:
        stack.engine.trace.subscribe(lambda record: None)
    elsewhere = stack.namespaces.create()
    stack.namespaces.init.assign_id(elsewhere, 7)
    elsewhere.assign_id(stack.namespaces.init, 8)
    kernel = stack.kernel_socket(NETLINK_GENERIC)
    sender = stack.open(NETLINK_GENERIC, A).join(5)
    members, sleepers = [], []
    for number, (kept, far, little, unbound, asleep) in enumerate(kinds):
        net = elsewhere if far else None
        member = stack.open(NETLINK_GENERIC, None if unbound else B + number, net=net).join(5)
        member.set(NETLINK_LISTEN_ALL_NSID)
        if kept is not None:
            member.it.attach_filter(keep(kept), stack.netlink.random)
        if little:
            member.set(SO_RCVBUF, 0, SOL_SOCKET)
        sleepers.append(Sleeper(stack))
        if asleep:
            member.it.readers.add(sleepers[-1])
        members.append(member)
    for number, act in enumerate(acts):
        data = b"message %d" % number
        if act == "kernel":
            with contextlib.suppress(OSError):
                kernel.multicast(kernel.skb(data), 5, exclude=B * (number % 2))
        elif act == "program":
            sender.it.sendmsg(sender.task, data, (0, 1 << 4))
        else:
            for member in members:
                with contextlib.suppress(OSError):
                    member.it.recvmsg(member.task, 100)
    return (
        [([skb.data for skb in each.it.queue or ()], each.it.rmem, each.it.drops) for each in members],
        [each.woken for each in sleepers],
        stack.engine.charged,
        stack.netlink.statistics,
    )


@settings(max_examples=examples(200))
@given(
    st.lists(KINDS, min_size=2, max_size=5),
    st.lists(st.sampled_from(("kernel", "program", "read")), min_size=1, max_size=9),
)
def test_fast_path_of_a_multicast_matches_slow_path(kinds: list[Kind], acts: list[str]) -> None:
    """The test compares the fast path with the slow path. An attached tracer turns off the fast path."""
    assert multicasts(kinds, acts, traced=False) == multicasts(kinds, acts, traced=True)


Membership = tuple[int, int, bool]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 32), st.booleans()), max_size=40))
def test_memberships_are_the_joined_groups_without_the_left_ones(changes: list[Membership]) -> None:
    """After random joins and leaves, each socket receives only the multicasts of its groups. `subscribers`
    counts the sockets that are in a group.
    """
    stack = Stack()
    sender = stack.open(NETLINK_USERSOCK, 99)
    socks = [stack.open(NETLINK_USERSOCK, 100 + number) for number in range(5)]
    expected: list[set[int]] = [set() for _ in socks]
    for who, group, joins in changes:
        socks[who].set(1 if joins else 2, group)
        (expected[who].add if joins else expected[who].discard)(group)
    for group in range(1, 33):
        shout(sender, bytes([group]), group)
    for sock, groups in zip(socks, expected, strict=True):
        assert sock.drain() == [bytes([group]) for group in sorted(groups)]
        assert sock.it.getsockname()[1] == sum(1 << (group - 1) for group in groups)
    entry = stack.netlink.entries[NETLINK_USERSOCK]
    assert entry.subscribers == sum(map(bool, expected))
    for sock in socks:
        sock.close()
    assert entry.subscribers == 0
    assert not any(entry.members.values())
