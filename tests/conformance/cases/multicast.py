"""Multicast groups, on NETLINK_USERSOCK where users may own both ends."""

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
    """Membership by option shows in the mask of getsockname."""
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
    """Membership needs no port id, and gives none."""
    s = netlink(world, wire.USERSOCK)
    log.call("add", s.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, 2)
    log.name("name", s)
    log.call("bind", s.bind, (A, 0))
    log.name("after bind to no groups", s)


@case(privileged=True)
def group_numbers(world: World, log: Log) -> None:
    """Which numbers are groups: 1 to 32 here."""
    s = netlink(world, wire.USERSOCK, bind=(A, 0))
    for group in (0, 33, 64, -1, 0x7FFFFFFF):
        log.call(f"add {group}", s.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, group)
        log.call(f"drop {group}", s.setsockopt, SOL_NETLINK, DROP_MEMBERSHIP, group)


@case()
def join_unprivileged(world: World, log: Log) -> None:
    """Joining without privilege, group 1 of each protocol; and leaving it."""
    for name, proto in (("usersock", wire.USERSOCK), ("route", wire.ROUTE), ("uevent", wire.UEVENT)):
        s = netlink(world, proto)
        log.call(f"{name} add", s.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, 1)
        log.call(f"{name} drop", s.setsockopt, SOL_NETLINK, DROP_MEMBERSHIP, 1)
        log.name(f"{name} name", s)


@case(privileged=True)
def delivery(world: World, log: Log) -> None:
    """Members receive, others do not; the sender's address carries the group."""
    a, b, c, d = member(world, A), member(world, B, 2), member(world, C, 2), member(world, D, 3)
    log.call("send", a.sendto, b"to group 2", (0, 2))
    for name, s in (("a", a), ("b", b), ("c", c), ("d", d)):
        log.recvmsg(name, s)


@case(privileged=True)
def sender_is_left_out(world: World, log: Log) -> None:
    """A member does not hear itself."""
    a, b = member(world, A, 1), member(world, B, 1)
    log.call("send", a.sendto, b"hello", (0, 1))
    log.recvfrom("a", a)
    log.recvfrom("b", b)


@case(privileged=True)
def nobody_listens(world: World, log: Log) -> None:
    """A group without members, with and without a unicast destination."""
    a, b = member(world, A), member(world, B)
    log.call("group only", a.sendto, b"x", (0, 5 << 4))
    log.call("and unicast", a.sendto, b"y", (B, 1))
    log.call("and missing unicast", a.sendto, b"z", (C, 1))
    log.recvfrom("b", b)
    log.recvfrom("b", b)


@case(privileged=True)
def both_at_once(world: World, log: Log) -> None:
    """A port id and a group: multicast first, then unicast; the port id's socket gets one copy."""
    a, b, c = member(world, A), member(world, B, 4), member(world, C, 4)
    log.call("send", a.sendto, b"both", (B, 8))
    log.recvmsg("b", b)
    log.recvmsg("b", b)
    log.recvmsg("c", c)
    log.recvmsg("c", c)


@case(privileged=True)
def lowest_group_of_a_mask(world: World, log: Log) -> None:
    """A message goes to one group: the lowest in the mask."""
    a, b, c = member(world, A), member(world, B, 2), member(world, C, 3)
    log.call("send", a.sendto, b"6", (0, 6))
    log.recvmsg("b", b)
    log.recvmsg("c", c)


@case(privileged=True)
def one_copy_for_several_groups(world: World, log: Log) -> None:
    """A member of several groups gets each message once, with its group."""
    a, b = member(world, A), member(world, B, 1, 2, 3)
    for mask in (1, 2, 4):
        log.call(f"send {mask}", a.sendto, bytes([mask]), (0, mask))
    for _ in range(4):
        log.recvfrom("b", b)


@case(privileged=True)
def after_leaving(world: World, log: Log) -> None:
    """Messages queued before leaving stay; later ones do not come."""
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
    """A closed member is gone; the last one closed leaves nobody."""
    a, b, c = member(world, A), member(world, B, 2), member(world, C, 2)
    b.close()
    log.call("send", a.sendto, b"1", (0, 2))
    log.recvfrom("c", c)
    c.close()
    log.call("send", a.sendto, b"2", (0, 2))


@case(privileged=True)
def bound_groups_receive(world: World, log: Log) -> None:
    """Groups given to bind() are as good; binding anew replaces the first 32."""
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
    """Without privilege: sending to a group, by protocol."""
    for name, proto in (("usersock", wire.USERSOCK), ("generic", wire.GENERIC), ("route", wire.ROUTE)):
        s = netlink(world, proto, bind=(A, 0))
        log.call(name, s.sendto, wire.nlmsg(wire.NOOP, 0), (0, 1))


@case(privileged=True)
def list_memberships(world: World, log: Log) -> None:
    """NETLINK_LIST_MEMBERSHIPS: a bit per group, in 32-bit words; no words before the first membership."""
    s = netlink(world, wire.USERSOCK, bind=(A, 0))
    log.call("none, 4 bytes", s.getsockopt, SOL_NETLINK, LIST_MEMBERSHIPS, 4)
    for group in (1, 4, 32):
        s.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
    for size in (4, 8, 64):
        log.call(f"{size} bytes", s.getsockopt, SOL_NETLINK, LIST_MEMBERSHIPS, size)
    log.call("int", s.getsockopt, SOL_NETLINK, LIST_MEMBERSHIPS)


@case(privileged=True)
def connected_to_a_group(world: World, log: Log) -> None:
    """send() of a socket connected to a group."""
    a, b = member(world, A), member(world, B, 7)
    log.call("connect", a.connect, (0, 64))
    log.peer("peer", a)
    log.call("send", a.send, b"connected")
    log.recvmsg("b", b)


@case(privileged=True)
def connected_member(world: World, log: Log) -> None:
    """Being connected to somebody does not keep multicast from others away."""
    a, b, c = member(world, A), member(world, B, 1), member(world, C)
    b.connect((C, 0))
    log.call("send", a.sendto, b"from a", (0, 1))
    log.recvfrom("b", b, 100, MSG_DONTWAIT)
    log.call("unicast", a.sendto, b"from a", (B, 0))
    log.call("peer's", c.sendto, b"from c", (B, 0))
    log.recvfrom("b", b, 100, MSG_DONTWAIT)
