"""The common part of IPv4 and IPv6 routes: requests, next hops, metrics, tables and their dumps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT, LIBERAL, Found
from simkernel.kernel.netlink.route.notify import notify, wanted
from simkernel.kernel.netlink.route.parse import (
    NESTED_POLICY,
    U8_POLICY,
    U16_POLICY,
    U32_POLICY,
    at_least,
    attributes,
    has_header,
    number,
    payload,
    refuse,
    refuse_attribute,
)
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EINVAL, ENODEV, ENOENT, EOPNOTSUPP, os_error
from simkernel.uapi.netlink import (
    NLA_TYPE_MASK,
    NLM_F_DUMP_FILTERED,
    NLM_F_MULTI,
    NLMSG_HDRLEN,
    attribute,
    locate_attributes,
    message,
)
from simkernel.uapi.rtnetlink import RtMsg, RtNextHop
from simkernel.uapi.socket import AF_INET
from simkernel.uapi.structure import U32
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable

IN6_ADDR_SIZE: Final = 16
BUCKETS: Final = 256
"""Number of hash buckets for tables (FIB_TABLE_HASHSZ). Dumps visit tables in the order of buckets."""

_BOTH: Final[dict[int, AttributePolicy]] = {
    **dict.fromkeys((rt.RTA_IIF, rt.RTA_OIF, rt.RTA_PRIORITY, rt.RTA_TABLE, rt.RTA_MARK), U32_POLICY),
    **dict.fromkeys((rt.RTA_UID, rt.RTA_NH_ID), U32_POLICY),
    **dict.fromkeys((rt.RTA_METRICS, rt.RTA_ENCAP), NESTED_POLICY),
    **dict.fromkeys((rt.RTA_ENCAP_TYPE, rt.RTA_SPORT, rt.RTA_DPORT), U16_POLICY),
    rt.RTA_MULTIPATH: at_least(RtNextHop.SIZE),
    rt.RTA_IP_PROTO: U8_POLICY,
}
_IPV4: Final = dict.fromkeys(
    (rt.RTA_DST, rt.RTA_SRC, rt.RTA_GATEWAY, rt.RTA_PREFSRC, rt.RTA_FLOW), U32_POLICY
)
"""Policies of the attributes that only IPv4 requests accept (rtm_ipv4_policy)."""
_IPV6: Final = {
    rt.RTA_GATEWAY: at_least(IN6_ADDR_SIZE),
    rt.RTA_PREFSRC: at_least(IN6_ADDR_SIZE),
    rt.RTA_PREF: U8_POLICY,
    rt.RTA_EXPIRES: U32_POLICY,
    rt.RTA_FLOWLABEL: AttributePolicy(NlaType.BE32),
}
"""Policies of the attributes that only IPv6 requests accept (rtm_ipv6_policy)."""


def _policies(name: str, policies: dict[int, AttributePolicy]) -> PolicyTable:
    types = range(rt.RTA_MAX + 1)
    rows = tuple((_BOTH | policies).get(type, AttributePolicy()) for type in types)
    return PolicyTable(name, rows, strict_start_type=rt.RTA_DPORT + 1)


IPV4_POLICY: Final = _policies("ipv4 route", _IPV4)
IPV6_POLICY: Final = _policies("ipv6 route", _IPV6)

Unmodelled = Callable[[str, int], Exception]


def header(request: Request) -> RtMsg:
    """Return the rtmsg header of a request. The caller has checked that the request is long enough."""
    return RtMsg.unpack(request.data, request.start + NLMSG_HDRLEN)


class RouteRequest:
    """A parsed request with an rtmsg header and RTA_* attributes."""

    def __init__(self, request: Request, policies: PolicyTable, unmodelled: Unmodelled) -> None:
        self.request = request
        self.found: Found = attributes(request, RtMsg.SIZE, policies, LIBERAL)
        self.head = header(request)
        if rt.RTA_ENCAP in self.found or rt.RTA_ENCAP_TYPE in self.found:
            raise unmodelled("routes into lightweight tunnels (RTA_ENCAP) are not modelled", EOPNOTSUPP)

    def __contains__(self, type: int) -> bool:
        return type in self.found

    def refuse(self, text: str, error: int = EINVAL) -> OSError:
        """Return an OSError for the request, and set the text of its extended ACK."""
        return refuse(self.request, error, text)

    def number(self, type: int) -> int:
        """Return the value of a 32-bit attribute, or 0 if the request lacks it."""
        return number(self.request, self.found, type)

    def payload(self, type: int) -> bytes:
        """Return the payload of an attribute, or no bytes if the request lacks it."""
        return payload(self.request, self.found, type)

    @property
    def table(self) -> int:
        """Id of the requested table, from RTA_TABLE or, if the request lacks this attribute, from the
        header.
        """
        return self.number(rt.RTA_TABLE) if rt.RTA_TABLE in self.found else self.head.table

    def hops(self) -> Iterator[tuple[RtNextHop, dict[int, bytes]]]:
        """Yield the next hops in RTA_MULTIPATH and their attributes, up to the first malformed one
        (`rtnh_ok()`).
        """
        data = self.payload(rt.RTA_MULTIPATH)
        while len(data) >= RtNextHop.SIZE:
            hop = RtNextHop.unpack(data)
            if not RtNextHop.SIZE <= hop.length <= len(data):
                return
            located, _ = locate_attributes(data, RtNextHop.SIZE, hop.length)
            yield hop, {type & NLA_TYPE_MASK: data[first:last] for type, first, last in reversed(located)}
            data = data[(hop.length + 3) & ~3 :]


# -- metrics ----------------------------------------------------------------------

Metrics = dict[int, int | bytes]
"""Non-zero metrics of a route, by type (RTAX_*). The congestion control algorithm is stored as its name."""

METRIC_LIMITS: Final = {rt.RTAX_ADVMSS: 65535 - 40, rt.RTAX_MTU: 65535 - 15, rt.RTAX_HOPLIMIT: 255}
FEATURE_MASK: Final = 0x1F
CONGESTION_ALGORITHMS: Final = frozenset({b"reno", b"cubic"})


def parse_metrics(asked: RouteRequest) -> Metrics:
    """Return the route metrics in a request (`ip_metrics_convert()`). Raises EINVAL if a metric is
    invalid.
    """
    request, metrics = asked.request, Metrics()
    data = request.data
    for nla_type, first, last in _metric_places(asked):
        type = nla_type & NLA_TYPE_MASK
        value: int | bytes
        if type > rt.RTAX_MAX:
            raise asked.refuse("Invalid metric type")
        if type == rt.RTAX_CC_ALGO:
            value = data[first:last].partition(b"\0")[0]
            if value not in CONGESTION_ALGORITHMS:
                raise asked.refuse("Unknown tcp congestion algorithm")
        elif last - first != U32.size:
            raise refuse_attribute(request, first, "Invalid attribute in metrics")
        else:
            (number,) = U32.unpack_from(data, first)
            value = min(number, METRIC_LIMITS.get(type, number))
            if type == rt.RTAX_FEATURES and number & ~FEATURE_MASK:
                raise asked.refuse("Unknown flag set in feature mask in metrics attribute")
        metrics[type] = value
    return {type: value for type, value in sorted(metrics.items()) if value}


def metrics_match(asked: RouteRequest, metrics: Metrics) -> bool:
    """Return True if a route has all metrics in a request (`fib_metrics_match()`)."""
    data = asked.request.data
    for nla_type, first, last in _metric_places(asked):
        type = nla_type & NLA_TYPE_MASK
        value = data[first:last]
        name = value.partition(b"\0")[0]
        if type == rt.RTAX_CC_ALGO:
            if metrics.get(type, b"") != (name if name in CONGESTION_ALGORITHMS else b""):
                return False
        elif type > rt.RTAX_MAX or len(value) != U32.size or U32.unpack(value)[0] != metrics.get(type, 0):
            return False
    return True


def _metric_places(asked: RouteRequest) -> list[tuple[int, int, int]]:
    if rt.RTA_METRICS not in asked:
        return []
    located, _ = locate_attributes(asked.request.data, *asked.found[rt.RTA_METRICS])
    return [each for each in located if each[0] & NLA_TYPE_MASK]


def pack_metrics(metrics: Metrics) -> bytes:
    """Return RTA_METRICS, or no bytes if the route has no metrics (`rtnetlink_put_metrics()`)."""
    packed = (
        attribute(type, value + b"\0" if isinstance(value, bytes) else U32.pack(value))
        for type, value in metrics.items()
    )
    return attribute(rt.RTA_METRICS, b"".join(packed)) if metrics else b""


# -- next hops --------------------------------------------------------------------


@attrs.define(eq=False)
class NextHop:
    """A next hop of a route (`struct fib_nh_common`).

    `cached` describes the last lookup that cached a route in this next hop: the route cache, and the
    time in ns. `notified` is True if a later request had RTM_F_NOTIFY. `realms` are those
    of the cached route.
    """

    index: int = 0
    gateway: bytes = b""
    flags: int = 0
    weight: int = 1
    flow: int = 0
    scope: int = rt.RT_SCOPE_UNIVERSE
    device: NetDevice | None = None
    cached: tuple[object, int] = (None, 0)
    notified: bool = False
    realms: int = 0

    @property
    def shown_flags(self) -> int:
        """Flags of the next hop, without the flags that the kernel omits from messages."""
        return self.flags & SHOWN_FLAGS

    def pack(self, *, device: bool = True) -> bytes:
        """Return the attributes of the next hop (`fib_nexthop_info()`)."""
        return b"".join(
            (
                attribute(rt.RTA_GATEWAY, self.gateway) if self.gateway else b"",
                attribute(rt.RTA_OIF, U32.pack(self.device.index)) if device and self.device else b"",
                attribute(rt.RTA_FLOW, U32.pack(self.flow)) if self.flow else b"",
            )
        )


SHOWN_FLAGS: Final = (
    rt.RTNH_F_DEAD | rt.RTNH_F_LINKDOWN | rt.RTNH_F_ONLINK | rt.RTNH_F_OFFLOAD | rt.RTNH_F_TRAP
)


def pack_hops(hops: list[NextHop], flags: int = 0) -> tuple[bytes, int]:
    """Return the attributes of a route's next hops, and the flags for the header of the route's message.

    The header flags are those of a single next hop, or `flags` for several next hops.
    """
    if len(hops) == 1:
        return hops[0].pack(), hops[0].shown_flags
    parts = []
    for hop in hops:
        body = hop.pack(device=False)
        head = RtNextHop(RtNextHop.SIZE + len(body), hop.shown_flags, hop.weight - 1, hop.index)
        parts.append(head.pack() + body)
    return attribute(rt.RTA_MULTIPATH, b"".join(parts)), flags


def pack_table(table: int) -> tuple[int, bytes]:
    """Return the 8-bit table id for a route's header, and the RTA_TABLE attribute with the complete id."""
    return table if table < BUCKETS else rt.RT_TABLE_COMPAT, attribute(rt.RTA_TABLE, U32.pack(table))


