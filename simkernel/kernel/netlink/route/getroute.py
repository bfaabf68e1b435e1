"""RTM_GETROUTE: the route to an address (inet_rtm_getroute(), inet6_rtm_getroute()).

A lookup caches its route in the next hop until a route or an address changes. Messages contain the age of
the cached route.
"""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.engine import Engine
from simkernel.kernel.net.device import LOOPBACK_IFINDEX, NetDevice
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT, LIBERAL, Found
from simkernel.kernel.netlink.route.fib import (
    IN6_ADDR_SIZE,
    IPV4_POLICY,
    IPV6_POLICY,
    NextHop,
    header,
    pack_hops,
    pack_metrics,
    pack_table,
)
from simkernel.kernel.netlink.route.fib4 import TABLES4, Fib4, Result4
from simkernel.kernel.netlink.route.fib6 import Fib6, Route6
from simkernel.kernel.netlink.route.fib_info import BITS, BROADCAST, DSCP_MASK, ERRORS
from simkernel.kernel.netlink.route.gateways import choose_gateway, default_gateways, has_failed
from simkernel.kernel.netlink.route.inet import CENTISECOND, in_device
from simkernel.kernel.netlink.route.parse import (
    attributes,
    has_header,
    number,
    payload,
    refuse,
    refuse_attribute,
)
from simkernel.kernel.netlink.route.rules import UNSET, Flow
from simkernel.kernel.netlink.route.source import select_source4, select_source6
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import (
    EAGAIN,
    EHOSTUNREACH,
    EINVAL,
    EMSGSIZE,
    ENETUNREACH,
    ENODEV,
    EOPNOTSUPP,
    ESRCH,
    os_error,
)
from simkernel.uapi.netlink import NETLINK_ROUTE, attribute, message
from simkernel.uapi.rtnetlink import RtaCacheinfo, RtMsg
from simkernel.uapi.socket import AF_INET
from simkernel.uapi.structure import BE16, BE32, U32
from simkernel.ynl.policy import PolicyTable

_ENDS: Final = range(rt.RTA_DST, rt.RTA_OIF + 1)
_PORTS: Final = range(rt.RTA_IP_PROTO, rt.RTA_DPORT + 1)
STRICT_ATTRIBUTES: Final = frozenset((*_ENDS, rt.RTA_MARK, rt.RTA_UID, *_PORTS))
"""Attributes that a strict RTM_GETROUTE request of IPv4 or IPv6 can contain."""
IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6 = 1, 6, 17, 58
FLOW_LABEL_BITS: Final = 20
LOOPBACK: Final = 0x7F00_0001
MULTICAST: Final = 0xFF
"""First byte of an IPv6 multicast address."""
ALL_HOSTS: Final = 0xE000_0001
"""Multicast group that each device joins while it is up (224.0.0.1)."""


