"""NETLINK_ROUTE: requests that add, change and delete addresses, and the notifications of these changes.

Timestamps of the kernel's clock are recorded as 0. So is the reachable time of neighbours, which is
random.
"""

from __future__ import annotations

import socket
import struct

from simkernel.uapi import if_addr as ia
from simkernel.uapi import if_link as il
from simkernel.uapi import netconf as nc
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NlMsgHdr
from simkernel.uapi.socket import AF_INET, AF_INET6, MSG_DONTWAIT
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log, error_name
from tests.conformance.wire import ACK, DUMP, REQUEST, attr, nlmsg, u32
from tests.conformance.world import Socket, World

MARKS = ("route",)
MAC_A, MAC_B = (bytes((2, 0, 0, 0, 0, each)) for each in (10, 11))
UP = 1
FIRST, SECOND = 3, 2
"""Indices of the links `v0` and `v1`, the two ends of a veth pair."""
INET6_CACHEINFO = 5
GROUPS = (rt.RTNLGRP_IPV4_IFADDR, rt.RTNLGRP_IPV6_IFADDR, rt.RTNLGRP_IPV6_IFINFO)


def flags(value: int) -> bytes:
    return attr(ia.IFA_FLAGS, u32(value))


def lifetimes(preferred: int, valid: int) -> bytes:
    return attr(ia.IFA_CACHEINFO, struct.pack("<4I", preferred, valid, 0, 0))


def ipv4(index: int, text: str, length: int = 24, *attrs: bytes, peer: str = "", scope: int = 0) -> bytes:
    """Return the body of a request for an IPv4 address."""
    header = rt.IfAddrMsg(AF_INET, length, 0, scope, index).pack()
    local = attr(ia.IFA_LOCAL, socket.inet_aton(text)) if text else b""
    address = attr(ia.IFA_ADDRESS, socket.inet_aton(peer)) if peer else b""
    return header + local + address + b"".join(attrs)


def ipv6(index: int, text: str, length: int = 64, *attrs: bytes, peer: str = "") -> bytes:
    """Return the body of a request for an IPv6 address."""
    header = rt.IfAddrMsg(AF_INET6, length, 0, 0, index).pack()
    value = attr(ia.IFA_LOCAL if peer else ia.IFA_ADDRESS, socket.inet_pton(socket.AF_INET6, text))
    other = attr(ia.IFA_ADDRESS, socket.inet_pton(socket.AF_INET6, peer)) if peer else b""
    return header + value + other + b"".join(attrs)


def family(number: int, *attrs: bytes) -> bytes:
    """Return IFLA_AF_SPEC with the settings of one address family."""
    return attr(il.IFLA_AF_SPEC, attr(number, b"".join(attrs)))


def timeless(data: bytes) -> bytes:
    """Return a datagram with its timestamps set to 0."""
    result = b""
    for header, payload in wire.messages(data):
        size = {rt.RTM_NEWADDR: 8, rt.RTM_DELADDR: 8, rt.RTM_NEWLINK: 16}.get(header[1])
        body = payload if size is None else payload[:size] + _timeless(header[1], payload[size:])
        result += NlMsgHdr.LAYOUT.pack(*header) + body
    return result


def _timeless(type: int, data: bytes) -> bytes:
    result = b""
    for each, value in wire.attrs(data):
        if type == rt.RTM_NEWLINK and each == il.IFLA_PROTINFO:
            value = _timeless(0, value)
        elif type == 0 and each == INET6_CACHEINFO:
            value = value[:4] + bytes(8) + value[12:]
        elif type in (rt.RTM_NEWADDR, rt.RTM_DELADDR) and each == ia.IFA_CACHEINFO:
            value = value[:8] + bytes(8)
        result += attr(each, value)
    return result


