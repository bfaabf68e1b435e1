"""NETLINK_ROUTE: requests that create, change and delete links, and the notifications of RTNLGRP_LINK."""

from __future__ import annotations

from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import NLM_F_CREATE as CREATE
from simkernel.uapi.netlink import NLM_F_ECHO as ECHO
from simkernel.uapi.netlink import NLM_F_EXCL as EXCL
from simkernel.uapi.socket import AF_UNSPEC
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.masks import mask_links
from tests.conformance.wire import ACK, REQUEST, attr, nlmsg, u32
from tests.conformance.world import Socket, World

MARKS = ("route",)
MAC_A, MAC_B, MAC_C = (bytes((2, 0, 0, 0, 0, each)) for each in (10, 11, 12))
UP = 1
QUEUES = attr(il.IFLA_NUM_TX_QUEUES, u32(1)) + attr(il.IFLA_NUM_RX_QUEUES, u32(1))
"""Attributes for one queue in each direction. Without them, a veth has one queue for each CPU, so results
would differ between machines.
"""


class Links:
    """A socket that requests changes of links, and a listener to RTNLGRP_LINK."""

    def __init__(self, world: World, log: Log) -> None:
        self.log = log
        log.mask = mask_links
        self.changer: Socket = netlink(world, wire.ROUTE, bind=(0x41000001, 0))
        self.changer.setsockopt(wire.SOL_NETLINK, wire.EXT_ACK, 1)
        self.listener: Socket = netlink(world, wire.ROUTE, bind=(0x41000002, 1 << (rt.RTNLGRP_LINK - 1)))

    def ask(self, label: str, type: int, body: bytes, flags: int = 0) -> None:
        """Send a request, record its reply, complete all carrier changes, then record the notifications."""
        self.log.ask(label, self.changer, nlmsg(type, REQUEST | ACK | flags, body, seq=7))
        changed = rt.IfInfoMsg.unpack(body).index
        # The notification about a bridge can follow the notification about its port.
        for index in (changed, *range(8), *range(8)):
            # RTM_GETLINK completes a carrier change. Without it, a work item of the kernel would complete the
            # change at an unpredictable time.
            self.changer.send(nlmsg(rt.RTM_GETLINK, REQUEST, rt.IfInfoMsg(index=index).pack(), seq=8))
            self.changer.recv(65536)
        self.log.replies(f"{label}: notified", self.listener)

    def veth(self, label: str, name: bytes = b"v0", peer: bytes = b"v1", *attrs: bytes) -> None:
        """Create a veth pair with fixed hardware addresses."""
        other = (
            rt.IfInfoMsg().pack() + attr(il.IFLA_IFNAME, peer + b"\0") + attr(il.IFLA_ADDRESS, MAC_B) + QUEUES
        )
        body = (
            rt.IfInfoMsg().pack() + attr(il.IFLA_IFNAME, name + b"\0") + attr(il.IFLA_ADDRESS, MAC_A) + QUEUES
        )
        info = attr(il.IFLA_INFO_KIND, b"veth\0") + attr(il.IFLA_INFO_DATA, attr(il.VETH_INFO_PEER, other))
        made = body + b"".join(attrs) + attr(il.IFLA_LINKINFO, info)
        self.ask(label, rt.RTM_NEWLINK, made, CREATE | EXCL)

    def bridge(self, label: str, name: bytes = b"br0") -> None:
        """Create a bridge with a fixed hardware address."""
        body = rt.IfInfoMsg().pack() + attr(il.IFLA_IFNAME, name + b"\0") + attr(il.IFLA_ADDRESS, MAC_C)
        info = attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"bridge\0"))
        self.ask(label, rt.RTM_NEWLINK, body + info, CREATE | EXCL)

    def set(self, label: str, index: int, *attrs: bytes, flags: int = 0, change: int = 0) -> None:
        """Send an RTM_NEWLINK request that changes an existing link, and record its reply and the
        notifications.
        """
        header = rt.IfInfoMsg(AF_UNSPEC, index=index, flags=flags, change=change)
        self.ask(label, rt.RTM_NEWLINK, header.pack() + b"".join(attrs))

    def get(self, label: str, index: int) -> None:
        """Request the attributes of a link (RTM_GETLINK), which also completes a carrier change."""
        self.ask(label, rt.RTM_GETLINK, rt.IfInfoMsg(index=index).pack())


@case(privileged=True, marks=MARKS)
def veth_pair(world: World, log: Log) -> None:
    """When a veth pair is created, the first notification is about the peer. If one end is deleted, the other
    end is deleted too.
    """
    links = Links(world, log)
    links.veth("make")
    links.get("first", 2)
    links.veth("again")
    links.veth("a free name", b"w%d", b"w%d")
    other = rt.IfInfoMsg().pack() + attr(il.IFLA_IFNAME, b"e0\0")
    info = attr(il.IFLA_INFO_KIND, b"bridge\0")
    links.ask(
        "echo",
        rt.RTM_NEWLINK,
        other + attr(il.IFLA_ADDRESS, MAC_A) + attr(il.IFLA_LINKINFO, info),
        CREATE | ECHO,
    )
    links.ask("delete", rt.RTM_DELLINK, rt.IfInfoMsg(index=2).pack())
    links.ask("delete with an echo", rt.RTM_DELLINK, other, ECHO)
    links.ask("delete again", rt.RTM_DELLINK, rt.IfInfoMsg(index=2).pack())


