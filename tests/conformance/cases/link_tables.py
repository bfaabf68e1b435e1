"""NETLINK_ROUTE: many similar requests that change links, link groups and forwarding entries."""

from __future__ import annotations

import struct
from itertools import product
from typing import Final

from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_BRIDGE, AF_INET, AF_INET6
from tests.conformance.case import case
from tests.conformance.cases.fib_lab import LO, PEER, ROUTE, VETH
from tests.conformance.cases.tabled import CREATE, Tabled
from tests.conformance.log import Log
from tests.conformance.wire import ACK, DUMP, NESTED, NOOP, attr, nlmsg, u16, u32
from tests.conformance.world import World

LINK_GROUP, NEIGHBOURS = (rt.RTNLGRP_LINK,), (rt.RTNLGRP_NEIGH,)
BRIDGE, ABSENT = 4, 99
REPLACE: Final = 0x100
MAC: Final = bytes((2, 0, 0, 0, 0, 0x77))


def info(index: int = 0, *attributes: bytes, family: int = 0, flags: int = 0, change: int = 0) -> bytes:
    """Return an ifinfomsg with attributes."""
    return rt.IfInfoMsg(family, index=index, flags=flags, change=change).pack() + b"".join(attributes)


def name(text: str, type: int = il.IFLA_IFNAME) -> bytes:
    return attr(type, text.encode() + b"\0")


def add_bridge(lab: Tabled) -> None:
    """Add the bridge br0 with the port v0."""
    kind = attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"bridge\0"))
    mac = attr(il.IFLA_ADDRESS, bytes((2, 0, 0, 0, 0, 3)))
    lab.quietly(rt.RTM_NEWLINK, info(BRIDGE, name("br0"), mac, kind), CREATE)
    lab.quietly(rt.RTM_SETLINK, info(BRIDGE, attr(il.IFLA_AF_SPEC, attr(AF_INET6, attr(8, b"\1")))))
    lab.quietly(rt.RTM_SETLINK, info(VETH, attr(il.IFLA_MASTER, u32(BRIDGE))))
    lab.settle()
    lab.events()


VALUES: Final = (0, 1, 192, 193, 255, 65535, 65536, 65537, 524280, 524281, 2**31, 2**32 - 1)


@case(privileged=True, marks=ROUTE)
def numbers_of_links(world: World, log: Log) -> None:
    """Numeric attributes of a link: which values the kernel accepts, and which notifications the changes
    cause.
    """
    lab = Tabled(world, log, veth=True, groups=LINK_GROUP)
    types = (il.IFLA_GSO_MAX_SIZE, il.IFLA_GSO_MAX_SEGS, il.IFLA_GRO_MAX_SIZE, il.IFLA_GSO_IPV4_MAX_SIZE)
    types = (*types, il.IFLA_GRO_IPV4_MAX_SIZE, il.IFLA_TXQLEN, il.IFLA_GROUP, il.IFLA_MTU)
    for type, value in product(types, VALUES):
        lab.step(f"{type} {value}", rt.RTM_SETLINK, info(VETH, attr(type, u32(value))))
        if value == 65536:
            lab.step(f"{type} {value} again", rt.RTM_SETLINK, info(VETH, attr(type, u32(value))))
        if type not in (il.IFLA_TXQLEN, il.IFLA_GROUP):
            lab.log("link", lab.answers(rt.RTM_GETLINK, info(VETH), 0))
    for type in (il.IFLA_NUM_TX_QUEUES, il.IFLA_NUM_RX_QUEUES, *types):
        for value in (0, 1, 70, 4096, 4097, 65535, 2**31):
            kind = attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"bridge\0"))
            mac = attr(il.IFLA_ADDRESS, MAC)
            body = info(77, name("new"), mac, kind, attr(type, u32(value)))
            lab.step(f"new {type} {value}", rt.RTM_NEWLINK, body, CREATE)
            if value < 65535 and type > il.IFLA_NUM_RX_QUEUES:
                lab.log("link", lab.answers(rt.RTM_GETLINK, info(77), 0))
            lab.answers(rt.RTM_DELLINK, info(77))
            lab.events()