class Addresses:
    """A socket that requests changes of addresses, and a socket that receives the notifications."""

    def __init__(self, world: World, log: Log, groups: tuple[int, ...] = GROUPS) -> None:
        self.log = log
        self.changer: Socket = netlink(world, wire.ROUTE, bind=(0x41000001, 0))
        self.changer.setsockopt(wire.SOL_NETLINK, wire.EXT_ACK, 1)
        mask = sum(1 << (group - 1) for group in groups)
        self.listener: Socket = netlink(world, wire.ROUTE, bind=(0x41000002, mask))

    def show(self, label: str, sock: Socket) -> None:
        """Receive and record all datagrams that are queued on a socket."""
        datagrams: list[list[str]] = []
        while True:
            try:
                datagrams.append(self.log.messages(timeless(sock.recv(65536, MSG_DONTWAIT))))
            except OSError as error:
                self.log(label, [*datagrams, error_name(error)])
                return

    def ask(self, label: str, type: int, body: bytes, more: int = 0) -> None:
        """Send a request, then record its replies and the notifications."""
        self.changer.sendto(nlmsg(type, REQUEST | ACK | more, body, seq=7), (0, 0))
        self.show(f"{label} ->", self.changer)
        self.show(f"{label}: notified", self.listener)

    def add(self, label: str, body: bytes, more: int = NLM_F_CREATE | NLM_F_EXCL) -> None:
        self.ask(f"add {label}", rt.RTM_NEWADDR, body, more)

    def replace(self, label: str, body: bytes) -> None:
        self.ask(f"replace {label}", rt.RTM_NEWADDR, body, NLM_F_REPLACE)

    def delete(self, label: str, body: bytes) -> None:
        self.ask(f"delete {label}", rt.RTM_DELADDR, body)

    def get(self, label: str, number: int, index: int = 0, *attrs: bytes) -> None:
        """Send an RTM_GETADDR dump request for the addresses of one family, and record the replies."""
        self.ask(
            f"get {label}", rt.RTM_GETADDR, rt.IfAddrMsg(number, index=index).pack() + b"".join(attrs), DUMP
        )

    def link(self, label: str, index: int, *attrs: bytes, up: bool | None = None) -> None:
        """Send an RTM_NEWLINK request for an existing link, and record the replies and notifications."""
        header = rt.IfInfoMsg(index=index, flags=UP if up else 0, change=0 if up is None else UP)
        self.ask(label, rt.RTM_NEWLINK, header.pack() + b"".join(attrs))

    def veth(self) -> None:
        """Create a veth pair with fixed hardware addresses."""
        ends = [
            rt.IfInfoMsg().pack() + attr(il.IFLA_IFNAME, name) + attr(il.IFLA_ADDRESS, mac)
            for name, mac in ((b"v0\0", MAC_A), (b"v1\0", MAC_B))
        ]
        data = attr(il.IFLA_INFO_DATA, attr(il.VETH_INFO_PEER, ends[1]))
        info = attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"veth\0") + data)
        self.ask("veth", rt.RTM_NEWLINK, ends[0] + info, NLM_F_CREATE | NLM_F_EXCL)

    def wait(self, label: str, count: int) -> None:
        """Wait for notifications that no request causes. Record them sorted by their bytes, because their
        order varies.
        """
        self.listener.settimeout(5)
        found = [timeless(self.listener.recv(65536)) for _ in range(count)]
        self.listener.settimeout(0)
        self.log(label, [line for data in sorted(found) for line in self.log.messages(data)])


@case(privileged=True, marks=MARKS)
def loopback(world: World, log: Log) -> None:
    """`lo` gets its addresses when it goes up. When it goes down, it keeps only the IPv4 address."""
    addresses = Addresses(world, log)
    for label, up in (("up", True), ("up again", True), ("down", False), ("back up", True)):
        addresses.link(label, 1, up=up)
        addresses.get(f"{label}: all", 0)
    addresses.delete("127.0.0.1", ipv4(1, "127.0.0.1", 8))
    addresses.delete("::1", ipv6(1, "::1", 128))
    addresses.link("down without", 1, up=False)
    addresses.link("up without", 1, up=True)
    for label, mtu in (("too small for IPv6", 1279), ("too small for IPv4", 67), ("large", 65536)):
        addresses.link(f"{label}: mtu", 1, attr(il.IFLA_MTU, u32(mtu)))
        addresses.link(f"{label}: down", 1, up=False)
        addresses.link(f"{label}: up", 1, up=True)


