"""Handlers of RTM_NEWROUTE and RTM_DELROUTE for IPv6, and checks of new routes (net/ipv6/route.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from simkernel.kernel.net.device import LOOPBACK_IFINDEX, NetDevice
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route.fib import (
    IN6_ADDR_SIZE,
    IPV6_POLICY,
    NextHop,
    RouteRequest,
    announce,
    parse_metrics,
)
from simkernel.kernel.netlink.route.fib6 import ANY, BITS, PREF_SHIFT, TABLES6, Fib6, Route6, Table6, has_node
from simkernel.kernel.netlink.route.inet import Address6, inet6_device
from simkernel.kernel.netlink.route.parse import refuse_attribute
from simkernel.kernel.netlink.route.rules import Flow
from simkernel.uapi import if_addr as ia
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import (
    EACCES,
    EEXIST,
    EHOSTUNREACH,
    EINVAL,
    ENETDOWN,
    ENODEV,
    ENOENT,
    ESRCH,
    os_error,
)
from simkernel.uapi.netlink import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from simkernel.uapi.structure import U16

REJECTING: Final = frozenset({rt.RTN_UNREACHABLE, rt.RTN_BLACKHOLE, rt.RTN_PROHIBIT, rt.RTN_THROW})
USER_PRIORITY: Final = 1024
"""Default metric of a route that a program adds (IP6_RT_PRIO_USER)."""
PREF_LOW, PREF_MEDIUM, PREF_HIGH = 3, 0, 1
NULL_METRIC: Final = 0xFFFF_FFFF
NLMSG_FLAGS: Final = 6
"""Offset of `nlmsg_flags` in a message, in bytes."""
SECOND: Final = 1_000_000_000
LOOPBACK: Final = bytes(15) + b"\x01"
SCOPED: Final = 0x30
"""Bits of the address scopes IFA_HOST and IFA_LINK. Addresses with these scopes are valid on one link
only.
"""


@attrs.frozen(kw_only=True)
class Config6:
    """Description of a route to add or delete (`struct fib6_config`). `flags` are RTF_* and RTNH_F_ONLINK."""

    dst: int
    length: int
    src: int = 0
    src_len: int = 0
    table: int = rt.RT_TABLE_MAIN
    metric: int = 0
    type: int = rt.RTN_UNICAST
    protocol: int = rt.RTPROT_KERNEL
    flags: int = rt.RTF_UP
    index: int = 0
    gateway: bytes = b""
    prefsrc: bytes = b""
    expires: int | None = None
    weight: int = 1
    nexthop_id: int = 0
    asked: RouteRequest | None = None

    def refuse(self, text: str, error: int = EINVAL) -> OSError:
        """Return an OSError for the request, and set the text of its extended ACK."""
        return os_error(error) if self.asked is None else self.asked.refuse(text, error)

    @property
    def gateway_flow(self) -> Flow:
        """Key for looking up a route to the address `gateway` (`ip6_nh_lookup_table()`)."""
        ends = {"daddr": int.from_bytes(self.gateway), "saddr": int.from_bytes(self.prefsrc)}
        return Flow(**ends, oif=self.index, iif=0)

    @property
    def key(self) -> tuple[int, ...]:
        """Destination prefix and length, followed by source prefix and length if the route has them."""
        prefixes = ((self.dst, self.length), (self.src, self.src_len))
        (dst, length), (src, src_len) = (
            (each >> max(BITS - bits, 0) << max(BITS - bits, 0), bits) for each, bits in prefixes
        )
        return (dst, length, src, src_len) if src_len else (dst, length)


def addresses_of(net: Net) -> Iterator[Address6]:
    """Return the IPv6 addresses of all devices, ordered by device index."""
    for device in sorted(net.devices.values(), key=lambda each: each.index):
        data = inet6_device(device)
        yield from () if data is None else data.addresses


def is_local(net: Net, value: bytes, device: NetDevice | None, *, banned: int = 0) -> bool:
    """Return True if `value` is an IPv6 address of this host (`ipv6_chk_addr_and_flags()`).

    If `device` is not None, addresses of scope host or link count only if they belong to `device`. An address
    with a flag in `banned` counts only if it is optimistic.
    """
    return any(
        each.address == value
        and (each.flags & ia.IFA_F_OPTIMISTIC or not each.flags & banned)
        and (device is None or each.device is device or not each.scope & SCOPED)
        for each in addresses_of(net)
    )


class RouteRequests6:
    """Handlers of requests about IPv6 routes. `AutomaticRoutes6` calls the method `make` for the routes that
    the kernel itself adds.
    """

    def __init__(self, fib: Fib6) -> None:
        self._fib = fib

    # -- requests -----------------------------------------------------------------

    def new(self, request: Request) -> None:
        """Add a route, or a route for each next hop (`inet6_rtm_newroute()`)."""
        config = self._config(request)
        config = attrs.evolve(config, metric=config.metric or USER_PRIORITY)
        hops = list(_hops(config))
        if hops:
            self._new_multipath(request, hops)
        else:
            self._fib.insert(request.net, self.make(request.net, config), request, request.flags)

    def delete(self, request: Request) -> None:
        """Delete a route, or some of its next hops (`inet6_rtm_delroute()`).

        Raise ESRCH if no route matches, ENOENT if only Linux's null entry matches, and EINVAL or ERANGE if
        the request is invalid.
        """
        config = self._config(request)
        if config.nexthop_id:
            raise config.refuse("Nexthop id does not exist")
        hops = list(_hops(config))
        error: OSError | None = None
        for each in hops or [config]:
            try:
                self._delete(request, each, siblings=not hops)
            except OSError as raised:
                error = raised
        if error is not None:
            raise error

    def _delete(self, request: Request, config: Config6, *, siblings: bool) -> None:
        """Delete the first route that matches the request, or one next hop of it (`ip6_route_del()`)."""
        net, fib = request.net, self._fib
        table = TABLES6.of(net).tables.get(config.table or rt.RT_TABLE_MAIN)
        if table is None:
            raise config.refuse("FIB table does not exist", ESRCH)
        # Cached routes are not modelled, so the requested route does not exist. In this case, Linux returns
        # ESRCH only if fib6_locate() finds no node with routes.
        if config.flags & rt.RTF_CACHE:
            if not _has_cache(table, config.key):
                raise os_error(ESRCH)
            return
        key = config.key
        # fib6_locate() ignores the request's source prefix if all routes to the destination lack one.
        if len(key) > 2 and not any(len(each) > 2 and each[:2] == key[:2] for each in table.routes):
            key = key[:2]
        routes = table.routes.get(key, [])
        route = next(
            (each for each in routes if _matches(each.metric, each.protocol, each.hop, config)), None
        )
        if route is None:
            # In Linux, a root node without routes contains a placeholder, the null entry. Deleting the
            # placeholder fails with ENOENT.
            root = not routes and key == (0, 0)
            nothing = NextHop(LOOPBACK_IFINDEX)
            found = root and _matches(NULL_METRIC, rt.RTPROT_KERNEL, nothing, config)
            raise os_error(ENOENT if found else ESRCH)
        ring = route.siblings
        if config.gateway or not siblings or len(ring) == 1:
            fib.delete(net, route, request)
            return
        announce(rt.RTNLGRP_IPV6_ROUTE, net, rt.RTM_DELROUTE, route, request)
        for each in (*ring[1:], route):
            fib.delete(net, each, request, quiet=True)

    def _config(self, request: Request) -> Config6:
        """Parse a route request (`rtm_to_fib6_config()`). Raise EINVAL or ERANGE if the request is
        invalid.
        """
        asked = RouteRequest(request, IPV6_POLICY, self._fib.unmodelled)
        head = asked.head
        if head.tos:
            raise asked.refuse("Invalid dsfield (tos): option not available for IPv6")
        if rt.RTA_FLOWLABEL in asked:
            text = "Flow label cannot be specified for this operation"
            raise refuse_attribute(request, asked.found[rt.RTA_FLOWLABEL][0], text)
        nexthop_id = asked.number(rt.RTA_NH_ID)
        if rt.RTA_NH_ID in asked and any(
            each in asked for each in (rt.RTA_GATEWAY, rt.RTA_OIF, rt.RTA_MULTIPATH)
        ):
            raise asked.refuse("Nexthop specification and nexthop id are mutually exclusive")
        if rt.RTA_VIA in asked:
            raise asked.refuse("IPv6 does not support RTA_VIA attribute")
        flags = rt.RTF_UP | head.flags & rt.RTNH_F_ONLINK
        flags |= rt.RTF_REJECT if head.type in REJECTING else 0
        flags |= rt.RTF_LOCAL if head.type == rt.RTN_LOCAL else 0
        flags |= rt.RTF_CACHE if head.flags & rt.RTM_F_CLONED else 0
        addresses = []
        for type, bits in ((rt.RTA_DST, head.dst_len), (rt.RTA_SRC, head.src_len)):
            data, size = asked.payload(type), (bits + 7) // 8
            if type in asked and len(data) < size:
                raise os_error(EINVAL)
            addresses.append(int.from_bytes(data[:size].ljust(IN6_ADDR_SIZE, b"\0")[:IN6_ADDR_SIZE]))
        gateway = asked.payload(rt.RTA_GATEWAY)[:IN6_ADDR_SIZE]
        prefsrc = asked.payload(rt.RTA_PREFSRC)[:IN6_ADDR_SIZE]
        pref = asked.payload(rt.RTA_PREF)[:1] or b"\0"
        if pref[0] in (PREF_LOW, PREF_HIGH):
            flags |= pref[0] << PREF_SHIFT
        gateways = [attributes.get(rt.RTA_GATEWAY) for _, attributes in asked.hops()]
        if rt.RTA_MULTIPATH in asked and not gateways:
            raise asked.refuse("Invalid nexthop configuration - no valid nexthops")
        for each in gateways:
            if each is not None and len(each) < IN6_ADDR_SIZE:
                raise asked.refuse("Invalid IPv6 address in RTA_GATEWAY")
            if each is None and not gateway and request.type == rt.RTM_NEWROUTE:
                text = "Device only routes can not be added for IPv6 using the multipath API."
                raise asked.refuse(text)
        lifetime, expires = asked.number(rt.RTA_EXPIRES), None
        if rt.RTA_EXPIRES in asked and lifetime != ia.INFINITY_LIFE_TIME:
            expires = self._fib.engine.time() + lifetime * SECOND
            flags |= rt.RTF_EXPIRES
        return Config6(
            dst=addresses[0],
            length=head.dst_len,
            src=addresses[1],
            src_len=head.src_len,
            table=asked.table,
            metric=asked.number(rt.RTA_PRIORITY),
            type=head.type,
            protocol=head.protocol,
            flags=flags | (rt.RTF_GATEWAY if gateway else 0),
            index=asked.number(rt.RTA_OIF),
            gateway=gateway,
            prefsrc=b"" if prefsrc == ANY else prefsrc,
            expires=expires,
            nexthop_id=nexthop_id,
            asked=asked,
        )

    # -- several next hops --------------------------------------------------------

    def _new_multipath(self, request: Request, hops: list[Config6]) -> None:
        """Add a route for each next hop, and send one notification for all (`ip6_route_multipath_add()`)."""
        net, fib, replace = request.net, self._fib, request.flags & NLM_F_REPLACE
        routes: list[tuple[Route6, Config6]] = []
        for each in hops:
            route = self.make(net, each)
            if any(other.is_duplicate(route) for other, _ in routes):
                raise os_error(EEXIST)
            routes.append((route, each))
        shown = replace or NLM_F_CREATE
        shown |= request.flags & NLM_F_APPEND
        done: list[tuple[Route6, Config6]] = []
        error: OSError | None = None
        for route, each in routes:
            try:
                fib.insert(net, route, request, request.flags, quiet=True)
            except OSError as raised:
                error = raised
                break
            done.append((route, each))
            _set_flags(request, request.flags & ~(NLM_F_EXCL | NLM_F_REPLACE) | NLM_F_CREATE)
        if done:
            last = done[-1][0].siblings
            first = last[1] if shown & NLM_F_APPEND and len(last) > 1 else done[0][0]
            announce(rt.RTNLGRP_IPV6_ROUTE, net, rt.RTM_NEWROUTE, first, request, shown)
        if error is not None:
            if replace and done:
                request.extack.message = (
                    "IPv6: multipath route replace failed (check consistency of installed routes)"
                )
            for _, each in done:
                self._delete(request, each, siblings=False)
            raise error

    # -- making routes ------------------------------------------------------------

    def make(self, net: Net, config: Config6, *, ignore_down: bool = False) -> Route6:
        """Check the description of a route, and return the route (`ip6_route_info_create()`).

        Raises EINVAL, ENODEV, ENETDOWN, EACCES, EHOSTUNREACH.
        """
        for wrong, text in (
            (config.flags & rt.RTF_CACHE, "Userspace can not set RTF_CACHE"),
            (config.type > rt.RTN_MAX, "Invalid route type"),
            (config.length > BITS, "Invalid prefix length"),
            (config.src_len > BITS, "Invalid source address length"),
            (config.nexthop_id and config.src_len, "Nexthops can not be used with source routing"),
        ):
            if wrong:
                raise config.refuse(text)
        asked = config.asked
        table = self._fib.table(net, config.table, None if asked is None else asked.request)
        metrics = {} if asked is None else parse_metrics(asked)
        if config.nexthop_id:
            raise config.refuse("Nexthop id does not exist")
        hop = self._hop(net, config, ignore_down=ignore_down)
        flags = config.flags & ~rt.RTF_GATEWAY
        device = hop.device
        assert device is not None
        reaches_itself = config.dst == 1 or config.flags & (rt.RTF_ANYCAST | rt.RTF_LOCAL)
        if config.flags & rt.RTF_REJECT or (device.is_loopback and not reaches_itself):
            flags = rt.RTF_REJECT | rt.RTF_NONEXTHOP
        if config.prefsrc and not is_local(net, config.prefsrc, device, banned=ia.IFA_F_TENTATIVE):
            raise config.refuse("Invalid source address")
        return Route6(
            key=config.key,
            table=table.id,
            metric=config.metric,
            type=config.type or rt.RTN_UNICAST,
            protocol=config.protocol or rt.RTPROT_BOOT,
            flags=flags,
            hop=hop,
            prefsrc=config.prefsrc,
            metrics=metrics,
            expires=config.expires if flags & rt.RTF_EXPIRES else None,
            engine=self._fib.engine,
        )

    def _hop(self, net: Net, config: Config6, *, ignore_down: bool) -> NextHop:
        """Check the next hop of a new route and return it (`fib6_nh_init()`).

        Raise ENODEV if the requested device does not exist or has no IPv6 data, EACCES if the gateway's
        device has none, and ENETDOWN if the device is down. Also raise the errors of `_check_gateway`.
        """
        device = net.devices.get(config.index)
        if config.index and (device is None or inet6_device(device) is None):
            raise os_error(ENODEV)
        onlink = config.flags & rt.RTNH_F_ONLINK
        if onlink and device is None:
            raise config.refuse("Nexthop device required for onlink", ENODEV)
        if onlink and device is not None and not device.is_up:
            raise config.refuse("Nexthop device is not up", ENETDOWN)
        if config.flags & rt.RTF_REJECT:
            lo = net.devices[LOOPBACK_IFINDEX]
            return NextHop(lo.index, flags=onlink, device=lo)
        if config.flags & rt.RTF_GATEWAY:
            device = self._check_gateway(net, config, device)
        if device is None:
            raise os_error(ENODEV)
        if inet6_device(device) is None:
            raise config.refuse("IPv6 is disabled on nexthop device", EACCES)
        if not device.is_up and not ignore_down:
            raise config.refuse("Nexthop device is not up", ENETDOWN)
        if not config.flags & (rt.RTF_LOCAL | rt.RTF_ANYCAST) and not device.carrier:
            onlink |= rt.RTNH_F_LINKDOWN
        return NextHop(device.index, config.gateway, onlink, config.weight, device=device)

    def _check_gateway(self, net: Net, config: Config6, device: NetDevice | None) -> NetDevice:
        """Check a gateway, and return the device over which it is reachable (`ip6_validate_gw()`)."""
        gateway, given = config.gateway, device
        link_local = gateway[0] == 0xFE and gateway[1] & 0xC0 == 0x80
        text = "Gateway can not be a local address"
        if given is not None and is_local(net, gateway, given if link_local else None):
            raise config.refuse(text)
        if not link_local:
            if gateway == ANY or gateway[0] == 0xFF:
                raise config.refuse("Invalid gateway address")
            if config.flags & rt.RTNH_F_ONLINK:
                self._check_onlink(net, config, device)
            else:
                device = self._egress(net, config, device)
        if device is None:
            raise config.refuse("Egress device not specified")
        if device.is_loopback:
            raise config.refuse("Egress device can not be loopback device for this route")
        if given is None and is_local(net, gateway, device if link_local else None):
            raise config.refuse(text)
        return device

    def _check_onlink(self, net: Net, config: Config6, device: NetDevice | None) -> None:
        """Check the gateway of a new route with RTNH_F_ONLINK (`ip6_route_check_nh_onlink()`).

        Raise EINVAL if the table main has a route to the gateway that is not a unicast route over `device`.
        Default routes and routes that reject packets do not count.
        """
        route = self._fib.select(net, rt.RT_TABLE_MAIN, config.gateway_flow, oif=config.index)
        if route is None or route.flags & rt.RTF_REJECT or not route.key[0]:
            return
        if route.type != rt.RTN_UNICAST or route.device is not device:
            raise config.refuse("Nexthop has invalid gateway or device mismatch")

    def _egress(self, net: Net, config: Config6, device: NetDevice | None) -> NetDevice:
        """Return the device of the route to the gateway (`ip6_route_check_nh()`).

        Raise EHOSTUNREACH if no direct route over the requested device reaches the gateway.
        """
        fib, flow, table = self._fib, config.gateway_flow, config.table
        route = fib.select(net, table, flow, oif=config.index, strict=True) if table else None
        if not _is_direct(route) or (device is not None and route is not None and device is not route.device):
            route = fib.lookup(net, attrs.evolve(flow, saddr=0))
        if route is None or not _is_direct(route) or (device is not None and device is not route.device):
            raise os_error(EHOSTUNREACH)
        assert route.device is not None
        return route.device


def _hops(config: Config6) -> Iterator[Config6]:
    """Yield a route description for each next hop in RTA_MULTIPATH of a request."""
    for hop, attributes in () if config.asked is None else config.asked.hops():
        gateway = attributes.get(rt.RTA_GATEWAY, config.gateway)[:IN6_ADDR_SIZE]
        flags = config.flags | hop.flags & rt.RTNH_F_ONLINK | (rt.RTF_GATEWAY if gateway else 0)
        index = hop.index or config.index
        yield attrs.evolve(config, index=index, gateway=gateway, flags=flags, weight=hop.hops + 1)


def _matches(metric: int, protocol: int, hop: NextHop, config: Config6) -> bool:
    """Return True if a route matches a delete request."""
    return (
        config.metric in (0, metric)
        and config.protocol in (0, protocol)
        and config.index in (0, hop.index)
        and (not config.gateway or config.gateway == (hop.gateway or ANY))
    )


def _has_cache(table: Table6, key: tuple[int, ...]) -> bool:
    """Return True if a search of the routing tree for the prefix `key` ends at a node that has routes
    (`fib6_locate()`, called with `exact_match` = false).

    If the tree has no node at the prefix itself, the search ends at the longest shorter prefix that has
    routes.
    """
    dst, source = key[:2], key[2:]
    if not has_node(table, dst):
        dst = next(filter(table.routes.__contains__, _shorter(dst)), (0, 0))
    sources = {each[2:] for each in table.routes if each[:2] == dst and len(each) > len(dst)}
    if not source or not sources:
        return dst == (0, 0) or dst in table.routes
    if has_node(table, dst + source):
        return source in sources
    return not sources.isdisjoint(_shorter(source))


def _shorter(prefix: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield all shorter prefixes of a prefix, the longest first."""
    for length in range(prefix[1] - 1, -1, -1):
        yield prefix[0] >> BITS - length << BITS - length, length


def _is_direct(route: Route6 | None) -> bool:
    """Return True if a route has no gateway and does not reject packets."""
    return route is not None and not route.flags & rt.RTF_REJECT and not route.hop.gateway


def _set_flags(request: Request, flags: int) -> None:
    """Set `nlmsg_flags` in the header of a request. The acknowledgement also contains the new flags, because
    it repeats the header.
    """
    place = request.start + NLMSG_FLAGS
    request.flags = flags
    request.data = request.data[:place] + U16.pack(flags) + request.data[place + U16.size :]