@case(privileged=True, marks=ROUTE)
def states_of_links(world: World, log: Log) -> None:
    """Operational state, link mode, carrier, flags and addresses of links."""
    lab = Tabled(world, log, veth=True, groups=LINK_GROUP)
    for up in (False, True):
        if up:
            lab.up()
        for index in (LO, VETH):
            for state in (*range(9), 6, 4, 5, 6, 5, 4, 6, 255):
                lab.step(
                    f"{index} state {state}",
                    rt.RTM_SETLINK,
                    info(index, attr(il.IFLA_OPERSTATE, bytes((state,)))),
                )
            lab.settle()
            for mode in (1, 1, 0, 2, 0):
                lab.step(
                    f"{index} mode {mode}",
                    rt.RTM_SETLINK,
                    info(index, attr(il.IFLA_LINKMODE, bytes((mode,)))),
                )
            for carrier in (0, 1):
                lab.step(
                    f"{index} carrier", rt.RTM_SETLINK, info(index, attr(il.IFLA_CARRIER, bytes((carrier,))))
                )
            for type, data in (
                (il.IFLA_BROADCAST, MAC),
                (il.IFLA_BROADCAST, MAC[:5]),
                (il.IFLA_BROADCAST, MAC + b"\1"),
                (il.IFLA_ADDRESS, MAC + b"\1"),
                (il.IFLA_ADDRESS, MAC[:5]),
                (il.IFLA_ADDRESS, bytes(6)),
                (il.IFLA_IFALIAS, b"alias\0more"),
                (il.IFLA_IFALIAS, b"\0"),
                (il.IFLA_IFALIAS, b""),
                (il.IFLA_PROTO_DOWN, b"\1"),
                (il.IFLA_VF_PORTS, b""),
                (il.IFLA_PORT_SELF, b""),
                (il.IFLA_MAP, bytes(32)),
                (il.IFLA_AF_SPEC, attr(99, b"")),
                (il.IFLA_AF_SPEC, attr(AF_INET, b"") + attr(AF_INET, attr(1, attr(34, u32(1))))),
                (il.IFLA_AF_SPEC, attr(AF_INET, attr(1, attr(33, u32(1)) + attr(0, u32(1))))),
                (il.IFLA_AF_SPEC, attr(AF_INET, attr(1, attr(33, u16(1))))),
                (il.IFLA_AF_SPEC, attr(AF_INET, attr(1, attr(33, u32(2))))),
            ):
                lab.step(f"{index} {type} {data.hex()}", rt.RTM_SETLINK, info(index, attr(type, data)))
            for flags, change in (
                (0x100, 0x100),
                (0, 0x100),
                (0x80, 0x80),
                (0, 0x80),
                (0x1000, 0x1000),
                (0x200, 0x200),
            ):
                lab.step(f"{index} flags {flags:#x}", rt.RTM_SETLINK, info(index, flags=flags, change=change))
                lab.step(f"{index} back", rt.RTM_SETLINK, info(index, flags=0, change=change))
                lab.settle()
    first_mtu = attr(il.IFLA_MTU, u32(1400)), attr(il.IFLA_VF_PORTS, b"")
    lab.step("first changes stay", rt.RTM_SETLINK, info(VETH, *first_mtu, attr(il.IFLA_GROUP, u32(6))))


