"""NETLINK_ROUTE in User-mode Linux: requests for links of the kinds dummy, veth and bridge, which are
modules, and the notifications of each group.
"""

from __future__ import annotations

from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import NLM_F_CREATE as CREATE
from simkernel.uapi.netlink import NLM_F_EXCL as EXCL
from simkernel.uapi.socket import AF_INET, AF_INET6, MSG_DONTWAIT, SOL_NETLINK
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.cases.modules import UML, shown
from tests.conformance.log import Log
from tests.conformance.masks import mask_links
from tests.conformance.newer import common
from tests.conformance.wire import ACK, ADD_MEMBERSHIP, CAP_ACK, EXT_ACK, NESTED, REQUEST, attr, nlmsg, u32
from tests.conformance.world import World

LINKS = ("modules", "namespaces", "time")
A, B = 0x51000001, 0x51000002
GROUPS = {
    "link": 1,
    "ipv4 address": 5,
    "ipv4 route": 7,
    "ipv6 address": 9,
    "ipv6 route": 11,
    "ipv6 information": 12,
    "ipv4 settings": 24,
    "ipv6 settings": 25,
}
EVERYTHING = ["link", "ipv4 address", "ipv4 route", "ipv6 address", "ipv6 route", "ipv6 information"]
RTPROT_STATIC, RT_SCOPE_LINK = 4, 253
RTN_UNICAST, RTN_BLACKHOLE, RTN_UNREACHABLE = 1, 6, 7
LINKWATCH = 1.2
"""Seconds to wait until the kernel's linkwatch work has handled a carrier change. Linkwatch runs at most once
per second.
"""
MAC = bytes.fromhex("02000000000a")
PEER_MAC = bytes.fromhex("02000000000b")


class Bench:
    """A socket for requests, and one listener that joins many groups. A single listener shows the order of
    messages of different groups.
    """

    def __init__(self, world: World, log: Log, *groups: str) -> None:
        self.log = log
        self.world = world = world.namespace()  # Modules register their devices in the initial namespace.
        self.requester = netlink(world, wire.ROUTE, bind=(A, 0))
        for option in (EXT_ACK, CAP_ACK):
            self.requester.setsockopt(SOL_NETLINK, option, 1)
        self.listener = netlink(world, wire.ROUTE, bind=(B, 0))
        for group in groups or EVERYTHING:
            self.listener.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, GROUPS[group])
        self._seq = 0

    def request(self, label: str, type: int, body: bytes, flags: int = 0) -> None:
        """Send a request. Record its acknowledgement, then the notifications that arrive within 0.1 s."""
        self._seq += 1
        self.log.ask(label, self.requester, nlmsg(type, REQUEST | ACK | flags, body, seq=self._seq))
        self.record_notifications(label)

    def record_notifications(self, label: str, seconds: float = 0.1) -> None:
        """Wait, then record the notifications that the listener has received."""
        self.world.wait(seconds)
        lines: list[str] = []
        while True:
            try:
                data = self.listener.recv(65536, MSG_DONTWAIT)
            except BlockingIOError:
                break
            lines += self.log.messages(common(mask_links(data)))
        self.log(f"{label}: heard", lines)

    def create(self, name: str, kind: str, attrs: bytes = b"", data: bytes = b"", index: int = 0) -> None:
        """Send an RTM_NEWLINK request that creates a link of a kind, and record the notifications."""
        info = attr(il.IFLA_INFO_KIND, kind.encode())
        if data:
            info += attr(il.IFLA_INFO_DATA | NESTED, data)
        body = rt.IfInfoMsg(index=index).pack() + attr(il.IFLA_IFNAME, name.encode() + b"\0") + attrs
        self.request(
            f"create {name}", rt.RTM_NEWLINK, body + attr(il.IFLA_LINKINFO | NESTED, info), CREATE | EXCL
        )

    def change(self, label: str, index: int, attrs: bytes = b"", flags: int = 0, change: int = 0) -> None:
        """Send an RTM_NEWLINK request that changes an existing link, and record the notifications."""
        self.request(
            label, rt.RTM_NEWLINK, rt.IfInfoMsg(index=index, flags=flags, change=change).pack() + attrs
        )

    def up(self, index: int) -> None:
        self.change(f"up {index}", index, flags=il.IFF_UP, change=il.IFF_UP)

    def down(self, index: int) -> None:
        self.change(f"down {index}", index, change=il.IFF_UP)

    def delete(self, index: int) -> None:
        """Send an RTM_DELLINK request for a link, and record the notifications."""
        self.request(f"delete {index}", rt.RTM_DELLINK, rt.IfInfoMsg(index=index).pack())