@case(privileged=True, marks=MARKS)
def attributes_of_a_link(world: World, log: Log) -> None:
    """Changes of MTU, address, name, alias, group, queue length and alternative names of a link that is
    down.
    """
    links = Links(world, log)
    links.veth("make")
    links.set("mtu", 3, attr(il.IFLA_MTU, u32(1400)))
    links.set("same mtu", 3, attr(il.IFLA_MTU, u32(1400)))
    links.set("small mtu", 3, attr(il.IFLA_MTU, u32(60)))
    links.set("large mtu", 3, attr(il.IFLA_MTU, u32(65536)))
    links.set("address", 3, attr(il.IFLA_ADDRESS, MAC_C))
    links.set("group address", 3, attr(il.IFLA_ADDRESS, b"\1" + MAC_C[1:]))
    links.set("short address", 3, attr(il.IFLA_ADDRESS, MAC_C[:5]))
    links.set("name", 3, attr(il.IFLA_IFNAME, b"eth0\0"))
    links.set("taken name", 3, attr(il.IFLA_IFNAME, b"v1\0"))
    links.set("bad name", 3, attr(il.IFLA_IFNAME, b"a b\0"))
    links.set("numbered name", 3, attr(il.IFLA_IFNAME, b"eth%d\0"))
    links.set("alias", 3, attr(il.IFLA_IFALIAS, b"uplink"))
    links.set("no alias", 3, attr(il.IFLA_IFALIAS, b""))
    links.set("group", 3, attr(il.IFLA_GROUP, u32(9)))
    links.set("txqlen", 3, attr(il.IFLA_TXQLEN, u32(500)))
    links.set("master", 3, attr(il.IFLA_MASTER, u32(2)))
    links.set("no master", 3, attr(il.IFLA_MASTER, u32(0)))
    names = attr(il.IFLA_PROP_LIST | wire.NESTED, attr(il.IFLA_ALT_IFNAME, b"a-rather-long-name\0"))
    for label, type in (("add", rt.RTM_NEWLINKPROP), ("remove", rt.RTM_DELLINKPROP)):
        links.ask(f"{label} a name", type, rt.IfInfoMsg(index=3).pack() + names)
        links.ask(f"{label} it again", type, rt.IfInfoMsg(index=3).pack() + names)
    links.get("at the end", 3)


@case(privileged=True, marks=MARKS)
def up_and_down(world: World, log: Log) -> None:
    """An end of a veth has a carrier while both ends are up."""
    links = Links(world, log)
    links.veth("make")
    links.get("made: first", 3)
    links.get("made: second", 2)
    for label, index, flags in (("first up", 3, UP), ("second up", 2, UP), ("first down", 3, 0)):
        links.set(label, index, flags=flags, change=UP)
        links.get(f"{label}: first", 3)
        links.get(f"{label}: second", 2)


@case(privileged=True, marks=MARKS)
def bridge_and_port(world: World, log: Log) -> None:
    """Notifications about a bridge, and about a link that becomes a port of the bridge and later leaves
    it.
    """
    links = Links(world, log)
    links.bridge("make")
    links.veth("pair")
    for each in (4, 3, 2):
        links.get(f"made: {each}", each)
    links.set("enslave", 4, attr(il.IFLA_MASTER, u32(2)))
    links.get("port", 4)
    links.get("bridge", 2)
    for label, index in (("bridge up", 2), ("port up", 4), ("other end up", 3)):
        links.set(label, index, flags=UP, change=UP)
        for each in (4, 3, 2):
            links.get(f"{label}: {each}", each)
    links.set("release", 4, attr(il.IFLA_MASTER, u32(0)))
    links.get("released: bridge", 2)
    links.ask("delete", rt.RTM_DELLINK, rt.IfInfoMsg(index=2).pack())


@case(privileged=True, marks=(*MARKS, "namespaces"))
def links_of_another_namespace(world: World, log: Log) -> None:
    """RTM_NEWLINK with NLM_F_CREATE, NLM_F_EXCL and a target namespace looks up the link in the target
    namespace. Without these flags, it looks up the link in the namespace of the socket. If it would move `lo`
    or a bridge to another namespace, it fails with EINVAL.
    """
    links = Links(world, log)
    other = world.namespace()
    world.set_nsid(other, 7)
    links.bridge("make")
    bridge = rt.IfInfoMsg().pack() + attr(il.IFLA_IFNAME, b"br0\0") + attr(il.IFLA_ADDRESS, MAC_A)
    bridge += attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"bridge\0"))
    there = attr(il.IFLA_TARGET_NETNSID, u32(7))
    links.ask("the same name there", rt.RTM_NEWLINK, bridge + there, CREATE | EXCL)
    links.ask("again", rt.RTM_NEWLINK, bridge + there, CREATE | EXCL)
    links.ask("without NLM_F_EXCL", rt.RTM_NEWLINK, bridge + there, CREATE)
    world.set_nsid(world, 8)
    links.set("lo to where it is", 1, attr(il.IFLA_TARGET_NETNSID, u32(8)))
    links.set("lo to elsewhere", 1, there)
