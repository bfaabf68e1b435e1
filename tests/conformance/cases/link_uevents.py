"""Uevents of network devices on Linux 6.18: links of built-in kinds and their queues."""

from __future__ import annotations

from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.cases.device_uevents import change, create, listener, record_uevents
from tests.conformance.log import Log
from tests.conformance.wire import attr, u32
from tests.conformance.world import World

MARKS = ("namespaces", "time")


def queues(tx: int, rx: int) -> bytes:
    """Return attributes that set the numbers of queues. Without them, a veth has as many queues as the
    machine has CPUs.
    """
    return attr(il.IFLA_NUM_TX_QUEUES, u32(tx)) + attr(il.IFLA_NUM_RX_QUEUES, u32(rx))


PEER = attr(il.VETH_INFO_PEER, rt.IfInfoMsg(index=21).pack() + attr(il.IFLA_IFNAME, b"v1\0") + queues(1, 1))


def of_links(data: bytes) -> bool:
    """Return True for uevents of network devices. Uevents of their modules depend on the kernel's
    configuration.
    """
    return b"/net/" in data


@case(privileged=True, marks=MARKS)
def a_pair(world: World, log: Log) -> None:
    """If a veth pair is created, the peer emits `add` first, then the queues of the peer, then the other end
    and its queues. If one end is deleted, both ends emit `remove`.
    """
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    create(log, route, "v0", "veth", 20, PEER, queues(1, 1))
    record_uevents(here, log, "created", sock, of_links)
    change(log, route, "name", rt.RTM_NEWLINK, 21, attr(il.IFLA_IFNAME, b"v2\0"))
    record_uevents(here, log, "name", sock, of_links)
    change(log, route, "delete", rt.RTM_DELLINK, 21, b"")
    record_uevents(here, log, "deleted", sock, of_links)


@case(privileged=True, marks=MARKS)
def several_queues(world: World, log: Log) -> None:
    """Each queue of a link is a device with uevents."""
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    create(log, route, "v0", "veth", 20, PEER, queues(2, 3))
    record_uevents(here, log, "created", sock, of_links)
    change(log, route, "delete", rt.RTM_DELLINK, 20, b"")
    record_uevents(here, log, "deleted", sock, of_links)


@case(privileged=True, marks=MARKS)
def another_namespace(world: World, log: Log) -> None:
    """If a veth end moves to another namespace, it emits `remove` in the old one and `add` in the new one.
    Its queues emit nothing.
    """
    here, there = world.namespace(), world.namespace()
    old, new, route = listener(here), listener(there), netlink(here, wire.ROUTE)
    here.set_nsid(there, 5)
    create(log, route, "v0", "veth", 20, PEER, queues(1, 1))
    record_uevents(here, log, "created", old, of_links)
    change(log, route, "move", rt.RTM_NEWLINK, 21, attr(il.IFLA_TARGET_NETNSID, u32(5)))
    change(log, route, "move to", rt.RTM_NEWLINK, 21, attr(il.IFLA_NEW_NETNSID, u32(5)))
    record_uevents(here, log, "here", old, of_links)
    record_uevents(here, log, "there", new, of_links)
    change(log, route, "delete", rt.RTM_DELLINK, 20, b"")
    record_uevents(here, log, "here", old, of_links)
    record_uevents(here, log, "there", new, of_links)


@case(privileged=True, marks=MARKS)
def a_bridge_and_its_port(world: World, log: Log) -> None:
    """Uevents of a bridge, and of a port that is added and removed."""
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    create(log, route, "b0", "bridge", 30)
    create(log, route, "v0", "veth", 20, PEER, queues(1, 1))
    record_uevents(here, log, "created", sock, of_links)
    for label, master in (("port", 30), ("no port", 0), ("port again", 30)):
        change(log, route, label, rt.RTM_NEWLINK, 20, attr(il.IFLA_MASTER, u32(master)))
        record_uevents(here, log, label, sock, of_links)
    change(log, route, "delete", rt.RTM_DELLINK, 30, b"")
    record_uevents(here, log, "deleted", sock, of_links)
