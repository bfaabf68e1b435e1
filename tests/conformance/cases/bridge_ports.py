"""NETLINK_ROUTE: the settings of a bridge port, and forwarding entries of one device."""

from __future__ import annotations

from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.if_bridge import Br, BrPort
from simkernel.uapi.netlink import NLA_F_NESTED
from simkernel.uapi.netlink import NLM_F_CREATE as CREATE
from simkernel.uapi.socket import AF_BRIDGE
from simkernel.uapi.structure import U8, U16, U32
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.cases.link_changes import MAC_B, MARKS, Links
from tests.conformance.log import Log
from tests.conformance.masks import mask_links
from tests.conformance.wire import ACK, REQUEST, attr, nlmsg, u32
from tests.conformance.world import Socket, World

PORT, BRIDGE = 4, 2
SETTINGS = (
    (BrPort.STATE, U8, (0, 3, 4, 5)),
    (BrPort.PRIORITY, U16, (8, 64)),
    (BrPort.COST, U32, (0, 7, 65536)),
    (BrPort.MODE, U8, (2,)),
    (BrPort.MAB, U8, (1,)),
    (BrPort.LOCKED, U8, (1,)),
    (BrPort.MULTICAST_ROUTER, U8, (2, 4)),
    (BrPort.MCAST_EHT_HOSTS_LIMIT, U32, (0, 9)),
    (BrPort.MCAST_MAX_GROUPS, U32, (9,)),
    (BrPort.GROUP_FWD_MASK, U16, (1, 2)),
    (BrPort.NEIGH_VLAN_SUPPRESS, U8, (1, 2)),
    (BrPort.NO, U8, (1,)),
    (BrPort.MCAST_N_GROUPS, U32, (1,)),
)
"""Bridge port attributes with values to try: valid ones, invalid ones, and read-only attributes."""


def with_port(world: World, log: Log) -> Links:
    """Create a bridge with one port in forwarding state."""
    links = Links(world, Log())
    links.bridge("bridge")
    links.veth("pair")
    links.set("enslave", PORT, attr(il.IFLA_MASTER, u32(BRIDGE)))
    for index in (BRIDGE, PORT - 1, PORT):
        links.set("up", index, flags=1, change=1)
    links.log, log.mask = log, mask_links
    return links


def port(*attributes: bytes, family: int = 0, index: int = PORT) -> bytes:
    """Return the ifinfomsg of a request for a port, followed by attributes."""
    return rt.IfInfoMsg(family, index=index).pack() + b"".join(attributes)


@case(privileged=True, marks=MARKS)
def settings(world: World, log: Log) -> None:
    """Each bridge port attribute has limits. If the second attribute of a request is invalid, the value of
    the first attribute stays set.
    """
    links = with_port(world, log)
    for type, number, values in SETTINGS:
        for value in values:
            data = attr(type, number.pack(value))
            kind = attr(il.IFLA_INFO_SLAVE_KIND, b"bridge\0") + attr(il.IFLA_INFO_SLAVE_DATA, data)
            links.ask(f"{type.name} {value}", rt.RTM_NEWLINK, port(attr(il.IFLA_LINKINFO, kind)))
    both = attr(BrPort.PRIORITY, U16.pack(9)) + attr(BrPort.STATE, U8.pack(9))
    kind = attr(il.IFLA_INFO_SLAVE_KIND, b"bridge\0") + attr(il.IFLA_INFO_SLAVE_DATA, both)
    links.ask("two", rt.RTM_NEWLINK, port(attr(il.IFLA_LINKINFO, kind)))
    links.get("after all", PORT)


