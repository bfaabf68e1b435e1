"""Regression cases: differences from Linux that random searches with link changes (tests/conformance/live)
found.
"""

from __future__ import annotations

import struct

from simkernel.uapi import fib_rules as fr
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.neighbour import NDA_DST, NDA_FLAGS_EXT, NDA_LLADDR, NUD_PERMANENT, NdMsg
from simkernel.uapi.netlink import NLM_F_CREATE as CREATE
from simkernel.uapi.netlink import NLM_F_ECHO as ECHO
from simkernel.uapi.socket import AF_INET, AF_INET6, MSG_DONTWAIT, SO_RCVBUF, SOL_SOCKET
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.cases.link_changes import Links
from tests.conformance.live.links.free import free_places
from tests.conformance.log import Log
from tests.conformance.wire import ACK, DUMP, REQUEST, attr, nlmsg, u32
from tests.conformance.world import Socket, World

MARKS = ("route",)


def mask_ages(datagram: bytes) -> bytes:
    """Clear the values that the kernel chooses, such as the ages of neighbours and routes."""
    data = bytearray(datagram)
    for place in free_places(datagram).values():
        data[place] = bytes(place.stop - place.start)
    return bytes(data)


RULE6 = 19


def speaker(world: World) -> Socket:
    """Return a bound NETLINK_ROUTE socket with extended acknowledgements."""
    sock = netlink(world, wire.ROUTE, bind=(0x41000001, 0))
    sock.setsockopt(wire.SOL_NETLINK, wire.EXT_ACK, 1)
    return sock


def rule(family: int, *attributes: bytes, action: int = 1, table: int = 254, src_len: int = 0) -> bytes:
    """Return a RTM_NEWRULE request."""
    head = FibRuleHdr(family, 0, src_len, table=table, action=action).pack()
    return nlmsg(rt.RTM_NEWRULE, REQUEST | ACK, head + b"".join(attributes), seq=3)


@case(privileged=True, marks=MARKS)
def rules_that_are_wrong_twice(world: World, log: Log) -> None:
    """If a routing rule has several errors, the kernel reports one of them by a fixed order. It checks l3mdev
    after the addresses. Its last check is that the goto target lies after the rule's priority.
    """
    sock = speaker(world)
    back = attr(fr.FRA_GOTO, u32(1)) + attr(fr.FRA_PRIORITY, u32(100))
    ports = attr(fr.FRA_DPORT_RANGE, struct.pack("<HH", 1, 0))
    users = attr(fr.FRA_UID_RANGE, struct.pack("<II", 1000, 10))
    log.ask("backward", sock, rule(AF_INET, back, action=fr.FR_ACT_GOTO))
    log.ask("and ports", sock, rule(AF_INET, back, ports, action=fr.FR_ACT_GOTO))
    log.ask("and users", sock, rule(AF_INET, back, users, action=fr.FR_ACT_GOTO))
    log.ask("l3mdev 0", sock, rule(AF_INET6, attr(fr.FRA_L3MDEV, b"\0")))
    log.ask("l3mdev with a table", sock, rule(AF_INET6, attr(fr.FRA_L3MDEV, b"\1")))
    log.ask("and an address", sock, rule(AF_INET6, attr(fr.FRA_L3MDEV, b"\0"), src_len=255))


@case(privileged=True, marks=MARKS)
def rules_with_an_empty_name(world: World, log: Log) -> None:
    """A rule whose link name is empty is not shown as detached."""
    sock = speaker(world)
    sock.setsockopt(wire.SOL_NETLINK, wire.ADD_MEMBERSHIP, RULE6)
    log.ask("output", sock, rule(AF_INET6, attr(fr.FRA_OIFNAME, b"\0")))
    log.ask("input", sock, rule(AF_INET6, attr(fr.FRA_IIFNAME, b"\0"), attr(fr.FRA_PRIORITY, u32(9))))