@attrs.frozen
class RequestFormat:
    """Format of the RTM_GETROUTE requests of one protocol, IPv4 or IPv6.

    `name` is the prefix of error texts, and `kind` names the request in them. `bits` is the length of an
    address.
    """

    name: str
    kind: str
    version: str
    bits: int
    policies: PolicyTable
    flags: int
    wrong_flags: str
    attributes: frozenset[int]
    protocols: frozenset[int]

    def parse(self, request: Request) -> Found:
        """Validate an RTM_GETROUTE request and return the offsets of its attributes.

        Sources: `inet_rtm_valid_getroute_req()`, `inet6_rtm_valid_getroute_req()`. Raise EINVAL or ERANGE if
        the request is invalid.
        """
        if not has_header(request, RtMsg):
            raise self._refuse(request, f"Invalid header for {self.kind} request")
        if not request.strict:
            return attributes(request, RtMsg.SIZE, self.policies, LIBERAL)
        head = header(request)
        more = head.table or head.protocol or head.scope or head.type
        if more or head.src_len not in (0, self.bits) or head.dst_len not in (0, self.bits):
            raise self._refuse(request, f"Invalid values in header for {self.kind} request")
        if head.flags & ~self.flags:
            raise self._refuse(request, self.wrong_flags)
        found = attributes(request, RtMsg.SIZE, self.policies, DEPRECATED_STRICT)
        if (rt.RTA_SRC in found and not head.src_len) or (rt.RTA_DST in found and not head.dst_len):
            text = f"rtm_src_len and rtm_dst_len must be {self.bits} for {self.version}"
            raise self._refuse(request, text)
        if rt.RTA_FLOWLABEL in self.attributes & found.keys():
            start, _ = found[rt.RTA_FLOWLABEL]
            if BE32.unpack_from(request.data, start)[0] >> FLOW_LABEL_BITS:
                raise refuse_attribute(request, start, "Invalid flow label")
        if not found.keys() <= self.attributes:
            raise self._refuse(request, f"Unsupported attribute in {self.kind} request")
        return found

    def flow(self, request: Request, found: Found) -> Flow:
        """Return the key of the route lookup that a request asks for.

        Raises EINVAL if an address is too short, EOPNOTSUPP for other IP protocols than `protocols`.
        """
        size = self.bits // 8

        def data(type: int) -> bytes:
            return payload(request, found, type)

        ends = rt.RTA_SRC, rt.RTA_DST
        if any(each in found and len(data(each)) < size for each in ends):
            raise os_error(EINVAL)
        saddr, daddr = (int.from_bytes(data(each)[:size]) for each in ends)
        uid = UNSET if number(request, found, rt.RTA_IIF) else request.task.credentials.uid
        proto = data(rt.RTA_IP_PROTO)
        if proto and proto[0] not in self.protocols:
            raise refuse(request, EOPNOTSUPP, "Unsupported ip proto")
        ports = [BE16.unpack_from(data(each) or bytes(2))[0] for each in (rt.RTA_SPORT, rt.RTA_DPORT)]
        return Flow(
            daddr=daddr,
            saddr=saddr,
            oif=number(request, found, rt.RTA_OIF),
            mark=number(request, found, rt.RTA_MARK),
            uid=number(request, found, rt.RTA_UID) if rt.RTA_UID in found else uid,
            tos=header(request).tos & DSCP_MASK,
            proto=proto[0] if proto else IPPROTO_UDP if self.bits == BITS else 0,
            sport=ports[0],
            dport=ports[1],
        )

    def _refuse(self, request: Request, text: str) -> OSError:
        return refuse(request, EINVAL, f"{self.name}: {text}")


IPV4: Final = RequestFormat(
    "ipv4",
    "route get",
    "IPv4",
    32,
    IPV4_POLICY,
    rt.RTM_F_NOTIFY | rt.RTM_F_LOOKUP_TABLE | rt.RTM_F_FIB_MATCH,
    "Unsupported rtm_flags for route get request",
    STRICT_ATTRIBUTES,
    frozenset({IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP}),
)
IPV6: Final = RequestFormat(
    "ipv6",
    "get route",
    "IPv6",
    128,
    IPV6_POLICY,
    rt.RTM_F_FIB_MATCH,
    "Invalid flags for get route request",
    STRICT_ATTRIBUTES | {rt.RTA_FLOWLABEL},
    frozenset({IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6}),
)


@attrs.define
class Output:
    """Result of an IPv4 lookup (`struct rtable`). `kept` is True if the next hop `hop` keeps this result in
    its cache.
    """

    result: Result4 | None
    device: NetDevice
    type: int
    flags: int
    hop: NextHop | None
    kept: bool


def _realms(own: int, rule: int) -> int:
    """Combine the realms of a next hop (`own`) with those of a routing rule (`set_class_tag()`). Each
    argument contains two 16-bit realms. If a realm of the next hop is 0, the rule's realm replaces it.
    """
    return (own & 0xFFFF or rule & 0xFFFF) | (own & 0xFFFF_0000 or rule & 0xFFFF_0000)


def _reply(request: Request, body: bytes) -> None:
    data = message(rt.RTM_NEWROUTE, body, seq=request.seq, pid=request.portid)
    KERNEL_SOCKETS.of(request.net)[NETLINK_ROUTE].send(data, request.portid)