@case(privileged=True, marks=MARKS)
def ipv4_subnets(world: World, log: Log) -> None:
    """The first address of a subnet is primary. Later addresses of this subnet are secondary, and the kernel
    deletes them together with the primary address.
    """
    addresses = Addresses(world, log)
    addresses.veth()
    for text, scope in (("10.0.0.1", 0), ("10.0.1.1", 253), ("10.0.0.2", 0), ("10.0.2.1", 254)):
        addresses.add(text, ipv4(FIRST, text, scope=scope))
    addresses.add("of another scope", ipv4(FIRST, "10.0.0.3", scope=253))
    addresses.add("of another length", ipv4(FIRST, "10.0.0.3", 25))
    addresses.add("a third", ipv4(FIRST, "10.0.0.4"))
    addresses.get("all", AF_INET)
    addresses.delete("a secondary", ipv4(FIRST, "10.0.0.2"))
    addresses.delete("by prefix", ipv4(FIRST, "", peer="10.0.0.77"))
    addresses.get("rest", AF_INET)
    addresses.delete("any", ipv4(FIRST, ""))
    addresses.delete("another length", ipv4(FIRST, "10.0.1.1", 25, peer="10.0.1.1"))
    addresses.delete("another label", ipv4(FIRST, "10.0.1.1", 24, attr(ia.IFA_LABEL, b"v0:1\0")))
    addresses.delete("label and local", ipv4(FIRST, "10.0.1.1", 9, attr(ia.IFA_LABEL, b"v0\0")))
    addresses.delete("the link", rt.IfInfoMsg(index=FIRST).pack())
    addresses.ask("delete link", rt.RTM_DELLINK, rt.IfInfoMsg(index=FIRST).pack())


@case(privileged=True, marks=MARKS)
def ipv4_promotion(world: World, log: Log) -> None:
    """With promote_secondaries, a secondary address becomes primary when the primary address is deleted."""
    addresses = Addresses(world, log)
    addresses.veth()
    promote = attr(1, attr(20, u32(1)))
    addresses.link("promote", FIRST, family(AF_INET, promote))
    for text in ("10.0.0.1", "10.0.1.1", "10.0.0.2", "10.0.0.3"):
        addresses.add(text, ipv4(FIRST, text))
    addresses.delete("10.0.0.1", ipv4(FIRST, "10.0.0.1"))
    addresses.get("one moved", AF_INET)
    addresses.delete("10.0.0.2", ipv4(FIRST, "10.0.0.2"))
    addresses.delete("10.0.1.1", ipv4(FIRST, "10.0.1.1"))
    addresses.get("one left", AF_INET)


@case(privileged=True, marks=MARKS)
def ipv4_attributes(world: World, log: Log) -> None:
    """Requests with peer, broadcast, label, protocol, metric, flags and lifetimes of an IPv4 address."""
    addresses = Addresses(world, log)
    addresses.veth()
    named = attr(ia.IFA_LABEL, b"v0:x\0") + attr(ia.IFA_PROTO, b"\7") + attr(ia.IFA_RT_PRIORITY, u32(50))
    broadcast = attr(ia.IFA_BROADCAST, b"\x0a\0\0\xff")
    addresses.add("all", ipv4(FIRST, "10.0.0.1", 24, broadcast, named))
    addresses.add("again", ipv4(FIRST, "10.0.0.1"))
    addresses.add("again, not exclusively", ipv4(FIRST, "10.0.0.1"), 0)
    changed = attr(ia.IFA_PROTO, b"\x08") + attr(ia.IFA_LABEL, b"no\0")
    addresses.replace("all", ipv4(FIRST, "10.0.0.1", 24, changed, lifetimes(1000, 2000)))
    addresses.add("peer", ipv4(FIRST, "10.0.1.1", 32, peer="10.0.1.2"))
    addresses.add("far peer", ipv4(FIRST, "10.0.2.1", 24, peer="10.0.3.1"))
    addresses.add("peer 0", ipv4(FIRST, "10.0.4.1", 24, peer="0.0.0.0"))
    addresses.add("flags", ipv4(FIRST, "10.0.5.1", 24, flags(0xFFFFFBFF)))
    addresses.add("flags again", ipv4(FIRST, "10.0.5.1", 24, flags(0)), NLM_F_REPLACE)
    addresses.add("no label", ipv4(FIRST, "10.0.6.1", 24, attr(ia.IFA_LABEL, b"\0")))
    addresses.add("zero", ipv4(FIRST, "0.0.0.0"))
    addresses.add("length 0", ipv4(FIRST, "10.0.7.1", 0))
    addresses.add("multicast", ipv4(FIRST, "224.0.0.5", 32))
    join = flags(ia.IFA_F_MCAUTOJOIN)
    addresses.add("join", ipv4(FIRST, "224.0.0.6", 32, join))
    addresses.add("join again", ipv4(FIRST, "224.0.0.6", 31, join))
    addresses.add("join none", ipv4(FIRST, "10.0.8.1", 32, join))
    for preferred, valid in ((0, 0xFFFFFFFF), (3, 0xFFFFFFFF), (4, 3), (0, 0)):
        addresses.add(
            f"{preferred} of {valid}", ipv4(FIRST, f"10.1.{preferred}.1", 24, lifetimes(preferred, valid))
        )
    addresses.add("other link", ipv4(77, "10.2.0.1"))
    addresses.add("length 33", ipv4(FIRST, "10.2.0.1", 33))
    addresses.add("none", ipv4(FIRST, "", peer="10.2.0.1"))
    addresses.delete("other link", ipv4(77, "10.2.0.1"))
    addresses.get("all", AF_INET)
    addresses.link("rename", FIRST, attr(il.IFLA_IFNAME, b"a-longer-name\0"))
    addresses.link("small mtu", FIRST, attr(il.IFLA_MTU, u32(1279)))
    addresses.get("left", 0)