@case(privileged=True, marks=ROUTE)
def names_of_links(world: World, log: Log) -> None:
    """Requests find a link by index, name or alternative name. RTM_NEWLINKPROP adds alternative names."""
    lab = Tabled(world, log, veth=True, groups=LINK_GROUP)

    def properties(index: int, *names: str, more: bytes = b"") -> bytes:
        inner = b"".join(name(each, il.IFLA_ALT_IFNAME) for each in names)
        return info(index, attr(il.IFLA_PROP_LIST | NESTED, inner + more), b"")

    new, gone = rt.RTM_NEWLINKPROP, rt.RTM_DELLINKPROP
    for label, type, body in (
        ("two", new, properties(VETH, "one", "two")),
        ("again", new, properties(VETH, "three", "one", "four")),
        ("own name", new, properties(VETH, "v0")),
        ("name of another", new, properties(VETH, "p0")),
        ("of another", new, properties(PEER, "two")),
        ("remove from another", gone, properties(PEER, "two")),
        ("remove unknown", gone, properties(VETH, "five")),
        ("remove name", gone, properties(VETH, "v0")),
        ("remove and fail", gone, properties(VETH, "one", "six")),
        ("empty", new, properties(VETH)),
        ("other property", new, properties(VETH, more=attr(il.IFLA_MTU, u32(5)))),
        ("long", new, properties(VETH, "n" * 127)),
        ("too long", new, properties(VETH, "n" * 128)),
        ("no list", new, info(VETH)),
        ("no link", new, properties(ABSENT, "x")),
        ("nothing", new, properties(0, "x")),
        (
            "by name",
            new,
            info(0, name("v0"), attr(il.IFLA_PROP_LIST | NESTED, name("by", il.IFLA_ALT_IFNAME))),
        ),
        (
            "by alternative",
            new,
            info(0, name("two", il.IFLA_ALT_IFNAME), attr(il.IFLA_PROP_LIST | NESTED, name("x", 53))),
        ),
    ):
        lab.step(label, type, body)
        lab.log("link", lab.answers(rt.RTM_GETLINK, info(VETH), 0))
    for label, body in (
        ("index", info(VETH)),
        ("name", info(0, name("v0"))),
        ("alternative", info(0, name("two", il.IFLA_ALT_IFNAME))),
        ("alternative as name", info(0, name("two"))),
        ("name as alternative", info(0, name("v0", il.IFLA_ALT_IFNAME))),
        ("both", info(0, name("p0"), name("two", il.IFLA_ALT_IFNAME))),
        ("index and other name", info(VETH, name("p0"))),
        ("negative", info(-1, name("v0"))),
        ("negative only", info(-1)),
        ("unknown", info(0, name("none"))),
        ("nothing", info(0)),
        ("group", info(0, attr(il.IFLA_GROUP, u32(0)))),
    ):
        lab.log(f"get {label}", lab.answers(rt.RTM_GETLINK, body, 0))
        lab.step(f"set {label}", rt.RTM_SETLINK, body + attr(il.IFLA_TXQLEN, u32(7)))
        lab.step(f"new {label}", rt.RTM_NEWLINK, body + attr(il.IFLA_TXQLEN, u32(8)))
        lab.step(f"create {label}", rt.RTM_NEWLINK, body, CREATE)
        lab.step(f"create or change {label}", rt.RTM_NEWLINK, body, 0x400)
        lab.step(f"replace {label}", rt.RTM_NEWLINK, body, 0x400 | REPLACE)


@case(privileged=True, marks=ROUTE)
def groups_of_links(world: World, log: Log) -> None:
    """RTM_NEWLINK and RTM_DELLINK requests for a link group (IFLA_GROUP) change or delete all links of the
    group.
    """
    lab = Tabled(world, log, veth=True, groups=LINK_GROUP)
    add_bridge(lab)
    five, six, zero, mtu = (
        attr(il.IFLA_GROUP, u32(5)),
        attr(il.IFLA_GROUP, u32(6)),
        attr(il.IFLA_GROUP, u32(0)),
        attr(il.IFLA_MTU, u32(1400)),
    )
    for index in (VETH, PEER, BRIDGE):
        lab.quietly(rt.RTM_SETLINK, info(index, five))
    lab.quietly(rt.RTM_SETLINK, info(LO, six))
    lab.events()
    for label, type, body, flags in (
        ("change group", rt.RTM_NEWLINK, info(0, five, mtu), 0),
        ("change no group", rt.RTM_NEWLINK, info(0, attr(il.IFLA_GROUP, u32(9)), mtu), 0),
        ("change and fail", rt.RTM_NEWLINK, info(0, five, attr(il.IFLA_MTU, u32(70000))), 0),
        ("change an index of a group", rt.RTM_NEWLINK, info(ABSENT, five, mtu), 0),
        ("set group", rt.RTM_SETLINK, info(0, five, mtu), 0),
        ("create group", rt.RTM_NEWLINK, info(0, five, mtu), CREATE),
        ("map of a new link", rt.RTM_NEWLINK, info(0, attr(il.IFLA_MAP, bytes(32))), CREATE),
        ("protocol of a new link", rt.RTM_NEWLINK, info(0, attr(il.IFLA_PROTINFO, b"")), CREATE),
        ("delete group 0", rt.RTM_DELLINK, info(0, zero), 0),
        ("delete no group", rt.RTM_DELLINK, info(0, attr(il.IFLA_GROUP, u32(9))), 0),
        ("delete group with lo", rt.RTM_DELLINK, info(0, six), 0),
        ("delete lo", rt.RTM_DELLINK, info(LO), 0),
        ("delete named", rt.RTM_DELLINK, info(0, five, name("none")), 0),
        ("delete index", rt.RTM_DELLINK, info(ABSENT, five), 0),
        ("delete nothing", rt.RTM_DELLINK, info(0), 0),
        ("delete group", rt.RTM_DELLINK, info(0, five), 0),
    ):
        lab.step(label, type, body, flags)
    lab.log("left", lab.answers(rt.RTM_GETLINK, info(), DUMP))