class RouteQueries:
    """Handlers of RTM_GETROUTE."""

    def __init__(self, engine: Engine, fib4: Fib4, fib6: Fib6) -> None:
        self._engine = engine
        self._fib4 = fib4
        self._fib6 = fib6
        self._unmodelled = fib4.unmodelled

    def _clients(self, hop: NextHop | None, cache: object, realms: int = 0) -> tuple[int, int]:
        """Return the reference count of a cached route, and its age in hundredths of a second.

        If the next hop `hop` is not None, it caches the route with its realms. `cache` is the route cache.
        """
        if hop is None:
            return 1, 0
        now = self._engine.time()
        if hop.cached[0] is not cache:
            hop.cached = cache, now
            hop.notified, hop.realms = False, realms
        return 2, (now - hop.cached[1]) // CENTISECOND

    # -- IPv4 ---------------------------------------------------------------------

    def ipv4(self, request: Request) -> None:
        """Answer a request with the route of an outgoing IPv4 packet.

        Raises EINVAL for an invalid source, ENODEV, ENETUNREACH, and the errors of rejecting route types.
        """
        found, net = IPV4.parse(request), request.net
        flow, flags = IPV4.flow(request, found), header(request).flags
        if number(request, found, rt.RTA_IIF):
            raise self._unmodelled("the route of an incoming IPv4 packet is not modelled", EOPNOTSUPP)
        dst, src = flow.daddr, flow.saddr
        output = self._output(net, flow)
        result = output.result
        table = rt.RT_TABLE_MAIN
        keeper = output.hop if output.kept else None
        realms = _realms(0 if output.hop is None else output.hop.flow, flow.realms)
        clients, age = self._clients(keeper, TABLES4.of(net).cache, realms)
        if keeper is not None:
            keeper.notified |= bool(flags & rt.RTM_F_NOTIFY)
            realms = keeper.realms
        if flags & rt.RTM_F_NOTIFY or (keeper is not None and keeper.notified):
            output.flags |= rt.RTCF_NOTIFY
        if flags & rt.RTM_F_LOOKUP_TABLE:
            table = 0 if result is None else result.table
        if flags & rt.RTM_F_FIB_MATCH:
            if result is None:
                raise os_error(EHOSTUNREACH)
            _reply(request, attrs.evolve(result.alias, table=table, type=output.type).pack())
            return
        short, number_of_table = pack_table(table)
        shown = output.flags & ~0xFFFF | rt.RTM_F_CLONED
        shown |= rt.RTM_F_NOTIFY if output.flags & rt.RTCF_NOTIFY else 0
        tos = 0 if result is None else result.alias.tos
        head = RtMsg(AF_INET, BITS, BITS if src else 0, tos, short, type=output.type, flags=shown)
        via = output.hop if output.hop is not None and output.hop.scope == rt.RT_SCOPE_LINK else None
        parts = (
            (rt.RTA_DST, BE32.pack(dst)),
            (rt.RTA_SRC, BE32.pack(src) if src else b""),
            (rt.RTA_OIF, U32.pack(output.device.index)),
            (rt.RTA_FLOW, U32.pack(realms) if realms else b""),
            (rt.RTA_PREFSRC, BE32.pack(flow.saddr) if flow.saddr != src else b""),
            (rt.RTA_GATEWAY, b"" if via is None else via.gateway),
        )
        metrics = {} if result is None or output.hop is None else result.alias.info.metrics
        body = head.pack() + number_of_table + b"".join(attribute(*each) for each in parts if each[1])
        body += pack_metrics(metrics)
        body += attribute(rt.RTA_MARK, U32.pack(flow.mark)) if flow.mark else b""
        body += attribute(rt.RTA_UID, U32.pack(flow.uid)) if flow.uid != BROADCAST else b""
        _reply(request, body + attribute(rt.RTA_CACHEINFO, RtaCacheinfo(clients, age).pack()))

    def _output(self, net: Net, flow: Flow) -> Output:
        """Select the route, the device and the source address of an outgoing IPv4 packet
        (`ip_route_output_key_hash_rcu()`).
        """
        wanted = flow.oif
        to_broadcast, to_multicast = flow.daddr == BROADCAST, flow.daddr >> 28 == 0xE
        device = net.devices.get(flow.oif)
        if flow.saddr:
            if flow.saddr >> 28 == 0xE or flow.saddr == BROADCAST:
                raise os_error(EINVAL)
            owner = self._owner(net, flow.saddr)
            if owner is None:
                raise os_error(ENETUNREACH)
            if not flow.oif and (to_multicast or to_broadcast):
                flow.oif = owner.index
                return self._make(net, flow, wanted, owner, None, rt.RTN_UNICAST)
        if flow.oif:
            if device is None:
                raise os_error(ENODEV)
            if not device.is_up or in_device(device) is None:
                raise os_error(ENETUNREACH)
            local_group = flow.daddr >> 8 == ALL_HOSTS >> 8
            if local_group or to_broadcast:
                flow.saddr = flow.saddr or select_source4(net, device, 0, rt.RT_SCOPE_LINK)
                return self._make(net, flow, wanted, device, None, rt.RTN_UNICAST)
            if not flow.saddr and (to_multicast or not flow.daddr):
                scope = flow.scope if to_multicast else rt.RT_SCOPE_HOST
                flow.saddr = select_source4(net, device, 0, scope)
        lo = net.devices[LOOPBACK_IFINDEX]
        if not flow.daddr:
            flow.daddr = flow.saddr = flow.saddr or LOOPBACK
            flow.oif = lo.index
            return self._make(net, flow, wanted, lo, None, rt.RTN_LOCAL)
        result = self._fib4.lookup(net, flow)
        if isinstance(result, int):
            if not flow.oif or device is None:
                raise os_error(result)
            flow.saddr = flow.saddr or select_source4(net, device, 0, rt.RT_SCOPE_LINK)
            return self._make(net, flow, wanted, device, None, rt.RTN_UNICAST)
        info = result.alias.info
        if result.alias.type == rt.RTN_LOCAL:
            flow.saddr = flow.saddr or info.prefsrc or flow.daddr
            flow.oif = lo.index
            return self._make(net, flow, result.hop.index, lo, result, rt.RTN_LOCAL)
        if not wanted:
            result = self._choose(net, flow, result)
            info = result.alias.info
        assert result.hop.device is not None
        if not flow.saddr:
            gateway = int.from_bytes(result.hop.gateway)
            flow.saddr = info.prefsrc or select_source4(net, result.hop.device, gateway, info.scope)
        return self._make(net, flow, wanted, result.hop.device, result, result.alias.type)

    def _choose(self, net: Net, flow: Flow, result: Result4) -> Result4:
        """Select a next hop of a route, or one of several default routes (`fib_select_path()`)."""
        if len(result.alias.info.hops) > 1:
            raise self._unmodelled("the choice among the next hops of a route is not modelled", EOPNOTSUPP)
        table = TABLES4.of(net).tables[result.table]
        if result.length or result.alias.type != rt.RTN_UNICAST or table.defaults < 2:
            return result
        found = default_gateways(table, flow, result.alias)
        if len(found) > 1:
            place = choose_gateway(net, [each.info.hops[0] for each in found], found[0].chosen)
            found[0].chosen = place
            chosen = found[max(place, 0)].info if place >= 0 else result.alias.info
            alias = attrs.evolve(result.alias, info=chosen)
            return Result4(alias, chosen.hops[0], result.table)
        if found:
            found[0].chosen = -1
        return result

    def _owner(self, net: Net, address: int) -> NetDevice | None:
        """Return the device that has the IPv4 address `address`, or None (`__ip_dev_find()`)."""
        for device in net.devices.values():
            data = in_device(device)
            if data is not None and any(each.local == address for each in data.addresses):
                return device
        result = self._fib4.lookup_table(net, rt.RT_TABLE_LOCAL, Flow(daddr=address))
        is_local = isinstance(result, Result4) and result.alias.type == rt.RTN_LOCAL
        return result.hop.device if is_local and isinstance(result, Result4) else None

    def _make(
        self, net: Net, flow: Flow, wanted: int, device: NetDevice, result: Result4 | None, type: int
    ) -> Output:
        """Build the result of an IPv4 route lookup (`__mkroute_output()`)."""
        if in_device(device) is None or (flow.saddr >> 24 == LOOPBACK >> 24 and not device.is_loopback):
            raise os_error(EINVAL)
        hop = None if result is None else result.hop
        kept = True
        flags = rt.RTCF_LOCAL if device.is_loopback or type == rt.RTN_LOCAL else 0
        if flow.daddr == BROADCAST:
            type, hop = rt.RTN_BROADCAST, None
        elif flow.daddr >> 28 == 0xE:
            type = rt.RTN_MULTICAST
        if type == rt.RTN_BROADCAST:
            flags |= rt.RTCF_BROADCAST | rt.RTCF_LOCAL
        elif type == rt.RTN_MULTICAST:
            kept = flow.daddr != ALL_HOSTS or not device.is_up
            flags = rt.RTCF_MULTICAST | (0 if kept else rt.RTCF_LOCAL)
            if result is not None and result.length < 4:
                hop = None
        elif type == rt.RTN_LOCAL:
            kept = wanted in (0, device.index)
        return Output(result, device, type, flags, hop, kept and hop is not None)

    # -- IPv6 ---------------------------------------------------------------------

    def ipv6(self, request: Request) -> None:
        """Answer a request with the route of an IPv6 packet (`inet6_rtm_getroute()`).

        If the request contains RTA_IIF, the packet arrives at this device. Otherwise, the host sends the
        packet. Raise ENODEV if the device does not exist, ENETUNREACH if no route is found, and the errors of
        rejecting route types.
        """
        found, net = IPV6.parse(request), request.net
        flow = IPV6.flow(request, found)
        iif = number(request, found, rt.RTA_IIF)
        if iif and iif not in net.devices:
            raise os_error(ENODEV)
        flow.iif, flow.oif = (iif, 0) if iif else (flow.iif, flow.oif)
        first = flow.daddr >> 112
        local = first >> 8 == 0xFF or first & 0xFFC0 == 0xFE80 or flow.daddr == 1
        strict = local or bool(flow.oif and not flow.saddr)
        route = self._route6(net, flow, iif or flow.oif, strict=strict)
        if iif and route.key[0] >> 120 == MULTICAST:
            # Linux returns EMSGSIZE, because ip6mr_get_route() finds no multicast interface.
            raise os_error(EMSGSIZE)
        incoming = attribute(rt.RTA_IIF, U32.pack(iif)) if iif else b""
        if header(request).flags & rt.RTM_F_FIB_MATCH:
            hops, flags = pack_hops([each.hop for each in route.siblings])
            _reply(request, route.describe(hops, flags, incoming=incoming))
            return
        device = route.device
        assert device is not None
        source = b""
        if not iif:
            source = route.prefsrc or select_source6(net, device, flow.daddr)
        if route.flags & rt.RTF_LOCAL:
            device = net.devices[LOOPBACK_IFINDEX]
        clients, age = self._clients(route.hop, self)
        hops = attribute(rt.RTA_GATEWAY, route.hop.gateway) if route.hop.gateway else b""
        hops += attribute(rt.RTA_OIF, U32.pack(device.index))
        ends = flow.daddr.to_bytes(IN6_ADDR_SIZE), flow.saddr.to_bytes(IN6_ADDR_SIZE)
        # The expiry time is 0, because the reply describes a clone of the route. A clone does not expire.
        cache = attribute(rt.RTA_CACHEINFO, RtaCacheinfo(clients, age).pack())
        _reply(request, route.describe(hops, ends=ends, source=source, incoming=incoming, cache=cache))

    def _route6(self, net: Net, flow: Flow, oif: int, *, strict: bool) -> Route6:
        """Return the route for a flow. The routing rules select the routing tables to search
        (`fib6_rule_lookup()`).
        """

        def search(net: Net, table: int, flow: Flow) -> Route6 | int:
            route = self._fib6.select(net, table, flow, oif=oif, strict=strict, reachable=True)
            if route is None:
                return EAGAIN
            others = (
                each.hop
                for each in route.siblings[1:]
                if not strict or oif in (0, each.hop.index)  # rt6_score_route()
            )
            if any(not hop.flags & rt.RTNH_F_DEAD and not has_failed(net, hop) for hop in others):
                raise self._unmodelled(
                    "the choice among the next hops of a route is not modelled", EOPNOTSUPP
                )
            return ERRORS.get(route.type, 0) or route if route.flags & rt.RTF_REJECT else route

        result = self._fib6.rules.lookup(net, flow, search)
        if isinstance(result, Route6):
            return result
        raise os_error(ENETUNREACH if result == ESRCH else result)