@case(privileged=True, marks=MARKS)
def ipv4_dumps(world: World, log: Log) -> None:
    """RTM_GETADDR dumps select addresses by link, family or network namespace."""
    addresses = Addresses(world, log)
    addresses.veth()
    for index, text in ((1, "10.0.0.1"), (FIRST, "10.0.1.1"), (SECOND, "10.0.2.1")):
        addresses.add(text, ipv4(index, text))
    addresses.add("fd00::1", ipv6(FIRST, "fd00::1"))
    for label, strict in (("liberal", 0), ("strict", 1)):
        addresses.changer.setsockopt(wire.SOL_NETLINK, wire.GET_STRICT_CHK, strict)
        for number in (0, AF_INET, AF_INET6):
            addresses.get(f"{label} of {number}", number)
            addresses.get(f"{label} of {number} on a link", number, FIRST)
            addresses.get(f"{label} of {number} on no link", number, 77)
        addresses.get(f"{label} with a label", AF_INET, 0, attr(ia.IFA_LABEL, b"v0\0"))
    one = attr(ia.IFA_ADDRESS, socket.inet_pton(socket.AF_INET6, "fd00::1"))
    for index in (0, SECOND, FIRST, 77):
        addresses.ask(f"one on {index}", rt.RTM_GETADDR, rt.IfAddrMsg(AF_INET6, index=index).pack() + one)