@case(privileged=True, marks=MARKS)
def requests_of_bridges(world: World, log: Log) -> None:
    """AF_BRIDGE RTM_SETLINK accepts two forms of IFLA_PROTINFO: nested attributes, or a single byte with the
    port state.
    """
    links = with_port(world, log)

    def ask(label: str, *attributes: bytes, index: int = PORT, type: int = rt.RTM_SETLINK) -> None:
        links.ask(label, type, port(*attributes, family=AF_BRIDGE, index=index))

    learning = attr(BrPort.LEARNING, b"\0") + attr(BrPort.COST, u32(5))
    ask("settings", attr(il.IFLA_PROTINFO | NLA_F_NESTED, learning))
    ask("wrong", attr(il.IFLA_PROTINFO | NLA_F_NESTED, attr(BrPort.COST, u32(0))))
    ask("too short", attr(il.IFLA_PROTINFO | NLA_F_NESTED, attr(BrPort.COST, b"")))
    for state in (b"\0", b"\3junk", b"\5", b""):
        ask(f"state {state!r}", attr(il.IFLA_PROTINFO, state))
    ask("nothing")
    ask("deleted", attr(il.IFLA_PROTINFO, b"\0"), type=rt.RTM_DELLINK)
    for flags in (1, 2, 4):
        spec = attr(il.IFLA_AF_SPEC, attr(0, U16.pack(flags)))
        ask(f"port, flags {flags}", spec)
        ask(f"bridge, flags {flags}", spec, index=BRIDGE)
        ask(f"delete, flags {flags}", spec, type=rt.RTM_DELLINK)
    ask("short flags", attr(il.IFLA_AF_SPEC, attr(0, b"\1")))
    ask("no port", attr(il.IFLA_PROTINFO, b"\0"), index=PORT - 1)
    links.log = Log()  # The order of the resulting notifications varies between runs.
    links.set("down", PORT, change=1)
    links.log = log
    ask("state of a port that is down", attr(il.IFLA_PROTINFO, b"\3"))


@case(privileged=True, marks=MARKS)
def promiscuous_twice(world: World, log: Log) -> None:
    """If a device that is already promiscuous becomes a bridge port, RTNLGRP_LINK is notified."""
    links = Links(world, Log())
    links.bridge("bridge")
    links.veth("pair")
    links.set("up", PORT, flags=1, change=1)
    head = nb.NdMsg(AF_BRIDGE, index=PORT, state=nb.NUD_PERMANENT, flags=nb.NTF_SELF).pack()
    entry = head + attr(nb.NDA_LLADDR, bytes.fromhex("02bb00000001"))
    links.changer.send(nlmsg(rt.RTM_NEWNEIGH, REQUEST | CREATE, entry))
    links.log, log.mask = log, mask_links
    links.set("enslave", PORT, attr(il.IFLA_MASTER, u32(BRIDGE)))
    links.set("release", PORT, attr(il.IFLA_MASTER, u32(0)))


@case(privileged=True, marks=MARKS)
def entries_of_one_device(world: World, log: Log) -> None:
    """In a dump request, the index in the header or NDA_IFINDEX selects the device. NDA_MASTER selects the
    bridge.
    """
    links = with_port(world, Log())
    for index in (PORT - 1, PORT):
        head = nb.NdMsg(AF_BRIDGE, index=index, state=nb.NUD_PERMANENT, flags=nb.NTF_SELF).pack()
        entry = head + attr(nb.NDA_LLADDR, bytes.fromhex("02bb00000001"))
        log.ask(f"add {index}", links.changer, nlmsg(rt.RTM_NEWNEIGH, REQUEST | CREATE | ACK, entry))
    sock = netlink(world, wire.ROUTE, bind=(0x41000004, 0))
    for strict in (0, 1):
        sock.setsockopt(wire.SOL_NETLINK, wire.GET_STRICT_CHK, strict)
        for index in (0, 1, BRIDGE, PORT - 1, PORT, 99):
            show(log, f"strict {strict}, header {index}", sock, nb.NdMsg(AF_BRIDGE, index=index).pack())
            link = rt.IfInfoMsg(AF_BRIDGE, index=index).pack()
            show(log, f"strict {strict}, header of a link {index}", sock, link)
            for type in (nb.NDA_IFINDEX, nb.NDA_MASTER):
                body = nb.NdMsg(AF_BRIDGE, index=PORT).pack() + attr(type, u32(index))
                show(log, f"strict {strict}, {type} {index}", sock, body)


def show(log: Log, label: str, sock: Socket, body: bytes) -> None:
    """Record type, device and address of each additional unicast address in a dump."""
    sock.send(nlmsg(rt.RTM_GETNEIGH, REQUEST | wire.DUMP, body))
    shown: list[object] = []
    for header, payload in wire.messages(sock.recv(65536)):
        if header[1] == rt.RTM_NEWNEIGH:
            head = nb.NdMsg.unpack(payload)
            address = dict(wire.attrs(payload[nb.NdMsg.SIZE :]))[nb.NDA_LLADDR]
            if head.flags & nb.NTF_SELF and not address[0] & 1:
                shown.append([head.index, head.state, address.hex()])
        else:
            shown.append([header[1], payload[:4].hex()])
    log(label, shown)