def dummy(bench: Bench, name: str = "d0", index: int = 10) -> None:
    """Create a dummy link with a fixed hardware address and index."""
    bench.create(name, "dummy", attr(il.IFLA_ADDRESS, MAC), index=index)


@case(privileged=True, marks=LINKS, oracle=UML)
def created_and_deleted(world: World, log: Log) -> None:
    """RTM_NEWLINK for a dummy link makes the kernel load the module `dummy`. Dummy links hold no reference to
    the module.
    """
    bench = Bench(world, log)
    log("before", shown(world))
    dummy(bench)
    log("created", shown(world))
    dummy(bench)
    bench.delete(10)
    bench.delete(10)
    log("deleted", shown(world))
    log.call("rmmod", world.rmmod, "dummy")


@case(privileged=True, marks=LINKS, oracle=UML)
def up_and_down(world: World, log: Log) -> None:
    """A dummy link is brought up twice, and then brought down twice. The second request of each pair changes
    nothing and causes no notification.
    """
    bench = Bench(world, log)
    dummy(bench)
    for _ in range(2):
        bench.up(10)
    for _ in range(2):
        bench.down(10)
    bench.up(10)
    bench.delete(10)


@case(privileged=True, marks=LINKS, oracle=UML)
def settings(world: World, log: Log) -> None:
    """RTM_NEWNETCONF and RTM_DELNETCONF notifications for IPv4. The IPv6 notifications are not recorded,
    because they depend on CONFIG_IPV6_MROUTE.
    """
    bench = Bench(world, log, "ipv4 settings")
    dummy(bench)
    bench.up(10)
    bench.change("name", 10, attr(il.IFLA_IFNAME, b"d1\0"))
    bench.down(10)
    bench.delete(10)


@case(privileged=True, marks=LINKS, oracle=UML)
def attributes(world: World, log: Log) -> None:
    """Each changed attribute of a link causes notifications."""
    bench = Bench(world, log)
    dummy(bench)
    for label, attrs in (
        ("mtu", attr(il.IFLA_MTU, u32(1400))),
        ("same mtu", attr(il.IFLA_MTU, u32(1400))),
        ("name", attr(il.IFLA_IFNAME, b"d1\0")),
        ("alias", attr(il.IFLA_IFALIAS, b"front")),
        ("queue", attr(il.IFLA_TXQLEN, u32(5))),
        ("group", attr(il.IFLA_GROUP, u32(7))),
        ("address", attr(il.IFLA_ADDRESS, PEER_MAC)),
        ("no carrier", attr(il.IFLA_CARRIER, b"\0")),
    ):
        bench.change(label, 10, attrs)
    bench.up(10)
    bench.change("name while up", 10, attr(il.IFLA_IFNAME, b"d2\0"))
    bench.change("address while up", 10, attr(il.IFLA_ADDRESS, MAC))
    bench.change("promiscuous", 10, flags=il.IFF_PROMISC, change=il.IFF_PROMISC)


@case(privileged=True, marks=LINKS, oracle=UML)
def removed_with_their_module(world: World, log: Log) -> None:
    """rmmod removes the links of the module's kind, in every namespace."""
    bench = Bench(world, log)
    dummy(bench)
    dummy(bench, "d1", 11)
    bench.up(11)
    log.call("rmmod", world.rmmod, "dummy")
    bench.record_notifications("rmmod")
    log("unloaded", shown(world))
    bench.delete(11)