@case(privileged=True, marks=ROUTE)
def forwarding_entries(world: World, log: Log) -> None:
    """Additional hardware addresses of a link (forwarding entries with NTF_SELF): requests, promiscuity,
    dumps and errors.
    """
    lab = Tabled(world, log, veth=True, groups=(*NEIGHBOURS, *LINK_GROUP))
    add_bridge(lab)

    def entry(
        index: int = PEER, mac: bytes = MAC, state: int = 0x80, flags: int = nb.NTF_SELF, more: bytes = b""
    ) -> bytes:
        return (
            nb.NdMsg(AF_BRIDGE, index=index, state=state, flags=flags).pack()
            + attr(nb.NDA_LLADDR, mac)
            + more
        )

    other = bytes((2, 0, 0, 0, 0, 0x79))
    for up in (False, True):
        if up:
            lab.up()
        for label, type, body, flags in (
            ("new", rt.RTM_NEWNEIGH, entry(), CREATE),
            ("again", rt.RTM_NEWNEIGH, entry(), CREATE),
            ("again, not exclusively", rt.RTM_NEWNEIGH, entry(), 0),
            ("other", rt.RTM_NEWNEIGH, entry(mac=other, state=0), 0),
            ("del", rt.RTM_DELNEIGH, entry(), 0),
            ("del again", rt.RTM_DELNEIGH, entry(), 0),
            ("del without state", rt.RTM_DELNEIGH, entry(mac=other, state=2), 0),
            ("state", rt.RTM_NEWNEIGH, entry(state=2), 0),
            ("no flags", rt.RTM_NEWNEIGH, entry(flags=0), 0),
            ("master", rt.RTM_NEWNEIGH, entry(flags=nb.NTF_MASTER), 0),
            ("vlan", rt.RTM_NEWNEIGH, entry(more=attr(nb.NDA_VLAN, u16(5))), 0),
            ("vlan 0", rt.RTM_NEWNEIGH, entry(more=attr(nb.NDA_VLAN, u16(0))), 0),
            ("vlan 4094", rt.RTM_DELNEIGH, entry(more=attr(nb.NDA_VLAN, u16(4094))), 0),
            ("vlan 4095", rt.RTM_DELNEIGH, entry(more=attr(nb.NDA_VLAN, u16(4095))), 0),
            ("long vlan", rt.RTM_DELNEIGH, entry(more=attr(nb.NDA_VLAN, u32(5))), 0),
            ("extended", rt.RTM_NEWNEIGH, entry(more=attr(nb.NDA_FLAGS_EXT, u32(0))), 0),
            ("lo", rt.RTM_NEWNEIGH, entry(LO), 0),
            ("del of lo", rt.RTM_DELNEIGH, entry(LO), 0),
            ("no link", rt.RTM_NEWNEIGH, entry(ABSENT), 0),
            ("index 0", rt.RTM_NEWNEIGH, entry(0), 0),
            ("short address", rt.RTM_NEWNEIGH, entry(mac=MAC[:5]), 0),
            ("long address", rt.RTM_DELNEIGH, entry(mac=MAC + b"\1"), 0),
            ("port", rt.RTM_NEWNEIGH, entry(VETH), CREATE),
        ):
            lab.step(f"{up} {label}", type, body, flags)
        lab.log(
            "links", [each for index in (VETH, PEER) for each in lab.answers(rt.RTM_GETLINK, info(index), 0)]
        )
    lab.strict()
    for head in (
        nb.NdMsg(AF_BRIDGE),
        nb.NdMsg(AF_BRIDGE, index=PEER),
        nb.NdMsg(AF_BRIDGE, index=VETH),
        nb.NdMsg(AF_BRIDGE, index=BRIDGE),
    ):
        for more in (
            b"",
            *(attr(nb.NDA_MASTER, u32(each)) for each in (BRIDGE, PEER, ABSENT)),
            attr(nb.NDA_IFINDEX, u32(PEER)),
            attr(nb.NDA_IFINDEX, u16(1)),
        ):
            lines = lab.answers(rt.RTM_GETNEIGH, head.pack() + more, DUMP)
            lab.log(
                f"all {head.index} {more.hex()}",
                [each for each in lines if MAC[:5].hex() in each or each.startswith(("E", "done"))],
            )
    for mac in (other, MAC):
        lab.step("del", rt.RTM_DELNEIGH, entry(mac=mac))
    lab.step("del of the port", rt.RTM_DELNEIGH, entry(VETH))
    lab.step("new", rt.RTM_NEWNEIGH, entry(), CREATE)
    lab.switch(PEER, up=False)
    lab.switch(PEER, up=True)
    lab.step("delete the link", rt.RTM_DELLINK, info(PEER))


