"""NETLINK_ROUTE, AF_BRIDGE: the addresses that a bridge knows."""

from __future__ import annotations

from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_BRIDGE
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.cases.link_changes import MAC_A, MAC_B, MARKS, Links
from tests.conformance.log import Log
from tests.conformance.wire import attr, u32
from tests.conformance.world import World


class Fdb:
    """A listener to RTNLGRP_NEIGH that shows type, port, address and bridge of each entry."""

    def __init__(self, world: World, log: Log) -> None:
        self.log = log
        self.sock = netlink(world, wire.ROUTE, bind=(0x41000003, 1 << (rt.RTNLGRP_NEIGH - 1)))

    def show(self, label: str) -> None:
        """Record the notifications that have come, without their times."""
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
    """A bridge knows its own address and those of its ports; an entry that two have goes to the other."""
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