@case(privileged=True, marks=LINKS, oracle=UML)
def veth_pair(world: World, log: Log) -> None:
    """A veth has a carrier if both ends are up. Deleting one end deletes the other."""
    bench = Bench(world, log, "link")
    peer = rt.IfInfoMsg(index=21).pack() + attr(il.IFLA_IFNAME, b"v1\0") + attr(il.IFLA_ADDRESS, PEER_MAC)
    bench.create("v0", "veth", attr(il.IFLA_ADDRESS, MAC), attr(il.VETH_INFO_PEER, peer), index=20)
    bench.record_notifications("settled", LINKWATCH)
    bench.up(20)
    bench.record_notifications("settled", LINKWATCH)
    bench.up(21)
    bench.down(20)
    bench.delete(21)
    log.call("rmmod", world.rmmod, "veth")
    log("unloaded", shown(world))


@case(privileged=True, marks=LINKS, oracle=UML)
def bridge_port(world: World, log: Log) -> None:
    """A dummy becomes a port of a bridge and leaves it. rmmod of `bridge` deletes the bridge."""
    bench = Bench(world, log, "link")
    dummy(bench)
    bench.create("b0", "bridge", attr(il.IFLA_ADDRESS, PEER_MAC), index=30)
    bench.change("port", 10, attr(il.IFLA_MASTER, u32(30)))
    bench.change("no port", 10, attr(il.IFLA_MASTER, u32(0)))
    bench.change("port again", 10, attr(il.IFLA_MASTER, u32(30)))
    bench.record_notifications("settled", LINKWATCH)
    bench.up(30)
    bench.up(10)
    log.call("rmmod", world.rmmod, "bridge")
    bench.record_notifications("rmmod")
    bench.delete(30)


# -- addresses and routes --------------------------------------------------------------


def address(family: int, local: bytes, length: int, index: int, flags: int = 0, attrs: bytes = b"") -> bytes:
    body = rt.IfAddrMsg(family, length, flags, 0, index).pack() + attr(2, local)
    return body + (attr(1, local) if family == AF_INET else b"") + attrs


V4 = bytes((192, 0, 2, 1))
V6 = bytes.fromhex("20010db8000000000000000000000001")


@case(privileged=True, marks=LINKS, oracle=UML)
def ipv4_address(world: World, log: Log) -> None:
    """On a link that is up, a new IPv4 address also adds routes. If the address is deleted, the kernel
    deletes these routes.
    """
    bench = Bench(world, log)
    dummy(bench)
    bench.up(10)
    bench.request("add", rt.RTM_NEWADDR, address(AF_INET, V4, 24, 10), CREATE | EXCL)
    bench.request("again", rt.RTM_NEWADDR, address(AF_INET, V4, 24, 10), CREATE | EXCL)
    bench.request("delete", rt.RTM_DELADDR, address(AF_INET, V4, 24, 10))
    bench.request("again", rt.RTM_DELADDR, address(AF_INET, V4, 24, 10))


@case(privileged=True, marks=LINKS, oracle=UML)
def ipv4_address_of_a_link_that_is_down(world: World, log: Log) -> None:
    """An IPv4 address is added before the link goes up, and is deleted with the link."""
    bench = Bench(world, log)
    dummy(bench)
    bench.request("add", rt.RTM_NEWADDR, address(AF_INET, V4, 24, 10), CREATE | EXCL)
    bench.up(10)
    bench.down(10)
    bench.up(10)
    bench.delete(10)


@case(privileged=True, marks=LINKS, oracle=UML)
def ipv4_secondary(world: World, log: Log) -> None:
    """The second IPv4 address of a subnet is secondary and is deleted with the first."""
    bench = Bench(world, log)
    dummy(bench)
    bench.up(10)
    for last in (1, 2):
        local = bytes((192, 0, 2, last))
        bench.request(f"add {last}", rt.RTM_NEWADDR, address(AF_INET, local, 24, 10), CREATE | EXCL)
    bench.request("delete", rt.RTM_DELADDR, address(AF_INET, V4, 24, 10))