@case(privileged=True, marks=(*MARKS, "exact_truesize"))
def rules_that_overflow_a_listener(world: World, log: Log) -> None:
    """The kernel allocates a larger buffer for the notification of an IPv6 rule than for an IPv4 rule."""
    sock = speaker(world)
    for family, group in ((AF_INET, 8), (AF_INET6, RULE6)):
        listener = netlink(world, wire.ROUTE, bind=(0x41000002 + group, 0))
        listener.setsockopt(wire.SOL_NETLINK, wire.ADD_MEMBERSHIP, group)
        listener.setsockopt(SOL_SOCKET, SO_RCVBUF, 2304)
        for priority in range(1, 9):
            mark = attr(fr.FRA_FWMARK, u32(2)) if priority % 3 else b""
            log.ask(f"rule {priority}", sock, rule(family, attr(fr.FRA_PRIORITY, u32(priority)), mark))
        log.replies("received", listener)


@case(privileged=True, marks=(*MARKS, "files"))
def loopback_by_another_name(world: World, log: Log) -> None:
    """/proc/net/ipv6_route shows the loopback link as the device of a table's root entry, even if `lo` is
    renamed.
    """
    sock = speaker(world)
    log.ask(
        "rename", sock, nlmsg(rt.RTM_NEWLINK, REQUEST | ACK, rt.IfInfoMsg(index=1).pack() + attr(3, b"b0\0"))
    )
    log("routes", world.read_file("/proc/net/ipv6_route"))


@case(privileged=True, marks=MARKS)
def types_of_neighbours(world: World, log: Log) -> None:
    """Until the local table exists, a neighbour with an IPv4 address has the type broadcast."""
    sock = speaker(world)
    sock.setsockopt(wire.SOL_NETLINK, wire.ADD_MEMBERSHIP, 3)
    bridge = attr(il.IFLA_ADDRESS, bytes((2, 0, 0, 0, 0, 1)))
    bridge += attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"bridge\0"))
    sock.send(nlmsg(rt.RTM_NEWLINK, REQUEST | CREATE, rt.IfInfoMsg().pack() + bridge))
    while True:
        try:
            sock.recv(65536, MSG_DONTWAIT)
        except BlockingIOError:
            break
    for host in (1, 2, 3):
        head = NdMsg(AF_INET, index=2, state=NUD_PERMANENT).pack()
        entry = head + attr(NDA_DST, bytes((10, 0, 0, host))) + attr(NDA_LLADDR, bytes((2, 0, 0, 0, 0, 9)))
        log.ask(f"neighbour {host}", sock, nlmsg(rt.RTM_NEWNEIGH, REQUEST | CREATE, entry))
        if host < 3:
            route = rt.RtMsg(AF_INET, 32, table=256 - host, scope=254, type=2).pack()
            route += attr(rt.RTA_DST, bytes((10, 0, 0, 3))) + attr(rt.RTA_OIF, u32(2))
            log.ask(f"route {host}", sock, nlmsg(rt.RTM_NEWROUTE, REQUEST | CREATE | ACK, route))


@case(privileged=True, marks=MARKS)
def neighbours_of_a_link_that_goes_down(world: World, log: Log) -> None:
    """If a link goes down, IPv4 neighbours are deleted after IPv4 routes and before IPv6 neighbours."""
    sock = speaker(world)
    log.ask("up", sock, nlmsg(rt.RTM_NEWLINK, REQUEST, rt.IfInfoMsg(index=1, flags=1, change=1).pack()))
    log.mask = mask_ages
    for group in (3, 7, 11):
        sock.setsockopt(wire.SOL_NETLINK, wire.ADD_MEMBERSHIP, group)
    for family, host in ((AF_INET, bytes((127, 0, 0, 9))), (AF_INET6, bytes(15) + b"\7")):
        for state in (NUD_PERMANENT, 0x100, 4):
            head = NdMsg(family, index=1, state=state).pack()
            entry = head + attr(NDA_DST, host) + attr(NDA_LLADDR, bytes(6))
            log.ask(f"state {state:#x}", sock, nlmsg(rt.RTM_NEWNEIGH, REQUEST | CREATE, entry))
        validated = entry + attr(NDA_FLAGS_EXT, u32(4))
        log.ask("validated", sock, nlmsg(rt.RTM_NEWNEIGH, REQUEST | CREATE, validated))
    for host in (9, 8):
        entry = NdMsg(AF_INET6, index=1, state=4).pack() + attr(NDA_LLADDR, bytes(6))
        entry += attr(NDA_DST, bytes(15) + bytes((host,)))
        log.ask(f"host {host}", sock, nlmsg(rt.RTM_NEWNEIGH, REQUEST | CREATE, entry))
    log.ask("down", sock, nlmsg(rt.RTM_NEWLINK, REQUEST, rt.IfInfoMsg(index=1, change=1).pack()))