@case(privileged=True, marks=ROUTE)
def requests_for_ports(world: World, log: Log) -> None:
    """AF_BRIDGE requests: RTM_SETLINK and RTM_DELLINK with valid and invalid flags, modes, port states and
    costs, and RTM_GETLINK dumps.
    """
    lab = Tabled(world, log, veth=True, groups=LINK_GROUP)
    add_bridge(lab)
    cost = attr(il.IFLA_PROTINFO | NESTED, attr(3, u32(7)))
    for type, index in product((rt.RTM_SETLINK, rt.RTM_DELLINK), (LO, VETH, PEER, BRIDGE, ABSENT)):
        for flags in (None, 0, 1, 2, 3, 4, 5):
            spec = b"" if flags is None else attr(il.IFLA_AF_SPEC, attr(0, u16(flags)))
            lab.step(f"{type} {index} {flags}", type, info(index, spec, cost, family=AF_BRIDGE))
        for label, spec in (
            ("short flags", attr(0, b"\1")),
            ("mode", attr(1, u16(1))),
            ("short mode", attr(1, b"\1")),
            ("flags twice", attr(0, u16(1)) + attr(0, u16(2))),
            ("flags, then short", attr(0, u16(1)) + attr(0, b"\1")),
            ("mode twice", attr(1, u16(1)) + attr(1, b"\1")),
        ):
            lab.step(
                f"{type} {index} {label}",
                type,
                info(index, attr(il.IFLA_AF_SPEC, spec), cost, family=AF_BRIDGE),
            )
        for label, data in (
            ("state", b"\3"),
            ("no state", b""),
            ("wrong state", b"\7"),
            ("long state", b"\1\2\3"),
        ):
            lab.step(
                f"{type} {index} {label}", type, info(index, attr(il.IFLA_PROTINFO, data), family=AF_BRIDGE)
            )
        lab.step(f"{type} {index} no cost", type, info(index, family=AF_BRIDGE))
        lab.step(
            f"{type} {index} two costs",
            type,
            info(index, cost, attr(il.IFLA_PROTINFO | NESTED, attr(3, u32(9))), family=AF_BRIDGE),
        )
    for strict in (False, True):
        if strict:
            lab.strict()
        for label, body in {
            "plain": info(family=AF_BRIDGE),
            "mask": info(0, attr(il.IFLA_EXT_MASK, u32(2)), family=AF_BRIDGE),
            "short mask": info(0, attr(il.IFLA_EXT_MASK, u16(2)), family=AF_BRIDGE),
            "index": info(VETH, family=AF_BRIDGE),
            "flags": info(flags=1, family=AF_BRIDGE),
            "change": info(change=1, family=AF_BRIDGE),
            "type": struct.pack("<BBHiII", AF_BRIDGE, 0, 1, 0, 0, 0),
            "padding": struct.pack("<BBHiII", AF_BRIDGE, 1, 0, 0, 0, 0),
            "name": info(0, name("v0"), family=AF_BRIDGE),
            "short": bytes((AF_BRIDGE,)) + bytes(14),
        }.items():
            lab.log(f"all {strict} {label}", lab.answers(rt.RTM_GETLINK, body, DUMP))


