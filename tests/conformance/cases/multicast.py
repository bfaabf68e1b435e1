"""Multicast groups on NETLINK_USERSOCK. On this protocol, programs are both the senders and the receivers."""

from __future__ import annotations

from simkernel.uapi.socket import MSG_DONTWAIT
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ADD_MEMBERSHIP, DROP_MEMBERSHIP, LIST_MEMBERSHIPS, SOL_NETLINK
from tests.conformance.world import Socket, World

A, B, C, D = 0x42000001, 0x42000002, 0x42000003, 0x42000004


def member(world: World, portid: int, *groups: int) -> Socket:
    sock = netlink(world, wire.USERSOCK, bind=(portid, 0))
    for group in groups:
        sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
    return sock


@case(privileged=True)
def join_and_leave(world: World, log: Log) -> None:
    """NETLINK_ADD_MEMBERSHIP and NETLINK_DROP_MEMBERSHIP change the mask that getsockname() returns."""
    s = netlink(world, wire.USERSOCK, bind=(A, 0))
    for group in (1, 3, 32):
        log.call(f"add {group}", s.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, group)
        log.name("name", s)
    log.call("add 3 again", s.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, 3)
    log.call("drop 1", s.setsockopt, SOL_NETLINK, DROP_MEMBERSHIP, 1)
    log.name("name", s)
    log.call("drop 2, which it is not in", s.setsockopt, SOL_NETLINK, DROP_MEMBERSHIP, 2)
    log.name("name", s)


@case(privileged=True)
def join_before_bind(world: World, log: Log) -> None:
    """An unbound socket can join a group. Joining does not bind it."""
    s = netlink(world, wire.USERSOCK)
    log.call("add", s.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, 2)
    log.name("name", s)
    log.call("bind", s.bind, (A, 0))
    log.name("after bind to no groups", s)


@case(privileged=True)
def group_numbers(world: World, log: Log) -> None:
    """Valid group numbers of NETLINK_USERSOCK are 1 to 32."""
    s = netlink(world, wire.USERSOCK, bind=(A, 0))
    for group in (0, 33, 64, -1, 0x7FFFFFFF):
        log.call(f"add {group}", s.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, group)
        log.call(f"drop {group}", s.setsockopt, SOL_NETLINK, DROP_MEMBERSHIP, group)


@case()
def join_unprivileged(world: World, log: Log) -> None:
    """An unprivileged socket can join and leave group 1 of NETLINK_ROUTE and of NETLINK_KOBJECT_UEVENT. On
    NETLINK_USERSOCK, joining and leaving fail with EPERM.
    """
    for name, proto in (("usersock", wire.USERSOCK), ("route", wire.ROUTE), ("uevent", wire.UEVENT)):
        s = netlink(world, proto)
        log.call(f"{name} add", s.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, 1)
        log.call(f"{name} drop", s.setsockopt, SOL_NETLINK, DROP_MEMBERSHIP, 1)
        log.name(f"{name} name", s)


@case(privileged=True)
def delivery(world: World, log: Log) -> None:
    """Only members of the group receive a message. The sender's address contains the group."""
    a, b, c, d = member(world, A), member(world, B, 2), member(world, C, 2), member(world, D, 3)
    log.call("send", a.sendto, b"to group 2", (0, 2))
    for name, s in (("a", a), ("b", b), ("c", c), ("d", d)):
        log.recvmsg(name, s)


@case(privileged=True)
def sender_is_left_out(world: World, log: Log) -> None:
    """A member does not receive the messages that it sends to its own group."""
    a, b = member(world, A, 1), member(world, B, 1)
    log.call("send", a.sendto, b"hello", (0, 1))
    log.recvfrom("a", a)
    log.recvfrom("b", b)


@case(privileged=True)
def nobody_listens(world: World, log: Log) -> None:
    """Results of a send to a group without members, with and without an additional unicast destination."""
    a, b = member(world, A), member(world, B)
    log.call("group only", a.sendto, b"x", (0, 5 << 4))
    log.call("and unicast", a.sendto, b"y", (B, 1))
    log.call("and missing unicast", a.sendto, b"z", (C, 1))
    log.recvfrom("b", b)
    log.recvfrom("b", b)


@case(privileged=True)
def both_at_once(world: World, log: Log) -> None:
    """If a message is sent to a port id and a group, the group receives it first. The socket with this port
    id gets one copy, even if it is also a member of the group.
    """
    a, b, c = member(world, A), member(world, B, 4), member(world, C, 4)
    log.call("send", a.sendto, b"both", (B, 8))
    log.recvmsg("b", b)
    log.recvmsg("b", b)
    log.recvmsg("c", c)
    log.recvmsg("c", c)