@case(privileged=True, marks=MARKS)
def ipv6_on_a_link_that_is_down(world: World, log: Log) -> None:
    """IPv6 addresses of a link that is down stay tentative, but they can be changed and deleted."""
    addresses = Addresses(world, log)
    addresses.veth()
    for text in ("fd00::1", "fd00::2", "fe80::1", "fec0::1", "2001:db8::1", "::ffff:1.2.3.4"):
        addresses.add(text, ipv6(FIRST, text))
    addresses.get("all", AF_INET6)
    named = attr(ia.IFA_PROTO, b"\5") + attr(ia.IFA_RT_PRIORITY, u32(70))
    addresses.add("peer", ipv6(FIRST, "fd01::1", 64, named, lifetimes(1000, 2000), peer="fd02::1"))
    addresses.add("again", ipv6(FIRST, "fd00::1"))
    addresses.add("again, another length", ipv6(FIRST, "fd00::1", 48), 0)
    addresses.replace("lifetimes", ipv6(FIRST, "fd00::1", 64, lifetimes(10, 20)))
    addresses.replace("lifetimes again", ipv6(FIRST, "fd00::1", 64, flags(ia.IFA_F_NOPREFIXROUTE)))
    addresses.replace("wrong lifetimes", ipv6(FIRST, "fd00::1", 64, lifetimes(20, 10)))
    addresses.replace("peer", ipv6(FIRST, "fd01::1", 64, peer="fd03::1"))
    addresses.get("changed", AF_INET6)
    for label, body in {
        "any": ipv6(FIRST, "::"),
        "loopback": ipv6(FIRST, "::1"),
        "multicast": ipv6(FIRST, "ff02::5"),
        "join none": ipv6(FIRST, "fd04::1", 64, flags(ia.IFA_F_MCAUTOJOIN)),
        "length 129": ipv6(FIRST, "fd04::1", 129),
        "temporary": ipv6(FIRST, "fd04::1", 63, flags(ia.IFA_F_MANAGETEMPADDR)),
        "no lifetime": ipv6(FIRST, "fd04::1", 64, lifetimes(0, 0)),
        "no link": ipv6(77, "fd04::1"),
        "join": ipv6(FIRST, "ff05::5", 128, flags(ia.IFA_F_MCAUTOJOIN)),
    }.items():
        addresses.add(label, body)
    addresses.delete("another length", ipv6(FIRST, "fd00::1", 48))
    addresses.delete("no link", ipv6(77, "fd00::1"))
    for text in ("fd00::2", "fe80::1", "fd01::1"):
        addresses.delete(text, ipv6(FIRST, text))
    addresses.link("small mtu", FIRST, attr(il.IFLA_MTU, u32(1279)))
    addresses.add("small mtu", ipv6(FIRST, "fd00::1"))
    addresses.delete("small mtu", ipv6(FIRST, "fd00::1"))
    addresses.get("small mtu", AF_INET6)
    addresses.link("large mtu", FIRST, attr(il.IFLA_MTU, u32(1280)))
    addresses.add("large mtu", ipv6(FIRST, "fd00::1"))
    addresses.ask("delete link", rt.RTM_DELLINK, rt.IfInfoMsg(index=FIRST).pack())


@case(privileged=True, marks=MARKS)
def ipv6_duplicate_address_detection(world: World, log: Log) -> None:
    """An IPv6 address is tentative until duplicate address detection ends. A link that goes down loses its
    IPv6 addresses.
    """
    addresses = Addresses(world, log, (rt.RTNLGRP_IPV6_IFADDR,))
    addresses.veth()
    addresses.add("before", ipv6(FIRST, "fd00::1"))
    addresses.add("before, deprecated", ipv6(FIRST, "fd00::2", 64, lifetimes(0, 0xFFFFFFFF)))
    for index in (FIRST, SECOND):
        addresses.link(f"{index} up", index, up=True)
    addresses.wait("detected", 4)
    addresses.get("detected", AF_INET6)
    body = ipv6(SECOND, "fd01::1", 64, flags(ia.IFA_F_NODAD))
    addresses.changer.sendto(nlmsg(rt.RTM_NEWADDR, REQUEST, body), (0, 0))
    addresses.wait("without detection", 1)
    addresses.link("down", FIRST, up=False)
    addresses.link("other down", SECOND, up=False)
    addresses.get("at the end", AF_INET6)


@case(privileged=True, marks=MARKS)
def prefix_route_on_loopback(world: World, log: Log) -> None:
    """The prefix route that belongs to an address of `lo` never expires, even if the address has a
    lifetime.
    """
    addresses = Addresses(world, log, (rt.RTNLGRP_IPV6_ROUTE,))
    addresses.link("up", 1, up=True)
    body = ipv6(1, "fd00::1", 64, lifetimes(1000, 2000))
    addresses.changer.sendto(nlmsg(rt.RTM_NEWADDR, REQUEST, body), (0, 0))
    addresses.wait("prefix route and local route", 2)
    addresses.delete("fd00::1", ipv6(1, "fd00::1"))


@case(privileged=True, marks=MARKS)
def lifetimes_that_end(world: World, log: Log) -> None:
    """An address becomes deprecated after its preferred lifetime and is deleted after its valid lifetime."""
    addresses = Addresses(world, log, (rt.RTNLGRP_IPV4_IFADDR, rt.RTNLGRP_IPV6_IFADDR))
    addresses.veth()
    addresses.add("10.0.0.1", ipv4(FIRST, "10.0.0.1", 24, lifetimes(2, 4)))
    addresses.add("fd00::1", ipv6(FIRST, "fd00::1", 64, lifetimes(2, 4)))
    addresses.wait("deprecated", 2)
    addresses.wait("gone", 2)
    addresses.get("at the end", 0)