@case(privileged=True, marks=(*MARKS, "namespaces"))
def flags_and_echoes(world: World, log: Log) -> None:
    """Two requests have NLM_F_ECHO: one adds a blackhole route with flags, one creates a link in another
    namespace. A lookup of ::1 has RTM_F_FIB_MATCH. The case records the replies.
    """
    sock = speaker(world)
    log.mask = mask_ages
    route = rt.RtMsg(AF_INET, 8, table=254, protocol=4, type=6, flags=8).pack() + attr(
        rt.RTA_DST, b"\x0a\0\0\0"
    )
    log.ask("blackhole", sock, nlmsg(rt.RTM_NEWROUTE, REQUEST | CREATE | ECHO, route))
    other = world.namespace()
    world.set_nsid(other, 7)
    kind = attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"bridge\0")) + attr(il.IFLA_TARGET_NETNSID, u32(7))
    made = rt.IfInfoMsg().pack() + attr(il.IFLA_ADDRESS, bytes((2, 0, 0, 0, 0, 1))) + kind
    log.ask("echo from elsewhere", sock, nlmsg(rt.RTM_NEWLINK, REQUEST | CREATE | ECHO | ACK, made))
    log.ask("up", sock, nlmsg(rt.RTM_NEWLINK, REQUEST, rt.IfInfoMsg(index=1, flags=1, change=1).pack()))
    to = attr(rt.RTA_DST, bytes(15) + b"\1") + attr(rt.RTA_IIF, u32(1))
    lookup = rt.RtMsg(AF_INET6, 128, flags=rt.RTM_F_FIB_MATCH).pack() + to
    log.ask("lookup", sock, nlmsg(rt.RTM_GETROUTE, REQUEST, lookup))


@case(privileged=True, marks=MARKS)
def ends_that_are_described_wrongly(world: World, log: Log) -> None:
    """Replies to a veth request with an invalid MTU or peer index, and to a request for a neighbour of a link
    without IPv4.
    """
    sock = speaker(world)
    kind = attr(il.IFLA_INFO_KIND, b"veth\0")
    odd = rt.IfInfoMsg().pack() + attr(il.IFLA_MTU, bytes(5)) + attr(il.IFLA_LINKINFO, kind)
    log.ask("mtu", sock, nlmsg(rt.RTM_NEWLINK, REQUEST | CREATE, odd))
    peer = attr(il.IFLA_INFO_DATA, attr(1, rt.IfInfoMsg(index=-1).pack()))
    negative = rt.IfInfoMsg().pack() + attr(il.IFLA_LINKINFO, kind + peer)
    log.ask("peer", sock, nlmsg(rt.RTM_NEWLINK, REQUEST | CREATE, negative))
    small = rt.IfInfoMsg(index=1).pack() + attr(il.IFLA_MTU, u32(0))
    log.ask("no IPv4", sock, nlmsg(rt.RTM_SETLINK, REQUEST | ACK, small))
    entry = NdMsg(AF_INET, index=1, state=4).pack() + attr(NDA_DST, bytes(4)) + attr(NDA_LLADDR, bytes(6))
    log.ask("neighbour", sock, nlmsg(rt.RTM_NEWNEIGH, REQUEST | CREATE | ACK, entry))


@case(privileged=True, marks=MARKS)
def neighbours_that_are_validated(world: World, log: Log) -> None:
    """A request with NTF_EXT_VALIDATED fails if the neighbour state is not valid. If the carrier is lost, a
    neighbour with this flag stays.
    """
    sock = speaker(world)
    log.mask = mask_ages
    log.ask("up", sock, nlmsg(rt.RTM_NEWLINK, REQUEST, rt.IfInfoMsg(index=1, flags=1, change=1).pack()))
    for family, host in ((AF_INET, bytes(4)), (AF_INET6, bytes(15) + b"\7")):
        for state in (0, 0x20, 4, 0, 0x20, NUD_PERMANENT):
            entry = NdMsg(family, index=1, state=state).pack() + attr(NDA_DST, host)
            entry += attr(NDA_LLADDR, bytes(6)) + attr(NDA_FLAGS_EXT, u32(4))
            log.ask(f"state {state:#x}", sock, nlmsg(rt.RTM_NEWNEIGH, REQUEST | CREATE | ACK, entry))


