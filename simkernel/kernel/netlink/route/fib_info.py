"""IPv4 routes: the parsed request and the stored route (net/ipv4/fib_semantics.c)."""

from __future__ import annotations

from typing import Any, Final

import attrs

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route.fib import (
    IPV4_POLICY,
    Metrics,
    NextHop,
    RouteRequest,
    Unmodelled,
    pack_hops,
    pack_metrics,
    pack_table,
)
from simkernel.kernel.netlink.route.parse import has_header
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EACCES, EAGAIN, EHOSTUNREACH, EINVAL, EOPNOTSUPP, os_error
from simkernel.uapi.netlink import attribute
from simkernel.uapi.rtnetlink import RtMsg
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.uapi.structure import BE32, U32

BITS: Final = 32
BROADCAST: Final = 0xFFFF_FFFF
DSCP_MASK: Final = 0xFC
TOS_MASK: Final = 0x1C
"""TOS bits that a lookup compares (`fib_dscp_masked_match()`)."""
COMPARE_MASK: Final = rt.RTNH_F_DEAD | rt.RTNH_F_LINKDOWN | rt.RTNH_F_OFFLOAD | rt.RTNH_F_TRAP
"""Next-hop flags that a comparison of routes ignores."""

ERRORS: Final = {
    rt.RTN_BLACKHOLE: EINVAL,
    rt.RTN_UNREACHABLE: EHOSTUNREACH,
    rt.RTN_PROHIBIT: EACCES,
    rt.RTN_THROW: EAGAIN,
    rt.RTN_NAT: EINVAL,
    rt.RTN_XRESOLVE: EINVAL,
}
"""Error that a lookup returns for a route that rejects packets, by route type (`fib_props`, `fib6_prop`)."""
SCOPES: Final = {
    rt.RTN_UNSPEC: rt.RT_SCOPE_NOWHERE,
    rt.RTN_LOCAL: rt.RT_SCOPE_HOST,
    rt.RTN_BROADCAST: rt.RT_SCOPE_LINK,
    rt.RTN_ANYCAST: rt.RT_SCOPE_LINK,
    rt.RTN_NAT: rt.RT_SCOPE_NOWHERE,
    rt.RTN_XRESOLVE: rt.RT_SCOPE_NOWHERE,
}
"""Widest scope that a route can have, by type of the route. For types that are not listed, the widest scope
is RT_SCOPE_UNIVERSE (`fib_props`).
"""


@attrs.define(eq=False, kw_only=True)
class Config4:
    """Description of a route to add or delete (`struct fib_config`)."""

    dst: int
    length: int
    table: int = rt.RT_TABLE_MAIN
    tos: int = 0
    protocol: int = rt.RTPROT_KERNEL
    scope: int = rt.RT_SCOPE_UNIVERSE
    type: int = rt.RTN_UNICAST
    flags: int = 0
    index: int = 0
    gateway: bytes = b""
    priority: int = 0
    prefsrc: int = 0
    nexthop_id: int = 0
    asked: RouteRequest | None = None
    """The program's request, or None if the kernel itself adds or deletes the route. The kernel adds its
    routes with NLM_F_CREATE and NLM_F_APPEND.
    """

    @property
    def multipath(self) -> bool:
        """True if the description comes from a program's request that contains RTA_MULTIPATH."""
        return self.asked is not None and rt.RTA_MULTIPATH in self.asked

    @property
    def flow(self) -> int:
        """Value of RTA_FLOW, or 0 if the request lacks it."""
        return self.asked.number(rt.RTA_FLOW) if self.asked is not None else 0

    @property
    def request(self) -> Request | None:
        """The program's request message, or None if the kernel itself adds or deletes the route."""
        return None if self.asked is None else self.asked.request

    def refuse(self, text: str, error: int = EINVAL) -> OSError:
        """Return an OSError for the request, and set the text of its extended ACK."""
        return os_error(error) if self.asked is None else self.asked.refuse(text, error)


