"""Regression cases: differences between simkernel and Linux that random searches (tests/conformance/live)
found.
"""

from __future__ import annotations

import struct

from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.if_bridge import Br
from simkernel.uapi.netlink import NLM_F_CREATE, NLM_F_EXCL
from simkernel.uapi.socket import (
    AF_INET,
    AF_INET6,
    SO_ATTACH_BPF,
    SO_ATTACH_REUSEPORT_EBPF,
    SO_BINDTOIFINDEX,
    SO_LOCK_FILTER,
    SO_RCVBUF,
    SO_TIMESTAMPING,
    SOL_SOCKET,
)
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import (
    ACK,
    CAP_ACK,
    CTRL_GETPOLICY,
    DUMP,
    EXT_ACK,
    GET_STRICT_CHK,
    NESTED,
    REQUEST,
    SOL_NETLINK,
    attr,
    by_id,
    ctrl,
    u32,
)
from tests.conformance.world import Socket, World

A = 0x52000001
NETDEV = 20
ROUTE = ("route",)
NO_PROCESS = 2**30


def opened(world: World, proto: int) -> Socket:
    sock = netlink(world, proto, bind=(A, 0))
    sock.setsockopt(SOL_NETLINK, EXT_ACK, 1)
    return sock


def ifinfo(index: int = 0, attrs: bytes = b"", family: int = 0) -> bytes:
    return rtnl.IfInfoMsg(family, 0, index, 0, 0).pack() + attrs


@case(marks=("netdev",))
def policies_of_one_operation(world: World, log: Log) -> None:
    """If a command's dump has no policy, CTRL_CMD_GETPOLICY for this command omits the dump.
    CTRL_CMD_GETPOLICY for all commands contains an empty entry for such a dump.
    """
    s = opened(world, wire.GENERIC)
    for command in (1, 5, 12):
        attrs = by_id(NETDEV) + attr(wire.A_OP, u32(command))
        log.ask(f"command {command}", s, ctrl(CTRL_GETPOLICY, attrs, REQUEST | DUMP, seq=command))


@case(privileged=True, marks=ROUTE)
def where_a_link_is_to_go(world: World, log: Log) -> None:
    """The kernel looks up the target namespace of a link before it looks up the link."""
    s = opened(world, wire.ROUTE)
    for name, type in (("new", rtnl.RTM_NEWLINK), ("set", rtnl.RTM_SETLINK)):
        for label, attrs in (
            ("no such process", attr(il.IFLA_NET_NS_PID, u32(NO_PROCESS))),
            ("no such descriptor", attr(il.IFLA_NET_NS_FD, u32(NO_PROCESS))),
            ("no such number", attr(il.IFLA_TARGET_NETNSID, u32(5))),
            ("two of them", attr(il.IFLA_NET_NS_PID, u32(1)) + attr(il.IFLA_NET_NS_FD, u32(NO_PROCESS))),
        ):
            log.ask(f"{name}: {label}", s, wire.nlmsg(type, REQUEST | ACK, ifinfo(999, attrs), seq=1))


@case(privileged=True, marks=ROUTE)
def what_kind_of_link(world: World, log: Log) -> None:
    """The kernel parses IFLA_LINKINFO before the other attributes of a link. Errors in it have no extack
    message.
    """
    s = opened(world, wire.ROUTE)
    for label, inner in (
        ("empty kind", attr(1)),
        ("short data", attr(2, b"\0")),
        ("short data of the master", attr(5, b"\0")),
        ("unknown", attr(99, b"x")),
        ("unknown kind", attr(1, b"nosuchkind\0")),
    ):
        attrs = attr(il.IFLA_LINKINFO | NESTED, inner)
        log.ask(label, s, wire.nlmsg(rtnl.RTM_NEWLINK, REQUEST | ACK, ifinfo(0, attrs), seq=1))
        attrs += attr(il.IFLA_NET_NS_FD, u32(NO_PROCESS))
        log.ask(f"{label}, to nowhere", s, wire.nlmsg(rtnl.RTM_NEWLINK, REQUEST, ifinfo(0, attrs), seq=2))