@case(privileged=True, marks=MARKS)
def protocols_that_end_and_begin_again(world: World, log: Log) -> None:
    """An MTU that is too small disables IPv4 on a link and deletes its IPv4 neighbours. A larger MTU enables
    IPv4 again, but `lo` does not regain the IPv4 settings of a loopback link.
    """
    sock = speaker(world)
    log.mask = mask_ages
    for group in (1, 3):
        sock.setsockopt(wire.SOL_NETLINK, wire.ADD_MEMBERSHIP, group)
    entry = NdMsg(AF_INET, index=1, state=4).pack() + attr(NDA_DST, bytes(4)) + attr(NDA_LLADDR, bytes(6))
    log.ask("neighbour", sock, nlmsg(rt.RTM_NEWNEIGH, REQUEST | CREATE, entry))
    for mtu in (60, 9000):
        small = rt.IfInfoMsg(index=1).pack() + attr(il.IFLA_MTU, u32(mtu))
        log.ask(f"MTU {mtu}", sock, nlmsg(rt.RTM_SETLINK, REQUEST | ACK, small))
        log.ask("after it", sock, nlmsg(rt.RTM_GETLINK, REQUEST, rt.IfInfoMsg(index=1).pack()))


@case(privileged=True, marks=(*MARKS, "ioctl"))
def changes_before_an_error(world: World, log: Log) -> None:
    """A request that changes settings of a bridge fails because of an invalid broadcast address. The bridge
    keeps the new settings, but the kernel sends no notification about them.
    """
    sock = speaker(world)
    kind = attr(il.IFLA_INFO_KIND, b"bridge\0")
    made = rt.IfInfoMsg(index=9, flags=1, change=1).pack() + attr(il.IFLA_ADDRESS, bytes((2, 0, 0, 0, 0, 1)))
    made += attr(il.IFLA_IFNAME, b"a0\0") + attr(il.IFLA_TXQLEN, u32(0xFFFFFFFF))
    sock.sendto(nlmsg(rt.RTM_NEWLINK, REQUEST | CREATE, made + attr(il.IFLA_LINKINFO, kind)), (0, 0))
    log.mask = mask_ages
    log.call("SIOCGIFTXQLEN", world.ioctl, sock, 0x8942, b"a0".ljust(40, b"\0"))
    get = nlmsg(rt.RTM_GETLINK, REQUEST, rt.IfInfoMsg(index=9).pack())
    log.ask("before it", sock, get)  # RTM_GETLINK completes the deferred carrier change of the bridge.
    sock.setsockopt(wire.SOL_NETLINK, wire.ADD_MEMBERSHIP, 1)
    delay = attr(il.IFLA_INFO_DATA, attr(1, u32(300)))
    wrong = rt.IfInfoMsg(index=9).pack() + attr(il.IFLA_LINKINFO, kind + delay)
    wrong += attr(il.IFLA_BROADCAST, bytes(5))
    log.ask("wrong", sock, nlmsg(rt.RTM_NEWLINK, REQUEST | ACK, wrong))
    log.ask("after it", sock, get)


@case(privileged=True, marks=MARKS)
def dump_that_ends_with_deleted_links(world: World, log: Log) -> None:
    """If links are deleted before the last part of a dump, NLMSG_DONE has no NLM_F_DUMP_INTR."""
    links = Links(world, Log())
    links.veth("pair")
    links.veth("another", b"v2", b"v3")
    links.bridge("bridge")
    for deleted in (0, 6, 4):
        sock = netlink(world, wire.ROUTE)
        sock.send(nlmsg(rt.RTM_GETLINK, REQUEST | DUMP, rt.IfInfoMsg().pack(), seq=3))
        parts = [sock.recv(4096)]
        if deleted:
            links.ask("delete", rt.RTM_DELLINK, rt.IfInfoMsg(index=deleted).pack())
        while parts[-1][4:6] != b"\3\0":
            parts.append(sock.recv(4096))
        log(
            f"{deleted} deleted", [[list(header[1:3]) for header, _ in wire.messages(each)] for each in parts]
        )