@attrs.define(eq=False)
class FibInfo:
    """The properties of an IPv4 route (`struct fib_info`). Several routes with equal properties share one
    object.

    `users` is the number of these routes. `source_gone` is True if the preferred source was deleted; a
    flush then sends notifications.
    """

    protocol: int
    scope: int
    flags: int
    priority: int
    prefsrc: int
    type: int
    table: int
    metrics: Metrics
    hops: list[NextHop]
    users: int = 0
    source_gone: bool = False

    @property
    def key(self) -> tuple[Any, ...]:
        """Properties that must be equal for two routes to share a `FibInfo` object (`fib_find_info()`)."""
        hops = (
            (each.index, each.gateway, each.scope, each.weight, each.flow, each.flags & ~COMPARE_MASK)
            for each in self.hops
        )
        own = (self.protocol, self.scope, self.priority, self.prefsrc, self.type, self.table)
        return (*own, self.flags & ~COMPARE_MASK, tuple(self.metrics.items()), tuple(hops))


@attrs.define(eq=False)
class Alias:
    """An IPv4 route (`struct fib_alias`)."""

    dst: int
    length: int
    tos: int
    type: int
    table: int
    info: FibInfo
    chosen: int = -1
    """Index of the gateway that the last lookup chose among several default routes, or -1 (`fa_default`).
    Only the first of these routes stores the index.
    """
    accessed: bool = False
    """True if a lookup has reached the route (FA_S_ACCESSED)."""

    @property
    def shown(self) -> tuple[int, int]:
        """Type and protocol of the route, by which a dump request can filter the routes."""
        return self.type, self.info.protocol

    def uses(self, device: NetDevice) -> bool:
        """Return True if a next hop of the route is over `device`."""
        return any(hop.device is device for hop in self.info.hops)

    def pack(self) -> bytes:
        """Return header and attributes of the route (`fib_dump_info()`)."""
        info = self.info
        hops, flags = pack_hops(info.hops, info.flags)
        short, table = pack_table(self.table)
        head = RtMsg(AF_INET, self.length, 0, self.tos, short, info.protocol, info.scope, self.type, flags)
        return b"".join(
            (
                head.pack(),
                table,
                attribute(rt.RTA_DST, BE32.pack(self.dst)) if self.length else b"",
                attribute(rt.RTA_PRIORITY, U32.pack(info.priority)) if info.priority else b"",
                pack_metrics(info.metrics),
                attribute(rt.RTA_PREFSRC, BE32.pack(info.prefsrc)) if info.prefsrc else b"",
                hops,
            )
        )


def config4(request: Request, unmodelled: Unmodelled) -> Config4:
    """Parse a route request (`rtm_to_fib_config()`). Raise EINVAL or ERANGE if the request is invalid."""
    if not has_header(request, RtMsg):
        raise os_error(EINVAL)
    asked = RouteRequest(request, IPV4_POLICY, unmodelled)
    head, found = asked.head, asked.found
    if head.tos & ~DSCP_MASK:
        raise asked.refuse("Invalid dsfield (tos): ECN bits must be 0")
    if head.type > rt.RTN_MAX:
        raise asked.refuse("Invalid route type")
    gateway, via = (asked.payload(each) if each in asked else None for each in (rt.RTA_GATEWAY, rt.RTA_VIA))
    value = gateway_of(asked, None if via is not None else gateway, via, unmodelled)
    dst, prefsrc = (
        BE32.unpack_from(request.data, found[each][0])[0] if each in found else 0
        for each in (rt.RTA_DST, rt.RTA_PREFSRC)
    )
    if head.dst_len > BITS:
        raise asked.refuse("Invalid prefix length")
    if dst << head.dst_len & BROADCAST:
        raise asked.refuse("Invalid prefix for given prefix length")
    nexthop_id, index = asked.number(rt.RTA_NH_ID), asked.number(rt.RTA_OIF)
    if nexthop_id and (index or value or rt.RTA_MULTIPATH in asked):
        raise asked.refuse("Nexthop specification and nexthop id are mutually exclusive")
    gateway_of(asked, gateway, via, unmodelled)
    return Config4(
        dst=dst,
        length=head.dst_len,
        table=asked.table or rt.RT_TABLE_MAIN,
        tos=head.tos,
        protocol=head.protocol,
        scope=head.scope,
        type=head.type,
        flags=head.flags,
        index=index,
        gateway=value,
        priority=asked.number(rt.RTA_PRIORITY),
        prefsrc=prefsrc,
        nexthop_id=nexthop_id,
        asked=asked,
    )


def check_length(asked: RouteRequest) -> None:
    """Raise EINVAL if bytes follow the next hops in RTA_MULTIPATH (`fib_count_nexthops()`)."""
    size = sum((hop.length + 3) & ~3 for hop, _ in asked.hops())
    if size < len(asked.payload(rt.RTA_MULTIPATH)):
        raise asked.refuse("Invalid nexthop configuration - extra data after nexthops")


