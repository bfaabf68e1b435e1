"""bind(2), connect(2), getsockname(2), getpeername(2): port ids and groups."""

from __future__ import annotations

from simkernel.uapi.socket import AF_NETLINK, SOCK_DGRAM
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.world import World

PID = 0x40000001


@case()
def auto(world: World, log: Log) -> None:
    """A bind to port id 0 makes the kernel choose a port id."""
    s = netlink(world, wire.USERSOCK)
    log.name("before", s)
    log.call("bind", s.bind, (0, 0))
    log("chosen", log.auto(s) != 0)
    log.name("after", s)
    log.peer("peer", s)


@case()
def second_auto_is_negative(world: World, log: Log) -> None:
    """The first socket of a process gets a positive port id. A second open socket gets a negative one."""
    first, second, third = (netlink(world, wire.USERSOCK, bind=(0, 0)) for _ in range(3))
    portids = [log.auto(s) for s in (first, second, third)]
    log("distinct", len(set(portids)))
    log("top bits", [portid >> 31 for portid in portids])


@case()
def auto_per_protocol(world: World, log: Log) -> None:
    """Port ids are unique only within a protocol: the first socket of each protocol gets the same port id."""
    a = netlink(world, wire.USERSOCK, bind=(0, 0))
    b = netlink(world, wire.GENERIC, bind=(0, 0))
    log("same", log.auto(a) == log.auto(b))


@case()
def auto_after_close(world: World, log: Log) -> None:
    """The kernel can choose a port id again as soon as its socket is closed."""
    a = netlink(world, wire.USERSOCK, bind=(0, 0))
    portid = log.auto(a)
    a.close()
    b = netlink(world, wire.USERSOCK, bind=(0, 0))
    log("same again", b.getsockname()[0] == portid)