# -- tables and dumps ---------------------------------------------------------------


class Route(Protocol):
    """Interface through which dumps and notifications use IPv4 and IPv6 routes."""

    @property
    def shown(self) -> tuple[int, int]: ...
    def uses(self, device: NetDevice) -> bool: ...
    def pack(self) -> bytes: ...


R = TypeVar("R", bound=Route)


@attrs.define(eq=False)
class RouteTable(Generic[R]):
    """A routing table. `routes` maps a prefix to its routes, the preferred route first.

    `created` is the table's number in the order of creation in its namespace. If `version` changes during
    a dump, the dump walks the table again and skips the nodes that it has dumped.
    """

    id: int
    created: int
    routes: dict[Any, list[R]] = attrs.field(factory=dict)
    version: object = attrs.field(factory=object)
    defaults: int = 0
    """Number of IPv4 default routes that were added, minus the number that were deleted (tb_num_default). A
    flush of routes does not change this count.
    """

    @property
    def place(self) -> tuple[int, int]:
        """Sort key that orders the tables of a namespace. The order is by hash bucket, and the newest table
        of a bucket comes first.
        """
        return self.id % BUCKETS, -self.created

    def changed(self) -> None:
        """Record a change of the table, so that running dumps walk the table again."""
        self.version = object()