def multipath(config: Config4, asked: RouteRequest, unmodelled: Unmodelled) -> list[NextHop]:
    """Return the next hops in RTA_MULTIPATH of a request (`fib_get_nhs()`).

    Raise EINVAL if a next hop is invalid, or if the first one contradicts RTA_OIF, RTA_GATEWAY, RTA_VIA or
    RTA_FLOW of the request.
    """
    hops = []
    for hop, attributes in asked.hops():
        if hop.flags & (rt.RTNH_F_DEAD | rt.RTNH_F_LINKDOWN):
            raise asked.refuse("Invalid flags for nexthop - can not contain DEAD or LINKDOWN")
        gateway = gateway_of(asked, attributes.get(rt.RTA_GATEWAY), attributes.get(rt.RTA_VIA), unmodelled)
        flow = attributes.get(rt.RTA_FLOW, bytes(4))
        if len(flow) < U32.size:
            raise asked.refuse("Invalid RTA_FLOW")
        flags = config.flags & ~0xFF | hop.flags
        hops.append(NextHop(hop.index, gateway, flags, hop.hops + 1, U32.unpack_from(flow)[0]))
    for wanted, found, text in (
        (config.index, hops[0].index, "Nexthop device index does not match RTA_OIF"),
        (config.gateway, hops[0].gateway, "Nexthop gateway does not match RTA_GATEWAY or RTA_VIA"),
        (config.flow, hops[0].flow, "Nexthop class id does not match RTA_FLOW"),
    ):
        if wanted and wanted != found:
            raise asked.refuse(text)
    return hops


def gateway_of(
    asked: RouteRequest, gateway: bytes | None, via: bytes | None, unmodelled: Unmodelled
) -> bytes:
    """Return the IPv4 gateway in RTA_GATEWAY or RTA_VIA (`fib_gw_from_attr()`). Return empty bytes if both
    attributes are missing or if RTA_GATEWAY is 0.0.0.0.
    """
    if gateway is not None and via is not None:
        raise asked.refuse("Nexthop configuration can not contain both GATEWAY and VIA")
    if gateway is not None:
        if len(gateway) < BE32.size:
            raise asked.refuse("Invalid IPv4 address in RTA_GATEWAY")
        return gateway[: BE32.size] if any(gateway[: BE32.size]) else b""
    if via is None:
        return b""
    if len(via) < 2:
        raise asked.refuse("Invalid attribute length for RTA_VIA")
    family = via[0] | via[1] << 8
    if family not in (AF_INET, AF_INET6):
        raise asked.refuse("Unsupported address family in RTA_VIA")
    if len(via) - 2 != (4 if family == AF_INET else 16):
        raise asked.refuse(f"Invalid IPv{4 if family == AF_INET else 6} address in RTA_VIA")
    if family == AF_INET6:
        raise unmodelled("an IPv6 gateway of an IPv4 route is not modelled", EOPNOTSUPP)
    return via[2:]


def hops_match(info: FibInfo, config: Config4, unmodelled: Unmodelled) -> bool:
    """Return True if the next hops of a route match a request (`fib_nh_match()`)."""
    asked, first = config.asked, info.hops[0]
    if config.index or config.gateway:
        return (
            config.flow in (0, first.flow)
            and config.index in (0, first.index)
            and config.gateway in (b"", first.gateway)
        )
    if asked is None or not config.multipath:
        return True
    hops = asked.hops()
    for own in info.hops:
        hop, attributes = next(hops, (None, {}))
        if hop is None or hop.index not in (0, own.index):
            return False
        gateway, via = attributes.get(rt.RTA_GATEWAY), attributes.get(rt.RTA_VIA)
        flow = attributes.get(rt.RTA_FLOW)
        try:
            value = gateway_of(asked, gateway, via, unmodelled)
            if gateway is not None:
                value = gateway[: BE32.size]
            if (gateway is not None or (via is not None and own.gateway)) and value != own.gateway:
                return False
            if flow is not None and len(flow) < U32.size:
                raise asked.refuse("Invalid RTA_FLOW")
        except OSError:  # an invalid next hop does not match; its error text stays in the extended ACK
            return False
        if flow is not None and flow[: U32.size] != U32.pack(own.flow):
            return False
    return True
