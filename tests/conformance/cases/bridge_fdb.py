"""NETLINK_ROUTE, AF_BRIDGE: the forwarding database of a bridge."""

from __future__ import annotations

from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import NLM_F_CREATE, NLMSG_DONE
from simkernel.uapi.socket import AF_BRIDGE
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.cases.link_changes import MAC_A, MAC_B, MAC_C, MARKS, Links
from tests.conformance.log import Log
from tests.conformance.masks import mask_links
from tests.conformance.wire import REQUEST, attr, nlmsg, u32
from tests.conformance.world import World


class Fdb:
    """A member of RTNLGRP_NEIGH that records type, port, address and bridge of each forwarding entry."""

    def __init__(self, world: World, log: Log) -> None:
        self.log = log
        self.sock = netlink(world, wire.ROUTE, bind=(0x41000003, 1 << (rt.RTNLGRP_NEIGH - 1)))

    def show(self, label: str) -> None:
        """Record the queued notifications without their timestamps."""
        shown: list[list[object]] = []
        while True:
            try:
                data = self.sock.recv(65536, 64)
            except OSError:
                break
            for header, payload in wire.messages(data):
                head = nb.NdMsg.unpack(payload)
                if head.family == AF_BRIDGE:
                    found = dict(wire.attrs(payload[nb.NdMsg.SIZE :]))
                    address, bridge = found[nb.NDA_LLADDR].hex(), found[nb.NDA_MASTER].hex()
                    shown.append(
                        [header[1], header[2], head.index, head.state, address, bridge, sorted(found)]
                    )
        self.log(label, shown)


@case(privileged=True, marks=MARKS)
def local_addresses(world: World, log: Log) -> None:
    """A bridge has a local forwarding entry for its own address and for the address of each port, without
    duplicates.
    """
    links, fdb = Links(world, Log()), Fdb(world, log)
    links.bridge("bridge")
    fdb.show("a bridge")
    links.veth("pair")
    for index in (3, 4):
        links.set("enslave", index, attr(il.IFLA_MASTER, u32(2)))
        fdb.show(f"port {index}")
    links.set("address", 3, attr(il.IFLA_ADDRESS, MAC_A))
    fdb.show("the address of another port")
    links.set("release", 4, attr(il.IFLA_MASTER, u32(0)))
    fdb.show("one of them leaves")
    links.set("bridge's address", 2, attr(il.IFLA_ADDRESS, MAC_B))
    fdb.show("another address of the bridge")
    links.set("bridge's address", 2, attr(il.IFLA_ADDRESS, MAC_A))
    fdb.show("the bridge has its port's address")
    links.ask("delete the pair", rt.RTM_DELLINK, rt.IfInfoMsg(index=3).pack())
    fdb.show("the port is gone")
    links.ask("delete", rt.RTM_DELLINK, rt.IfInfoMsg(index=2).pack())
    fdb.show("the bridge is gone")


@case(privileged=True, marks=MARKS)
def dumps_of_links(world: World, log: Log) -> None:
    """An AF_BRIDGE dump lists ports in the order of their creation. IFLA_EXT_MASK can add the bridges."""
    links = Links(world, Log())
    for name, index in ((b"br0", 31), (b"br1", 5)):
        body = (
            rt.IfInfoMsg(index=index).pack()
            + attr(il.IFLA_IFNAME, name + b"\0")
            + attr(il.IFLA_ADDRESS, MAC_C)
        )
        kind = attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"bridge\0"))
        links.ask("bridge", rt.RTM_NEWLINK, body + kind, NLM_F_CREATE)
    links.veth("pair")
    links.set("enslave", 32, attr(il.IFLA_MASTER, u32(5)))
    for mask in (0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xFF):
        body = rt.IfInfoMsg(AF_BRIDGE).pack() + attr(il.IFLA_EXT_MASK, u32(mask))
        links.changer.send(wire.nlmsg(rt.RTM_GETLINK, wire.REQUEST | wire.DUMP, body, seq=9))
        log.mask = mask_links
        log.replies(f"mask {mask}", links.changer)


@case(privileged=True, marks=MARKS)
def leftover_bytes(world: World, log: Log) -> None:
    """If an RTM_GETLINK or RTM_GETNEIGH dump request has leftover bytes after its attributes, NLMSG_DONE
    contains an extack message about these bytes, even if NLMSG_DONE is in a separate datagram.
    """
    links = Links(world, Log())
    links.bridge("bridge")
    links.changer.setsockopt(wire.SOL_NETLINK, wire.EXT_ACK, 1)
    for type in (rt.RTM_GETLINK, rt.RTM_GETADDR, rt.RTM_GETNEIGH):
        body = rt.IfInfoMsg(AF_BRIDGE).pack() + bytes((2, 0, 0, 0, 0, 0, 0, 0))
        links.changer.send(nlmsg(type, REQUEST | wire.DUMP, body))
        ends: list[object] = []
        while not ends:
            datagram = list(wire.messages(links.changer.recv(65536)))
            ends = [[header[1], payload.hex()] for header, payload in datagram if header[1] == NLMSG_DONE]
        log(f"dump {type}: messages and the end of the last datagram", [len(datagram), *ends])
