"""Network namespaces: only a socket with NETLINK_LISTEN_ALL_NSID receives messages from other namespaces."""

from __future__ import annotations

from simkernel.uapi.structure import S32
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ADD_MEMBERSHIP, LISTEN_ALL_NSID, PKTINFO, SOL_NETLINK
from tests.conformance.world import Socket, World

A, B = 0x4F000001, 0x4F000002
NAMESPACES = ("namespaces",)


def all_nsid_listener(world: World, *options: int) -> Socket:
    """Return a socket in group 1 with NETLINK_LISTEN_ALL_NSID and the further options that the caller passes.
    The socket also receives messages from each namespace for which its own namespace has an nsid.
    """
    sock = netlink(world, wire.USERSOCK, bind=(B, 0))
    sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, 1)
    for option in (LISTEN_ALL_NSID, *options):
        sock.setsockopt(SOL_NETLINK, option, 1)
    return sock


def send_to_group(log: Log, world: World, data: bytes) -> None:
    """Send to group 1 from a temporary socket."""
    sock = netlink(world, wire.USERSOCK, bind=(A, 0))
    log.call("speak", sock.sendto, data, (0, 1))
    sock.close()


@case(privileged=True, marks=NAMESPACES)
def port_ids(world: World, log: Log) -> None:
    """Port ids are separate in each network namespace. A unicast message cannot reach another namespace."""
    other = world.namespace()
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(other, wire.USERSOCK)
    log.call("the same port id", b.bind, (A, 0))
    log.call("to itself", b.sendto, b"mine", (A, 0))
    log.recv("there", b)
    log.recv("here", a)
    log.call("to a port id of the other's", netlink(other, wire.USERSOCK).sendto, b"x", (B, 0))


@case(privileged=True, marks=NAMESPACES)
def first_port_id(world: World, log: Log) -> None:
    """In each namespace, the first port id that the kernel chooses is the process id."""
    here = netlink(world, wire.USERSOCK, bind=(0, 0))
    there = netlink(world.namespace(), wire.USERSOCK, bind=(0, 0))
    log("same", here.getsockname()[0] == there.getsockname()[0])


@case(privileged=True, marks=NAMESPACES)
def groups(world: World, log: Log) -> None:
    """Only members in the sender's namespace receive a group message."""
    other = world.namespace()
    here, there = netlink(world, wire.USERSOCK, bind=(B, 1)), netlink(other, wire.USERSOCK, bind=(B, 1))
    log.call("send", netlink(other, wire.USERSOCK, bind=(A, 0)).sendto, b"there", (0, 1))
    log.recvfrom("there", there)
    log.recvfrom("here", here)


@case(privileged=True, marks=NAMESPACES)
def all_namespaces_need_a_number(world: World, log: Log) -> None:
    """A NETLINK_LISTEN_ALL_NSID listener receives messages from another namespace only if the listener's
    namespace has an nsid for it.
    """
    other = world.namespace()
    listener = all_nsid_listener(world)
    a = netlink(other, wire.USERSOCK, bind=(A, 0))
    log.call("send", a.sendto, b"before", (0, 1))
    log.recvmsg("without a number", listener, 100, 100)
    log.call("give it a number", world.set_nsid, other, 7)
    log.call("send", a.sendto, b"after", (0, 1))
    log.recvmsg("with one", listener, 100, 100)


@case(privileged=True, marks=NAMESPACES)
def of_its_own_namespace(world: World, log: Log) -> None:
    """A message from the listener's own namespace has no nsid control message."""
    listener = all_nsid_listener(world)
    send_to_group(log, world, b"home")
    log.recvmsg("recv", listener, 100, 100)


@case(privileged=True, marks=NAMESPACES)
def number_and_group(world: World, log: Log) -> None:
    """With NETLINK_PKTINFO, recvmsg() returns first the group, then the nsid of the sender's namespace."""
    other = world.namespace()
    world.set_nsid(other, 3)
    listener = all_nsid_listener(world, PKTINFO)
    send_to_group(log, other, b"x")
    log.recvmsg("recv", listener, 100, 100)


@case(privileged=True, marks=NAMESPACES)
def numbers_are_one_sided(world: World, log: Log) -> None:
    """If namespace A assigns an nsid to namespace B, then B has no nsid for A."""
    other = world.namespace()
    world.set_nsid(other, 5)
    there = all_nsid_listener(other)
    send_to_group(log, world, b"x")
    log.recvmsg("recv", there, 100, 100)
    log.call("a number for this one", other.set_nsid, world, 0)
    send_to_group(log, world, b"y")
    log.recvmsg("recv", there, 100, 100)


@case(privileged=True, marks=NAMESPACES)
def numbers(world: World, log: Log) -> None:
    """A namespace has only one nsid for each other namespace. With a negative nsid, the kernel chooses a free
    one.
    """
    first, second = world.namespace(), world.namespace()
    for label, other, nsid in (
        ("any", world.namespace(), -1),
        ("any", world.namespace(), -2),
        ("9", first, 9),
        ("the same again", first, 9),
        ("another for the same", first, 10),
        ("the same for another", second, 9),
        ("the largest", second, 2**31 - 1),
    ):
        log.call(label, world.set_nsid, other, nsid)


@case(privileged=True, marks=NAMESPACES)
def three_namespaces(world: World, log: Log) -> None:
    """A listener with NETLINK_LISTEN_ALL_NSID gets each message with the nsid of the sender's namespace. The
    sender's port id is valid only in that namespace.
    """
    others = [world.namespace() for _ in range(3)]
    listener = all_nsid_listener(world)
    for nsid, other in enumerate(others):
        world.set_nsid(other, nsid + 10)
        send_to_group(log, other, bytes([nsid]))
    for _ in others:
        data, control, _, sender = listener.recvmsg(100, 100)
        log("recv", [data, [S32.unpack(value)[0] for _, _, value in control], list(sender)])


@case(privileged=True, marks=NAMESPACES)
def same_port_id_elsewhere(world: World, log: Log) -> None:
    """A sender in another namespace can have the same port id as a listener. With NETLINK_LISTEN_ALL_NSID,
    the listener also receives messages of this sender.
    """
    other = world.namespace()
    world.set_nsid(other, 1)
    listener = all_nsid_listener(world)
    a = netlink(other, wire.USERSOCK, bind=(B, 0))
    log.call("send", a.sendto, b"x", (0, 1))
    log.recvmsg("recv", listener, 100, 100)


@case(privileged=True, marks=(*NAMESPACES, "credentials"))
def without_privilege(world: World, log: Log) -> None:
    """NETLINK_LISTEN_ALL_NSID checks the privilege of the process that opened the socket."""
    other = world.namespace()
    world.set_nsid(other, 1)
    world.become(privileged=False)
    weak = netlink(world, wire.USERSOCK, bind=(B, 0))
    world.become(privileged=True)
    weak.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, 1)
    log.call("set", weak.setsockopt, SOL_NETLINK, LISTEN_ALL_NSID, 1)
    send_to_group(log, other, b"x")
    log.recvmsg("recv", weak, 100, 100)


@case(privileged=True, marks=NAMESPACES)
def families(world: World, log: Log) -> None:
    """nlctrl exists in every network namespace."""
    s = netlink(world.namespace(), wire.GENERIC, bind=(A, 0))
    log.ask("get", s, wire.ctrl(attrs=wire.by_id()))