@case(privileged=True, marks=ROUTE)
def peers_of_links(world: World, log: Log) -> None:
    """Valid and invalid descriptions of a veth's peer (VETH_INFO_PEER). The attribute offset in an error
    counts from the start of the request, even if another message precedes the request in the datagram.
    """
    lab = Tabled(world, log, groups=LINK_GROUP)
    mac = attr(il.IFLA_ADDRESS, MAC)
    queue = attr(il.IFLA_NUM_TX_QUEUES, u32(1)) + attr(il.IFLA_NUM_RX_QUEUES, u32(1))
    own = attr(il.IFLA_ADDRESS, bytes((2, 0, 0, 0, 0, 0x66))) + queue
    peers = {
        "none": None,
        "empty": b"",
        "short": bytes(15),
        "header": info(0, mac, queue),
        "negative": info(-1, mac),
        "index": info(9, mac, queue),
        "own index": info(7, mac, queue),
        "name": info(0, name("pe"), mac, queue),
        "own name": info(0, name("ve"), mac, queue),
        "pattern": info(0, name("pe%d"), mac, queue),
        "wrong name": info(0, name("p e"), mac, queue),
        "short address": info(0, attr(il.IFLA_ADDRESS, MAC[:5]), queue),
        "group address": info(0, attr(il.IFLA_ADDRESS, b"\1" + MAC[1:]), queue),
        "refused": info(0, attr(il.IFLA_PERM_ADDRESS, MAC), queue),
        "short mtu": info(0, mac, attr(il.IFLA_MTU, u16(1)), queue),
        "mtu": info(0, mac, attr(il.IFLA_MTU, u32(1400)), queue),
        "wrong mtu": info(0, mac, attr(il.IFLA_MTU, u32(7)), queue),
        "group": info(0, mac, attr(il.IFLA_GROUP, u32(7)), queue),
        "queues": info(0, mac, attr(il.IFLA_NUM_TX_QUEUES, u32(0))),
        "up": info(0, mac, queue, flags=1, change=1),
        "promiscuous": info(0, mac, queue, flags=0x100, change=0x100),
        "namespace": info(0, mac, attr(il.IFLA_TARGET_NETNSID, u32(5)), queue),
        "alias": info(0, mac, attr(il.IFLA_IFALIAS, b"alias"), queue),
    }
    first = nlmsg(NOOP, 0, bytes(8))
    for label, peer in peers.items():
        for index, before in ((0, b""), (7, first)):
            data = b"" if peer is None else attr(il.IFLA_INFO_DATA, attr(il.VETH_INFO_PEER, peer))
            kind = attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"veth\0") + data)
            body = info(index, name("ve"), own, kind)
            random = peer is None or peer == b""
            answers = lab.answers(rt.RTM_NEWLINK, body, CREATE | ACK, before)
            for _ in range(3):
                lab.settle()
            log(f"{label} {index}", answers if random else [*answers, "=>", *lab.events()])
            lab.answers(rt.RTM_DELLINK, info(0, name("ve")))
            lab.events()