@case(privileged=True)
def lowest_group_of_a_mask(world: World, log: Log) -> None:
    """If the destination is a mask of several groups, only the lowest group receives the message."""
    a, b, c = member(world, A), member(world, B, 2), member(world, C, 3)
    log.call("send", a.sendto, b"6", (0, 6))
    log.recvmsg("b", b)
    log.recvmsg("c", c)


@case(privileged=True)
def one_copy_for_several_groups(world: World, log: Log) -> None:
    """A member of several groups receives each message once. The sender's address contains the group of the
    message.
    """
    a, b = member(world, A), member(world, B, 1, 2, 3)
    for mask in (1, 2, 4):
        log.call(f"send {mask}", a.sendto, bytes([mask]), (0, mask))
    for _ in range(4):
        log.recvfrom("b", b)


@case(privileged=True)
def after_leaving(world: World, log: Log) -> None:
    """A socket that leaves a group keeps its queued messages and receives no later ones."""
    a, b, c = member(world, A), member(world, B, 2), member(world, C, 2)
    log.call("send", a.sendto, b"1", (0, 2))
    log.call("drop", b.setsockopt, SOL_NETLINK, DROP_MEMBERSHIP, 2)
    log.call("send", a.sendto, b"2", (0, 2))
    log.recvfrom("b", b)
    log.recvfrom("b", b)
    log.recvfrom("c", c)
    log.recvfrom("c", c)


@case(privileged=True)
def after_close(world: World, log: Log) -> None:
    """A closed socket is no longer a member. After the last close, the group has no members."""
    a, b, c = member(world, A), member(world, B, 2), member(world, C, 2)
    b.close()
    log.call("send", a.sendto, b"1", (0, 2))
    log.recvfrom("c", c)
    c.close()
    log.call("send", a.sendto, b"2", (0, 2))


@case(privileged=True)
def bound_groups_receive(world: World, log: Log) -> None:
    """bind() joins the groups in the mask of its address. A second bind() replaces the memberships in the
    first 32 groups.
    """
    a = member(world, A)
    b = netlink(world, wire.USERSOCK, bind=(B, 0b101))
    for mask in (1, 2, 4):
        log.call(f"send {mask}", a.sendto, bytes([mask]), (0, mask))
    log.call("bind anew", b.bind, (B, 0b010))
    for mask in (1, 2, 4):
        log.call(f"send {mask}", a.sendto, bytes([0x10 | mask]), (0, mask))
    for _ in range(4):
        log.recvfrom("b", b)


@case()
def send_unprivileged(world: World, log: Log) -> None:
    """Without privilege, a socket can send to a group on NETLINK_USERSOCK, but not on NETLINK_GENERIC or
    NETLINK_ROUTE.
    """
    for name, proto in (("usersock", wire.USERSOCK), ("generic", wire.GENERIC), ("route", wire.ROUTE)):
        s = netlink(world, proto, bind=(A, 0))
        log.call(name, s.sendto, wire.nlmsg(wire.NOOP, 0), (0, 1))


@case(privileged=True)
def list_memberships(world: World, log: Log) -> None:
    """NETLINK_LIST_MEMBERSHIPS returns 32-bit words with one bit for each group. Before the socket joins its
    first group, the option returns no bytes.
    """
    s = netlink(world, wire.USERSOCK, bind=(A, 0))
    log.call("none, 4 bytes", s.getsockopt, SOL_NETLINK, LIST_MEMBERSHIPS, 4)
    for group in (1, 4, 32):
        s.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
    for size in (4, 8, 64):
        log.call(f"{size} bytes", s.getsockopt, SOL_NETLINK, LIST_MEMBERSHIPS, size)
    log.call("int", s.getsockopt, SOL_NETLINK, LIST_MEMBERSHIPS)


@case(privileged=True)
def connected_to_a_group(world: World, log: Log) -> None:
    """A socket that is connected to a group sends to this group with send()."""
    a, b = member(world, A), member(world, B, 7)
    log.call("connect", a.connect, (0, 64))
    log.peer("peer", a)
    log.call("send", a.send, b"connected")
    log.recvmsg("b", b)


@case(privileged=True)
def connected_member(world: World, log: Log) -> None:
    """A connected socket still receives multicast messages from all senders."""
    a, b, c = member(world, A), member(world, B, 1), member(world, C)
    b.connect((C, 0))
    log.call("send", a.sendto, b"from a", (0, 1))
    log.recvfrom("b", b, 100, MSG_DONTWAIT)
    log.call("unicast", a.sendto, b"from a", (B, 0))
    log.call("peer's", c.sendto, b"from c", (B, 0))
    log.recvfrom("b", b, 100, MSG_DONTWAIT)