@case(marks=ROUTE)
def as_strict_as_it_began(world: World, log: Log) -> None:
    """If a dump waits for buffer space, it keeps the setting of NETLINK_GET_STRICT_CHK that the socket had
    when it sent the request.
    """
    s = netlink(world, wire.ROUTE, bind=(A, 0))
    s.setsockopt(SOL_SOCKET, SO_RCVBUF, 0)
    s.setsockopt(SOL_NETLINK, GET_STRICT_CHK, 1)
    request = wire.nlmsg(rtnl.RTM_GETLINK, REQUEST | DUMP, struct.pack("<BxHiII", 0, 0xFF00, 0, 0, 0))
    log.call("first", s.send, request)
    log.call("second", s.send, request)
    s.setsockopt(SOL_NETLINK, GET_STRICT_CHK, 0)
    for _ in range(4):
        log.reply("reply", s)


@case(marks=ROUTE)
def several_wrong_attributes(world: World, log: Log) -> None:
    """If a strict dump of links has several invalid attributes, the kernel reports the one with the lowest
    type.
    """
    s = opened(world, wire.ROUTE)
    s.setsockopt(SOL_NETLINK, GET_STRICT_CHK, 1)
    target = attr(il.IFLA_TARGET_NETNSID, u32(5))
    for label, attrs in (
        ("below", target + attr(il.IFLA_MTU, u32(1))),
        ("above", attr(il.IFLA_ALT_IFNAME, b"x\0") + target),
    ):
        log.ask(label, s, wire.nlmsg(rtnl.RTM_GETLINK, REQUEST | DUMP, ifinfo(0, attrs), seq=1))


@case()
def a_locked_filter(world: World, log: Log) -> None:
    """With SO_LOCK_FILTER, attaching a BPF program fails with EPERM before its descriptor is checked."""
    s = netlink(world, wire.USERSOCK)
    for option in (SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_EBPF):
        log.call("attach", s.setsockopt, SOL_SOCKET, option, -1)
    s.setsockopt(SOL_SOCKET, SO_LOCK_FILTER, 1)
    for option in (SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_EBPF):
        log.call("attach", s.setsockopt, SOL_SOCKET, option, -1)


@case()
def a_clock_of_a_device(world: World, log: Log) -> None:
    """SO_TIMESTAMPING with SOF_TIMESTAMPING_BIND_PHC fails. The error depends on whether the socket is bound
    to a device without a PTP hardware clock or to no device.
    """
    s = netlink(world, wire.USERSOCK)
    flags = 1 << 15  # SOF_TIMESTAMPING_BIND_PHC
    log.call("no device", s.setsockopt, SOL_SOCKET, SO_TIMESTAMPING, flags)
    log.call("bind", s.setsockopt, SOL_SOCKET, SO_BINDTOIFINDEX, 1)
    log.call("lo", s.setsockopt, SOL_SOCKET, SO_TIMESTAMPING, flags)
    log.call("get", s.getsockopt, SOL_SOCKET, SO_TIMESTAMPING)


@case(privileged=True, marks=("netdev",))
def a_device_that_transmits_from_memory(world: World, log: Log) -> None:
    """A `bind-tx` request of the netdev family fails for `lo`, because `lo` cannot transmit from device
    memory.
    """
    s = opened(world, wire.GENERIC)
    attrs = attr(1, u32(1)) + attr(3, u32(0))
    log.ask("bind", s, wire.nlmsg(NETDEV, REQUEST, wire.genl(15, attrs), seq=1))


@case(privileged=True, marks=("route",))
def a_link_that_leads_nowhere(world: World, log: Log) -> None:
    """The kernel looks up the namespace in IFLA_LINK_NETNSID before it looks up the link."""
    s = opened(world, wire.ROUTE)
    nowhere = attr(il.IFLA_LINK_NETNSID, u32(7))
    for label, index, flags, attrs in (
        ("no such link", 7, 0, nowhere),
        ("lo, which is there", 1, NLM_F_EXCL, nowhere),
        ("a negative index", -1, 0, nowhere),
        ("a negative number", 1, 0, attr(il.IFLA_LINK_NETNSID, u32(2**32 - 1))),
        ("in a process's namespace", 1, 0, nowhere + attr(il.IFLA_NET_NS_PID, u32(NO_PROCESS))),
        ("more than a number", 1, 0, attr(il.IFLA_LINK_NETNSID, u32(7) + b"abc")),
    ):
        log.ask(label, s, wire.nlmsg(rtnl.RTM_NEWLINK, REQUEST | ACK | flags, ifinfo(index, attrs), seq=1))
    log.ask("changed", s, wire.nlmsg(rtnl.RTM_SETLINK, REQUEST | ACK, ifinfo(7, nowhere), seq=1))