@case(privileged=True, marks=MARKS)
def order_of_ports(world: World, log: Log) -> None:
    """A bridge changes the states of its ports in order, the newest port first."""
    links = Links(world, Log())
    links.veth("pair")
    links.bridge("bridge")
    for index in (2, 3):
        links.set("up", index, flags=1, change=1)
        links.set("enslave", index, attr(il.IFLA_MASTER, u32(4)))
    links.log, log.mask = log, mask_links
    links.set("up", 4, flags=1, change=1)
    links.set("another address", 4, attr(il.IFLA_ADDRESS, MAC_B))
    links.set("down", 4, change=1)


@case(privileged=True, marks=MARKS)
def ids_of_ports(world: World, log: Log) -> None:
    """A bridge id consists of a priority and an address, and each port stores a copy of it. If the bridge id
    changes, the copy of a disabled port gets the new address but keeps the old priority. A port with an
    outdated copy cannot forward.
    """
    links = Links(world, log)
    links.bridge("bridge")
    links.veth("pair")
    links.set("enslave", PORT, attr(il.IFLA_MASTER, u32(BRIDGE)))
    kind = attr(il.IFLA_INFO_KIND, b"bridge\0")

    def prefer(label: str, priority: int) -> None:
        data = attr(il.IFLA_INFO_DATA, attr(Br.PRIORITY, U16.pack(priority)))
        links.set(label, BRIDGE, attr(il.IFLA_LINKINFO, kind + data))
        links.get(f"{label}: port", PORT)

    def change(label: str, type: int, value: bytes) -> None:
        data = attr(il.IFLA_INFO_SLAVE_KIND, b"bridge\0") + attr(il.IFLA_INFO_SLAVE_DATA, attr(type, value))
        links.ask(label, rt.RTM_NEWLINK, port(attr(il.IFLA_LINKINFO, data)))
        links.get(f"{label}: port", PORT)

    prefer("priority of the bridge", 0)
    change("priority of the port", BrPort.PRIORITY, U16.pack(8))
    links.set("address", BRIDGE, attr(il.IFLA_ADDRESS, MAC_B))
    links.get("address: port", PORT)
    for index in (PORT - 1, PORT):
        links.set("port up", index, flags=1, change=1)
    change("forward", BrPort.STATE, b"\3")
    change("cost", BrPort.COST, u32(7))
    change("lower priority of the port", BrPort.PRIORITY, U16.pack(4))
    links.set("bridge up", BRIDGE, flags=1, change=1)
    prefer("another priority", 0x9000)


@case(privileged=True, marks=MARKS)
def priority_before_an_error(world: World, log: Log) -> None:
    """If a request sets the bridge priority and a later attribute is invalid, the new priority stays. In
    addition, the case shows that a bridge without ports loses its carrier.
    """
    links = Links(world, log)
    kind = attr(il.IFLA_INFO_KIND, b"bridge\0")
    made = rt.IfInfoMsg(flags=1, change=1).pack() + attr(il.IFLA_IFNAME, b"br0\0")
    links.changer.send(nlmsg(rt.RTM_NEWLINK, REQUEST | CREATE, made + attr(il.IFLA_LINKINFO, kind)))

    def carrier(label: str) -> None:
        links.changer.send(nlmsg(rt.RTM_GETLINK, REQUEST, port(index=BRIDGE)))
        found = dict(wire.attrs(next(iter(wire.messages(links.changer.recv(65536))))[1][rt.IfInfoMsg.SIZE :]))
        log(label, found[il.IFLA_CARRIER].hex())

    carrier("before")
    data = attr(Br.PRIORITY, U16.pack(7)) + attr(Br.GROUP_FWD_MASK, U16.pack(1))
    wrong = port(attr(il.IFLA_LINKINFO, kind + attr(il.IFLA_INFO_DATA, data)), index=BRIDGE)
    log.ask("wrong", links.changer, nlmsg(rt.RTM_NEWLINK, REQUEST | ACK, wrong))
    carrier("after")