def covering(routes: dict[Any, list[R]], address: int, bits: int) -> Iterator[list[R]]:
    """Yield the routes whose prefix covers an address. The routes with the longest prefix come first."""
    for length in range(bits, -1, -1):
        found = routes.get((address >> (bits - length) << (bits - length), length))
        if found is not None:
            yield found


def announce(
    group: int, net: Net, type: int, route: Route, request: Request | None = None, flags: int = 0
) -> None:
    """Notify a multicast group of a new or deleted route (`rtmsg_fib()`, `inet6_rt_notify()`)."""
    if wanted(net, group, request):
        seq, portid = (0, 0) if request is None else (request.seq, request.portid)
        notify(net, group, message(type, route.pack(), flags=flags, seq=seq, pid=portid), request)


@attrs.define
class DumpState:
    """Position of a dump: table, node, index of the route in the node, and number of finished nodes."""

    place: tuple[int, int] = (-1, 0)
    node: Any = None
    index: int = 0
    done: int = 0
    version: object = None


@attrs.frozen
class DumpFilter:
    """Selection of routes by a dump request (`struct fib_dump_filter`)."""

    table: int = 0
    protocol: int = 0
    type: int = 0
    device: NetDevice | None = None
    flags: int = 0
    strict: bool = False

    def __call__(self, route: Route) -> bool:
        type, protocol = route.shown
        return (
            self.type in (0, type)
            and self.protocol in (0, protocol)
            and (self.device is None or route.uses(self.device))
        )