@case()
def the_text_of_a_success(world: World, log: Log) -> None:
    """If a successful request has leftover bytes after its attributes, its acknowledgement has an extack
    message about these bytes. The socket must have set NETLINK_EXT_ACK.
    """
    s = netlink(world, wire.GENERIC, bind=(A, 0))
    request = ctrl(attrs=wire.by_name() + b"xyz", flags=REQUEST | ACK)
    for option, value in ((EXT_ACK, 0), (EXT_ACK, 1), (CAP_ACK, 1)):
        s.setsockopt(SOL_NETLINK, option, value)
        s.send(request)
        log(f"{option} {value}", len(s.recv(65536)) > 0)
        log.reply("acknowledged", s)


@case(privileged=True)
def prefixes_that_are_too_long(world: World, log: Log) -> None:
    """RTM_DELROUTE accepts IPv6 prefixes of any length. The length of the source prefix matters only if a
    route with a source prefix exists.
    """
    s = opened(world, wire.ROUTE)
    for source, destination in ((255, 0), (1, 0), (0, 0), (129, 0), (0, 129), (0, 255), (0, 1), (1, 1)):
        head = rtnl.RtMsg(AF_INET6, dst_len=destination, src_len=source).pack()
        log.ask(f"{source} {destination}", s, wire.nlmsg(rtnl.RTM_DELROUTE, REQUEST | ACK, head, seq=1))


@case(privileged=True)
def longer_attributes(world: World, log: Log) -> None:
    """A numeric attribute may be longer than its type, except for newer bridge settings."""
    s = opened(world, wire.ROUTE)
    ports = attr(rtnl.RTA_SPORT, bytes(6)) + attr(rtnl.RTA_DPORT, bytes(6))
    log.ask("ports", s, wire.nlmsg(rtnl.RTM_GETROUTE, REQUEST, rtnl.RtMsg(AF_INET).pack() + ports, seq=1))
    for setting, value in (
        (Br.MCAST_ROUTER, b"\1abc"),
        (Br.FDB_MAX_LEARNED, bytes(8)),
        (Br.FDB_N_LEARNED, u32(1)),
    ):
        info = attr(il.IFLA_INFO_KIND, b"bridge\0") + attr(il.IFLA_INFO_DATA, attr(setting, value))
        body = ifinfo(0, attr(il.IFLA_IFNAME, b"br0\0") + attr(il.IFLA_LINKINFO, info))
        log.ask(setting.name, s, wire.nlmsg(rtnl.RTM_NEWLINK, REQUEST | ACK | NLM_F_CREATE, body, seq=1))


@case(privileged=True)
def a_blackhole_before_the_default_table(world: World, log: Log) -> None:
    """If a lookup finds an error route (such as a blackhole) in table main, the lookup ends there, even if
    table default exists.
    """
    s = opened(world, wire.ROUTE)
    to = attr(rtnl.RTA_DST, bytes((10, 0, 1, 35)))
    for label, type, flags, head, more in (
        ("creates a table", rtnl.RTM_NEWROUTE, ACK, rtnl.RtMsg(AF_INET, table=rtnl.RT_TABLE_DEFAULT), b""),
        (
            "blackhole",
            rtnl.RTM_NEWROUTE,
            ACK | NLM_F_CREATE,
            rtnl.RtMsg(AF_INET, type=rtnl.RTN_BLACKHOLE),
            b"",
        ),
        ("lookup", rtnl.RTM_GETROUTE, 0, rtnl.RtMsg(AF_INET, dst_len=32), to),
    ):
        log.ask(label, s, wire.nlmsg(type, REQUEST | flags, head.pack() + more, seq=1))