@case(privileged=True, marks=(*ROUTE, "namespaces"))
def links_between_namespaces(world: World, log: Log) -> None:
    """Requests that create, find or delete a link in another namespace, or move a link there."""
    there = world.namespace()
    world.set_nsid(there, 5)
    there.set_nsid(world, 6)
    lab = Tabled(world, log, groups=(*LINK_GROUP, rt.RTNLGRP_NSID))
    mac, bridge = attr(il.IFLA_ADDRESS, MAC), attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"bridge\0"))
    target, nowhere = attr(il.IFLA_TARGET_NETNSID, u32(5)), attr(il.IFLA_TARGET_NETNSID, u32(9))
    six, own = attr(il.IFLA_LINK_NETNSID, u32(6)), attr(il.IFLA_LINK_NETNSID, u32(5))
    index = attr(il.IFLA_NEW_IFINDEX, u32(40))
    for label, type, body, flags in (
        ("new there", rt.RTM_NEWLINK, info(20, name("b1"), mac, bridge, target), CREATE),
        ("new nowhere", rt.RTM_NEWLINK, info(21, name("b2"), mac, bridge, nowhere), CREATE),
        ("made there", rt.RTM_NEWLINK, info(22, name("b3"), mac, bridge, own), CREATE),
        ("made here, put there", rt.RTM_NEWLINK, info(23, name("b4"), mac, bridge, target, six), CREATE),
        ("made nowhere", rt.RTM_NEWLINK, info(24, name("b5"), mac, bridge, six), CREATE),
        ("new here", rt.RTM_NEWLINK, info(25, name("b6"), mac, bridge), CREATE),
        ("again", rt.RTM_NEWLINK, info(0, name("b6"), mac, bridge, target), CREATE),
        ("again there", rt.RTM_NEWLINK, info(0, name("b1"), mac, bridge, target), CREATE),
        ("get there", rt.RTM_GETLINK, info(20, target), 0),
        ("get here", rt.RTM_GETLINK, info(20), 0),
        ("get nowhere", rt.RTM_GETLINK, info(20, nowhere), 0),
        ("set there", rt.RTM_SETLINK, info(20, target, attr(il.IFLA_GROUP, u32(5))), 0),
        ("move", rt.RTM_SETLINK, info(25, target, index), 0),
        ("move again", rt.RTM_SETLINK, info(25, target, index), 0),
        ("index 0", rt.RTM_SETLINK, info(22, target, attr(il.IFLA_NEW_IFINDEX, u32(0))), 0),
        ("negative index", rt.RTM_SETLINK, info(22, target, attr(il.IFLA_NEW_IFINDEX, u32(2**32 - 1))), 0),
        ("index of another", rt.RTM_SETLINK, info(22, target, attr(il.IFLA_NEW_IFINDEX, u32(40))), 0),
        ("index here", rt.RTM_SETLINK, info(22, index), 0),
        ("move and rename", rt.RTM_SETLINK, info(22, target, name("b9")), 0),
        ("move lo", rt.RTM_SETLINK, info(LO, target), 0),
        ("move to two", rt.RTM_SETLINK, info(LO, target, attr(il.IFLA_NET_NS_FD, u32(0))), 0),
        ("delete here", rt.RTM_DELLINK, info(40), 0),
        ("delete there", rt.RTM_DELLINK, info(40, target), 0),
        ("delete again", rt.RTM_DELLINK, info(40, target), 0),
        ("delete nowhere", rt.RTM_DELLINK, info(20, nowhere), 0),
        ("delete from two", rt.RTM_DELLINK, info(20, target, attr(il.IFLA_NET_NS_FD, u32(0))), 0),
        ("delete by name", rt.RTM_DELLINK, info(0, name("b4"), target), 0),
    ):
        lab.step(label, type, body, flags)
        log(f"links after {label}", lab.answers(rt.RTM_GETLINK, info(), DUMP))
        log(f"links there after {label}", lab.answers(rt.RTM_GETLINK, info(0, target), DUMP))
    lab.strict()
    for more in (b"", target, nowhere):
        for family in (0, AF_INET, AF_INET6):
            body = rt.IfAddrMsg(family).pack() + (attr(10, more[4:]) if more else b"")
            log(f"addresses {family} {more.hex()}", lab.answers(rt.RTM_GETADDR, body, DUMP))
        for kind in (b"bridge\0", b"none\0"):
            body = info(0, attr(il.IFLA_LINKINFO | NESTED, attr(il.IFLA_INFO_KIND, kind)), more)
            log(f"{kind!r} {more.hex()}", lab.answers(rt.RTM_GETLINK, body, DUMP))
        for type in (il.IFLA_MASTER, il.IFLA_GROUP, il.IFLA_MTU, il.IFLA_EXT_MASK):
            for value in (0, 1, 20):
                body = info(0, attr(type, u32(value)), more)
                log(f"{type} {value} {more.hex()}", lab.answers(rt.RTM_GETLINK, body, DUMP))