@case()
def explicit(world: World, log: Log) -> None:
    """bind() accepts every explicit port id up to 2**32 - 1."""
    for portid in (1, PID, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
        s = netlink(world, wire.USERSOCK)
        log.call(f"bind {portid:#x}", s.bind, (portid, 0))
        log.name("name", s)


@case()
def in_use(world: World, log: Log) -> None:
    """bind() to a port id that is in use fails with EADDRINUSE. Afterwards, getsockname() returns the refused
    port id, but the socket can be bound again.
    """
    a, b, c = netlink(world, wire.USERSOCK), netlink(world, wire.USERSOCK), netlink(world, wire.GENERIC)
    log.call("first", a.bind, (PID, 0))
    log.call("second", b.bind, (PID, 0))
    log.name("second's name", b)
    log.call("other protocol", c.bind, (PID, 0))
    log.call("second elsewhere", b.bind, (PID + 1, 0))
    log.name("second's name", b)
    a.close()
    d = netlink(world, wire.USERSOCK)
    log.call("after close", d.bind, (PID, 0))


@case()
def twice(world: World, log: Log) -> None:
    """A second bind() to the same port id succeeds. A second bind() to another port id, or to port id 0,
    fails with EINVAL.
    """
    s = netlink(world, wire.USERSOCK, bind=(PID, 0))
    log.call("same", s.bind, (PID, 0))
    log.call("other", s.bind, (PID + 1, 0))
    log.call("zero", s.bind, (0, 0))
    log.name("name", s)


@case()
def explicit_after_auto(world: World, log: Log) -> None:
    """If the kernel chose a socket's port id, a later bind() cannot change it. An explicit port id cannot be
    changed either.
    """
    s = netlink(world, wire.USERSOCK, bind=(0, 0))
    portid = log.auto(s)
    log.call("other", s.bind, (PID, 0))
    log.call("zero", s.bind, (0, 0))
    log.call("itself", s.bind, (portid, 0))
    log.name("name", s)


@case()
def groups_unprivileged(world: World, log: Log) -> None:
    """Without privilege, a socket can join groups with bind() only on some netlink protocols."""
    for name, proto in (
        ("usersock", wire.USERSOCK),
        ("generic", wire.GENERIC),
        ("route", wire.ROUTE),
        ("uevent", wire.UEVENT),
    ):
        s = netlink(world, proto)
        log.call(name, s.bind, (PID, 1))
        log.name(f"{name} name", s)


@case(privileged=True)
def groups_privileged(world: World, log: Log) -> None:
    """A privileged socket can bind to multicast groups. getsockname() returns their mask."""
    s = netlink(world, wire.USERSOCK)
    log.call("bind", s.bind, (PID, 0x80000005))
    log.name("name", s)
    log.call("change", s.bind, (PID, 0x10))
    log.name("name", s)
    log.call("none", s.bind, (PID, 0))
    log.name("name", s)


@case(privileged=True)
def groups_beyond_the_protocol(world: World, log: Log) -> None:
    """bind() accepts all 32 bits of the group mask, even on NETLINK_KOBJECT_UEVENT, where the kernel sends
    only to group 1.
    """
    s = netlink(world, wire.UEVENT)
    log.call("bind", s.bind, (PID, 0xFFFFFFFF))
    log.name("name", s)


@case(privileged=True)
def bad_portid_keeps_groups(world: World, log: Log) -> None:
    """A bind() that fails because of its port id does not change the groups."""
    s = netlink(world, wire.USERSOCK, bind=(PID, 3))
    log.call("bind", s.bind, (PID + 1, 12))
    log.name("name", s)


@case()
def connect_binds(world: World, log: Log) -> None:
    """connect() on an unbound socket binds it to a chosen port id and sets the peer."""
    s = netlink(world, wire.USERSOCK)
    log.call("connect", s.connect, (PID, 0))
    log("chosen", log.auto(s) != 0)
    log.name("name", s)
    log.peer("peer", s)


@case()
def connect_again(world: World, log: Log) -> None:
    """A connected socket can connect to another port id, and to the kernel (port id 0)."""
    s = netlink(world, wire.USERSOCK, bind=(PID, 0))
    log.call("to 7", s.connect, (7, 0))
    log.peer("peer", s)
    log.call("to 0", s.connect, (0, 0))
    log.peer("peer", s)
    log.name("name", s)


@case()
def connect_unprivileged(world: World, log: Log) -> None:
    """Only NETLINK_USERSOCK lets an unprivileged socket connect to a process or to a group."""
    for name, proto in (("usersock", wire.USERSOCK), ("generic", wire.GENERIC), ("route", wire.ROUTE)):
        for portid, groups in ((0, 0), (PID, 0), (0, 1), (PID, 2)):
            s = world.socket(AF_NETLINK, SOCK_DGRAM, proto)
            log.call(f"{name} to ({portid:#x}, {groups})", s.connect, (portid, groups))
            log.auto(s)
            log.name("name", s)
            log.peer("peer", s)
            s.close()


@case(privileged=True)
def connect_groups(world: World, log: Log) -> None:
    """connect() keeps only the lowest group of the mask."""
    s = netlink(world, wire.USERSOCK, bind=(PID, 0))
    for groups in (1, 6, 0x80000000, 0xF0, 0):
        log.call(f"connect {groups:#x}", s.connect, (9, groups))
        log.peer("peer", s)


@case()
def send_binds(world: World, log: Log) -> None:
    """Sending makes the kernel choose a port id, even if the message cannot be delivered."""
    s = netlink(world, wire.USERSOCK)
    log.call("send", s.sendto, b"hello", (PID, 0))
    log("chosen", log.auto(s) != 0)
    log.name("name", s)


@case()
def receive_does_not_bind(world: World, log: Log) -> None:
    """recv, getsockname and getpeername leave the socket unbound."""
    s = netlink(world, wire.USERSOCK)
    log.recv("recv", s)
    log.peer("peer", s)
    log.name("name", s)