@case(privileged=True, marks=MARKS)
def settings_of_protocols(world: World, log: Log) -> None:
    """IFLA_AF_SPEC selects how a link generates its IPv6 addresses."""
    addresses = Addresses(world, log)
    addresses.veth()
    token, mode = attr(7, bytes(8) + b"\1" * 8), 8
    for label, settings in {
        "no link-local address": family(AF_INET6, attr(mode, b"\1")),
        "without a secret": family(AF_INET6, attr(mode, b"\2")),
        "unknown mode": family(AF_INET6, attr(mode, b"\4")),
        "token": family(AF_INET6, token),
        "short token": family(AF_INET6, token[:12]),
        "nothing": family(AF_INET6),
        "mtu of routers": family(AF_INET6, attr(9, u32(1400))),
        "nothing for IPv4": family(AF_INET),
        "place 0": family(AF_INET, attr(1, attr(0, u32(1)))),
        "place 34": family(AF_INET, attr(1, attr(34, u32(1)))),
        "short": family(AF_INET, attr(1, attr(20, b"\1"))),
    }.items():
        for index in (1, FIRST):
            addresses.link(f"{label} on {index}", index, settings)
    other = attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"\0") + attr(il.IFLA_INFO_DATA))
    addresses.link("wrong mode, data of another kind", FIRST, other, family(AF_INET6, attr(mode, b"\2")))
    addresses.listener.setsockopt(wire.SOL_NETLINK, wire.DROP_MEMBERSHIP, rt.RTNLGRP_IPV6_IFINFO)
    addresses.link("first up", FIRST, up=True)
    addresses.link("second up", SECOND, up=True)
    addresses.wait("one has a link-local address", 1)
    addresses.get("at the end", AF_INET6)


@case(privileged=True, marks=MARKS)
def netconf(world: World, log: Log) -> None:
    """RTM_NEWNETCONF and RTM_DELNETCONF report the settings of a link that is created, renamed and
    deleted.
    """
    addresses = Addresses(world, log, (rt.RTNLGRP_IPV4_NETCONF, rt.RTNLGRP_IPV6_NETCONF))
    addresses.veth()
    for strict in (0, 1):
        addresses.changer.setsockopt(wire.SOL_NETLINK, wire.GET_STRICT_CHK, strict)
        for number in (AF_INET, AF_INET6, 0):
            header = bytes((number, 0, 0, 0))
            label = f"{('liberal', 'strict')[strict]} {number}"
            for index in (-1, -2, 0, 1, FIRST, 77):
                body = header + attr(nc.NETCONFA_IFINDEX, struct.pack("<i", index))
                addresses.ask(f"{label}: {index}", rt.RTM_GETNETCONF, body)
            both = attr(nc.NETCONFA_IFINDEX, u32(1)) + attr(nc.NETCONFA_FORWARDING, u32(1))
            for what, more in (("none", b""), ("two", both), ("short", attr(nc.NETCONFA_IFINDEX, b"\1"))):
                addresses.ask(f"{label}: {what}", rt.RTM_GETNETCONF, header + more)
            addresses.ask(f"{label}: all", rt.RTM_GETNETCONF, header, DUMP)
            addresses.ask(f"{label}: all, with more", rt.RTM_GETNETCONF, header + both, DUMP)
            addresses.ask(f"{label}: all, short", rt.RTM_GETNETCONF, header[:1], DUMP)
    settings = attr(1, b"".join(attr(place, u32(place)) for place in (1, 2, 3, 8, 29, 32)))
    addresses.link("change", FIRST, family(AF_INET, settings))
    body = bytes((AF_INET, 0, 0, 0)) + attr(nc.NETCONFA_IFINDEX, u32(FIRST))
    addresses.ask("changed", rt.RTM_GETNETCONF, body)
    addresses.link("name", FIRST, attr(il.IFLA_IFNAME, b"v2\0"))
    addresses.link("too small for IPv6", FIRST, attr(il.IFLA_MTU, u32(1000)))
    addresses.ask("without IPv6", rt.RTM_GETNETCONF, bytes((AF_INET6, 0, 0, 0)), DUMP)
    addresses.link("large", FIRST, attr(il.IFLA_MTU, u32(1500)))
    addresses.ask("delete link", rt.RTM_DELLINK, rt.IfInfoMsg(index=FIRST).pack())