@case(privileged=True, marks=LINKS, oracle=UML)
def ipv6_link_local(world: World, log: Log) -> None:
    """When a dummy link goes up, it gets a link-local address, which the kernel derives from the hardware
    address. When the link goes down, it loses this address.
    """
    bench = Bench(world, log)
    dummy(bench)
    bench.up(10)
    bench.record_notifications("later")
    bench.down(10)
    bench.delete(10)


@case(privileged=True, marks=LINKS, oracle=UML)
def ipv6_address(world: World, log: Log) -> None:
    """On a link that is up, a new IPv6 address also adds routes. If the address is deleted, the kernel
    deletes these routes.
    """
    bench = Bench(world, log)
    dummy(bench)
    bench.up(10)
    bench.request("add", rt.RTM_NEWADDR, address(AF_INET6, V6, 64, 10, 2), CREATE | EXCL)
    bench.request("again", rt.RTM_NEWADDR, address(AF_INET6, V6, 64, 10, 2), CREATE | EXCL)
    bench.request("delete", rt.RTM_DELADDR, address(AF_INET6, V6, 64, 10))


def route(family: int, prefix: bytes, length: int, kind: int, attrs: bytes = b"", scope: int = 0) -> bytes:
    header = rt.RtMsg(family, length, 0, 0, rt.RT_TABLE_MAIN, RTPROT_STATIC, scope, kind)
    return header.pack() + attr(1, prefix) + attrs


@case(privileged=True, marks=LINKS, oracle=UML)
def ipv4_routes(world: World, log: Log) -> None:
    """A link that goes down loses its IPv4 routes without a notification. Blackhole and unreachable routes
    stay.
    """
    bench = Bench(world, log, "link", "ipv4 address", "ipv4 route")
    dummy(bench)
    bench.up(10)
    bench.request("address", rt.RTM_NEWADDR, address(AF_INET, V4, 24, 10), CREATE | EXCL)
    ten, out = bytes((10, 0, 0, 0)), attr(4, u32(10))
    via = attr(5, bytes((192, 0, 2, 9)))
    routes = (
        ("link", route(AF_INET, ten, 8, RTN_UNICAST, out, RT_SCOPE_LINK)),
        ("gateway", route(AF_INET, bytes((10, 1, 0, 0)), 16, RTN_UNICAST, via)),
        ("blackhole", route(AF_INET, bytes((10, 2, 0, 0)), 16, RTN_BLACKHOLE)),
        ("unreachable", route(AF_INET, bytes((10, 3, 0, 0)), 16, RTN_UNREACHABLE)),
    )
    for label, body in routes:
        bench.request(f"add {label}", rt.RTM_NEWROUTE, body, CREATE | EXCL)
        bench.request(f"add {label} again", rt.RTM_NEWROUTE, body, CREATE | EXCL)
    bench.request("delete gateway", rt.RTM_DELROUTE, routes[1][1])
    bench.request("delete gateway again", rt.RTM_DELROUTE, routes[1][1])
    bench.down(10)
    for label, body in routes:
        bench.request(f"delete {label}", rt.RTM_DELROUTE, body)


@case(privileged=True, marks=LINKS, oracle=UML)
def ipv6_routes(world: World, log: Log) -> None:
    """A link that goes down loses its IPv6 routes. The kernel sends one notification for each route."""
    bench = Bench(world, log, "link", "ipv6 address", "ipv6 route")
    dummy(bench)
    bench.up(10)
    prefix, out = bytes.fromhex("20010db8000100000000000000000000"), attr(4, u32(10))
    other = bytes.fromhex("20010db8000200000000000000000000")
    routes = (
        ("link", route(AF_INET6, prefix, 48, RTN_UNICAST, out)),
        ("blackhole", route(AF_INET6, other, 48, RTN_BLACKHOLE)),
    )
    for label, body in routes:
        bench.request(f"add {label}", rt.RTM_NEWROUTE, body, CREATE | EXCL)
        bench.request(f"add {label} again", rt.RTM_NEWROUTE, body, CREATE | EXCL)
    bench.down(10)
    for label, body in routes:
        bench.request(f"delete {label}", rt.RTM_DELROUTE, body)