@attrs.frozen
class RouteDump:
    """Handler that dumps the routing tables of one address family (`inet_dump_fib()`, `inet6_dump_fib()`).

    `tables` returns the tables of a namespace. `nodes` returns the nodes of a table, each as a sort key
    and its routes. `absent` is the error text if the requested table does not exist.
    """

    family: int
    absent: str
    tables: Callable[[Net], Iterable[RouteTable[Any]]]
    nodes: Callable[[RouteTable[Any]], list[tuple[Any, list[Any]]]]

    def __call__(self, writer: MessageWriter, callback: DumpCallback) -> bool:
        """Dump the tables that the request selects. NLMSG_DONE is sent in a separate datagram
        (RTNL_FLAG_DUMP_SPLIT_NLM_DONE).
        """
        request = callback.request
        wanted = _filter(callback)
        # RTM_F_PREFIX selects only routes from router advertisements, which are not modelled.
        hidden = wanted.flags & rt.RTM_F_PREFIX
        if hidden and self.family == AF_INET:
            return False
        tables = sorted(self.tables(request.net), key=lambda each: each.place)
        if wanted.table:
            tables = [each for each in tables if each.id == wanted.table]
            if not tables and request.data[request.start + NLMSG_HDRLEN] == self.family:
                raise refuse(request, ENOENT, self.absent)
        if callback.context is None:
            callback.context = DumpState()
        if not hidden and not wanted.flags & rt.RTM_F_CLONED:
            for table in tables:
                self._walk(table, wanted, writer, callback)
        if not (wanted.table and self.family == AF_INET):
            # a table that is created after this call is not dumped
            callback.context = DumpState((BUCKETS, 0))
        return bool(writer.data)

    def _walk(
        self, table: RouteTable[Any], wanted: DumpFilter, writer: MessageWriter, callback: DumpCallback
    ) -> None:
        state: DumpState = callback.context
        request = callback.request
        flags = NLM_F_MULTI | (NLM_F_DUMP_FILTERED if wanted.strict else 0)
        if table.place < state.place:
            return
        nodes = self.nodes(table)
        if table.place > state.place:
            callback.context = state = DumpState(table.place, version=table.version)
        elif table.version is not state.version:
            state.version, state.index = table.version, 0
            nodes = nodes[state.done :]
            state.node = None
        for node, routes in nodes:
            if state.node is not None and node <= state.node:
                if node < state.node or state.index >= len(routes):
                    continue
            else:
                state.node, state.index = node, 0
            for route in routes[state.index :]:
                if wanted(route):
                    data = message(
                        rt.RTM_NEWROUTE, route.pack(), flags=flags, seq=request.seq, pid=request.portid
                    )
                    writer.append(data)
                state.index += 1
            state.done += 1


def _filter(callback: DumpCallback) -> DumpFilter:
    """Return the filter of a dump request (`ip_valid_fib_dump_req()`).

    Without strict checking, only the header's flags are used.
    """
    request = callback.request
    if not callback.strict:
        return DumpFilter(flags=header(request).flags & rt.RTM_F_PREFIX if has_header(request, RtMsg) else 0)
    if not has_header(request, RtMsg):
        raise refuse(request, EINVAL, "Invalid header for FIB dump request")
    head = header(request)
    if head.dst_len or head.src_len or head.tos or head.scope:
        raise refuse(request, EINVAL, "Invalid values in header for FIB dump request")
    if head.flags & ~(rt.RTM_F_CLONED | rt.RTM_F_PREFIX):
        raise refuse(request, EINVAL, "Invalid flags for FIB dump request")
    found = attributes(request, RtMsg.SIZE, IPV4_POLICY, DEPRECATED_STRICT)
    table, device = head.table, None
    for type in sorted(found):
        if type == rt.RTA_TABLE:
            table = number(request, found, type)
        elif type == rt.RTA_OIF:
            device = request.net.devices.get(number(request, found, type))
            if device is None:
                raise os_error(ENODEV)
        else:
            raise refuse(request, EINVAL, "Unsupported attribute in dump request")
    wanted = DumpFilter(table, head.protocol, head.type, device, head.flags, strict=True)
    if wanted != DumpFilter(strict=True):
        callback.answer_flags = NLM_F_DUMP_FILTERED
    return wanted


IPMR: Final = RouteDump(
    rt.RTNL_FAMILY_IPMR,
    "ipv4: MR table does not exist",
    lambda net: [RouteTable(rt.RT_TABLE_DEFAULT, 0)],
    lambda table: [],
)
IP6MR: Final = RouteDump(
    rt.RTNL_FAMILY_IP6MR,
    "ipv6: MR table does not exist",
    lambda net: [RouteTable(rt.RT_TABLE_MAIN, 0)],
    lambda table: [],
)
