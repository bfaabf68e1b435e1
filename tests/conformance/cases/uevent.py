"""NETLINK_KOBJECT_UEVENT: the privileges of listeners and senders.

The machine's devices can emit uevents at any time, so the cases record only their own messages.
"""

from __future__ import annotations

from simkernel.uapi.socket import MSG_DONTWAIT
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, EXT_ACK, REQUEST, SOL_NETLINK
from tests.conformance.world import Socket, World

A, B = 0x4A000001, 0x4A000002
MARK = b"simkernel"


def ours(log: Log, label: str, sock: Socket) -> None:
    """Record the next message that contains MARK, without the value of SEQNUM. Messages of other programs
    lack MARK.
    """
    for _ in range(100):
        try:
            data, sender = sock.recvfrom(65536, MSG_DONTWAIT)
        except OSError as error:
            log(label, error)
            return
        if MARK in data:
            head, seqnum, tail = data.partition(b"SEQNUM=")
            log(label, [head, seqnum, tail.rstrip(b"0123456789\0"), len(tail) - len(tail.rstrip(b"\0"))])
            log.address(f"{label}: sender", sender)
            return


@case()
def listen_unprivileged(world: World, log: Log) -> None:
    """An unprivileged socket can listen to group 1 of NETLINK_KOBJECT_UEVENT, in which the kernel sends
    uevents.
    """
    s = netlink(world, wire.UEVENT)
    log.call("bind", s.bind, (A, 1))
    log.name("name", s)
    ours(log, "recv", s)


@case()
def groups_to_join(world: World, log: Log) -> None:
    """NETLINK_KOBJECT_UEVENT uses only one group, but a socket can join any of 32 groups."""
    s = netlink(world, wire.UEVENT)
    for group in (0, 1, 2, 32, 33):
        log.call(f"join {group}", s.setsockopt, SOL_NETLINK, wire.ADD_MEMBERSHIP, group)
    log.name("name", s)


@case()
def speak_unprivileged(world: World, log: Log) -> None:
    """An unprivileged request to NETLINK_KOBJECT_UEVENT gets the reply EPERM. An unprivileged send to a group
    or to another process fails.
    """
    s, t = netlink(world, wire.UEVENT, bind=(A, 0)), netlink(world, wire.UEVENT, bind=(B, 1))
    s.setsockopt(SOL_NETLINK, EXT_ACK, 1)
    log.ask("request", s, wire.nlmsg(16, REQUEST | ACK, b"add@/" + MARK + b"\0", seq=1))
    log.call("no request", s.send, b"add@/" + MARK + b"\0")
    log.call("group", s.sendto, b"add@/" + MARK + b"\0", (0, 1))
    log.call("user", s.sendto, b"add@/" + MARK + b"\0", (B, 0))
    ours(log, "recv", t)


@case(privileged=True)
def speak_privileged(world: World, log: Log) -> None:
    """If a privileged program sends a request to NETLINK_KOBJECT_UEVENT, the kernel forwards the request's
    text to all listeners: without the netlink header, and with a SEQNUM.
    """
    s, t = netlink(world, wire.UEVENT, bind=(A, 0)), netlink(world, wire.UEVENT, bind=(B, 1))
    log.ask("request", s, wire.nlmsg(16, REQUEST | ACK, b"add@/" + MARK + b"\0ACTION=add\0", seq=1))
    ours(log, "recv", t)
    ours(log, "recv", t)


@case(privileged=True)
def group_privileged(world: World, log: Log) -> None:
    """A privileged process can send directly to the group of NETLINK_KOBJECT_UEVENT."""
    s, t = netlink(world, wire.UEVENT, bind=(A, 0)), netlink(world, wire.UEVENT, bind=(B, 1))
    log.call("group", s.sendto, MARK + b" to the group", (0, 1))
    ours(log, "recv", t)
    log.call("user", s.sendto, MARK + b" to a user", (B, 0))
    ours(log, "recv", t)


@case(privileged=True)
def control_type(world: World, log: Log) -> None:
    """NETLINK_KOBJECT_UEVENT does not forward a request with a message type below 16."""
    s, t = netlink(world, wire.UEVENT, bind=(A, 0)), netlink(world, wire.UEVENT, bind=(B, 1))
    log.ask("request", s, wire.nlmsg(wire.NOOP, REQUEST | ACK, b"add@/" + MARK + b"\0", seq=1))
    ours(log, "recv", t)
