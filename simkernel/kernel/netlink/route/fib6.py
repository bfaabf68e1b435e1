"""The IPv6 routing tables (net/ipv6/ip6_fib.c, net/ipv6/route.c).

Theory of operation. A table contains routes by prefix, ordered by metric. A route has one next hop. Routes
with gateways that have equal prefix and metric are siblings: a message shows them as one route with
several next hops. If a device goes down, its routes are deleted. A lookup ignores expired routes, and a
timer deletes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from simkernel.engine import Engine
from simkernel.kernel.lib.log import Log
from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.net.namespace import Net, PernetSlot
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route.fib import (
    Metrics,
    NextHop,
    RouteTable,
    Unmodelled,
    announce,
    covering,
    pack_hops,
    pack_metrics,
    pack_table,
)
from simkernel.kernel.netlink.route.gateways import has_failed
from simkernel.kernel.netlink.route.inet import CENTISECOND
from simkernel.kernel.netlink.route.rules import Flow, Rule, RuleSet
from simkernel.kernel.workqueue import Work, WorkQueue
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EAGAIN, EEXIST, ENOENT, EOPNOTSUPP, os_error
from simkernel.uapi.netlink import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, attribute
from simkernel.uapi.rtnetlink import RtaCacheinfo, RtMsg
from simkernel.uapi.socket import AF_INET6
from simkernel.uapi.structure import U8, U32

BITS: Final = 128
ANY: Final = bytes(16)
GC_INTERVAL: Final = 30_000_000_000
"""Interval between deletions of expired routes, in ns (net.ipv6.route.gc_interval)."""
PREF_SHIFT: Final = 27


def packed(address: int) -> bytes:
    """Return an IPv6 address as 16 bytes in network byte order."""
    return address.to_bytes(16)


@attrs.define(eq=False, kw_only=True)
class Route6:
    """An IPv6 route (`struct fib6_info`).

    `key` is the prefix, followed by the source prefix if the route has one. `node` is the list of routes
    with an equal key. `expires` is a time in ns, or None if the route does not expire. `flags` are RTF_*.
    """

    key: tuple[int, ...]
    table: int
    metric: int
    type: int
    protocol: int
    flags: int
    hop: NextHop
    prefsrc: bytes = b""
    metrics: Metrics = attrs.field(factory=dict)
    expires: int | None = None
    engine: Engine
    node: list[Route6] = attrs.field(factory=list)

    @property
    def length(self) -> int:
        """Prefix length of the route."""
        return self.key[1]

    @property
    def device(self) -> NetDevice | None:
        """Device of the next hop."""
        return self.hop.device

    @property
    def shown(self) -> tuple[int, int]:
        """Type and protocol of the route."""
        return self.type, self.protocol

    @property
    def can_have_siblings(self) -> bool:
        """True if the route can be part of a multipath route (`rt6_qualify_for_ecmp()`)."""
        return bool(self.hop.gateway) and not self.flags & rt.RTF_ADDRCONF

    @property
    def siblings(self) -> list[Route6]:
        """This route and the other routes of its multipath route. The list begins with this route and
        continues in cyclic order.
        """
        if not self.can_have_siblings or self not in self.node:
            return [self]
        ring = [each for each in self.node if each.metric == self.metric and each.can_have_siblings]
        place = ring.index(self)
        return ring[place:] + ring[:place]

    def uses(self, device: NetDevice) -> bool:
        """Return True if the route or a sibling is over `device` (`fib6_info_uses_dev()`)."""
        return any(each.hop.device is device for each in self.siblings)

    def is_duplicate(self, other: Route6) -> bool:
        """Return True if this route and `other` have equal next hops (`rt6_duplicate_nexthop()`)."""
        return self.hop.device is other.hop.device and self.hop.gateway == other.hop.gateway

    def cacheinfo(self) -> bytes:
        """Return RTA_CACHEINFO with the remaining lifetime (`rtnl_put_cacheinfo()`)."""
        left = 0 if self.expires is None else -((self.engine.time() - self.expires) // CENTISECOND)
        limit = 2**31 - 1
        return attribute(rt.RTA_CACHEINFO, RtaCacheinfo(0, 0, max(min(left, limit), -limit)).pack())

    def pack(self) -> bytes:
        """Return header and attributes of the route and its siblings (`rt6_fill_node()`)."""
        return self.describe(*pack_hops([each.hop for each in self.siblings]))

    def describe(
        self,
        hops: bytes,
        flags: int = 0,
        *,
        ends: tuple[bytes, bytes] | None = None,
        source: bytes = b"",
        incoming: bytes = b"",
        cache: bytes = b"",
    ) -> bytes:
        """Return header and attributes of the route.

        A reply to a lookup sets `ends`, the two addresses of the lookup, and `source`, the selected source
        address.
        """
        dst, length, *source_key = self.key
        to, origin = ends or (packed(dst) if length else b"", packed(source_key[0]) if source_key else b"")
        source_length = source_key[1] if source_key else 0
        short, table = pack_table(self.table)
        head = RtMsg(
            AF_INET6,
            BITS if ends else length,
            BITS if ends else source_length,
            table=short,
            protocol=self.protocol,
            type=self.type,
            flags=flags,
        )
        return b"".join(
            (
                head.pack(),
                table,
                attribute(rt.RTA_DST, to) if to else b"",
                attribute(rt.RTA_SRC, origin) if origin else b"",
                incoming,
                attribute(rt.RTA_PREFSRC, source) if source else b"",
                attribute(rt.RTA_PREFSRC, self.prefsrc) if self.prefsrc else b"",
                pack_metrics(self.metrics),
                attribute(rt.RTA_PRIORITY, U32.pack(self.metric)),
                hops,
                cache or self.cacheinfo(),
                attribute(rt.RTA_PREF, U8.pack(self.flags >> PREF_SHIFT & 3)),
            )
        )


Table6 = RouteTable[Route6]


def _walk_key(prefix: tuple[int, ...]) -> str:
    """Return a sort key that puts the nodes of a routing tree into the order of Linux's tree walk. For each
    prefix, Linux visits first the routes that also have a source prefix, then the routes to longer prefixes
    inside the prefix, then the routes to the prefix alone.
    """
    bits = ["".join(f"{prefix[at]:0{BITS}b}"[: prefix[at + 1]]) for at in range(0, len(prefix), 2)]
    return "-".join(bits) + "2"


def nodes6(table: Table6) -> list[tuple[str, list[Route6]]]:
    """Return the sort key and the routes of each tree node of a table, in the order of the tree walk
    (`fib6_dump_node()`).

    Of siblings, only the first is included.
    """
    nodes = []
    for prefix, routes in table.routes.items():
        shown, place = [], 0
        while place < len(routes):
            shown.append(routes[place])
            place = routes.index(routes[place].siblings[-1]) + 1
        nodes.append((_walk_key(prefix), shown))
    return sorted(nodes, key=lambda pair: pair[0])


def routes_in_order(table: Table6) -> list[Route6]:
    """Return all routes of a table, in the order of the tree walk."""
    return [route for prefix in sorted(table.routes, key=_walk_key) for route in table.routes[prefix]]


@attrs.define(eq=False)
class Tables6:
    """IPv6 routing tables of a namespace, and the timer that deletes expired routes."""

    tables: dict[int, Table6] = attrs.field(
        factory=lambda: {
            number: Table6(number, at) for at, number in enumerate((rt.RT_TABLE_MAIN, rt.RT_TABLE_LOCAL))
        }
    )
    timer: Work | None = None

    @property
    def walk(self) -> list[Route6]:
        """Routes of all tables, in the order of the tree walk."""
        tables = sorted(self.tables.values(), key=lambda each: each.place)
        return [route for table in tables for route in routes_in_order(table)]


TABLES6: Final[PernetSlot[Tables6]] = PernetSlot(Tables6)


class Fib6:
    """The IPv6 routing tables of a machine."""

    def __init__(
        self, engine: Engine, queue: WorkQueue, log: Log, rules: RuleSet, unmodelled: Unmodelled
    ) -> None:
        self.engine = engine
        self._log = log
        self.rules = rules
        self.unmodelled = unmodelled
        self._queue = queue

    def table(self, net: Net, number: int, request: Request | None = None) -> Table6:
        """Return a table, created if it does not exist (`fib6_new_table()`).

        If `request` creates a table without NLM_F_CREATE, a warning is logged.
        """
        tables = TABLES6.of(net).tables
        number = number or rt.RT_TABLE_MAIN
        if number not in tables:
            if request is not None and not request.flags & NLM_F_CREATE:
                self._warn("NLM_F_CREATE should be specified when creating new route")
            tables[number] = Table6(number, len(tables))
        return tables[number]

    def changing_rules(self, net: Net) -> None:
        """Do nothing: IPv6 tables are never merged, unlike IPv4 tables."""

    def table_of_rule(self, net: Net, rule: Rule) -> int | None:
        """Return the table id of a new rule and create the table. Return None if the rule has no table id."""
        return self.table(net, rule.table).id if rule.table else None

    # -- lookups ------------------------------------------------------------------

    def select(
        self, net: Net, table: int, flow: Flow, *, oif: int, strict: bool = False, reachable: bool = False
    ) -> Route6 | None:
        """Return the route of a flow in a table, or None (`fib6_table_lookup()`).

        Routes over the device `oif` are preferred. If `strict`, other routes are ignored
        (RT6_LOOKUP_F_IFACE). If `reachable`, routes with failed gateways are tried last
        (RT6_LOOKUP_F_REACHABLE).
        """
        found = TABLES6.of(net).tables.get(table)
        if found is None:
            return None
        for routes in self._covering(found, flow):
            alive = [each for each in routes if not (reachable and has_failed(net, each.hop))]
            route = self._best(alive, oif, strict=strict)
            if route is not None:
                return route
        return self.select(net, table, flow, oif=oif, strict=strict) if reachable else None

    def _covering(self, table: Table6, flow: Flow) -> Iterator[list[Route6]]:
        """Yield the routes that cover a flow. Routes with longer prefixes come first. Among routes with the
        same prefix, the routes that also have a source prefix come first.

        If a prefix has routes with source prefixes, but none covers the flow's source address, the prefix is
        skipped until another prefix matches.
        Sources: `fib6_node_lookup()`, `fib6_backtrack()`.
        """
        sources: dict[tuple[int, ...], dict[Any, list[Route6]]] = {}
        for key in table.routes:
            if len(key) > 2:
                sources.setdefault(key[:2], {})[key[2:]] = table.routes[key]
        found: bool = False
        for length in range(BITS, -1, -1):
            prefix = (flow.daddr >> (BITS - length) << (BITS - length), length)
            own, below = table.routes.get(prefix), sources.get(prefix)
            if below is not None:
                if not (found or own or not length or _below(table, prefix).isdisjoint("01")):
                    # All routes of this node have RTA_SRC. Linux then looks at a child (fib6_find_prefix()).
                    raise self.unmodelled(
                        "if all routes to an IPv6 prefix have RTA_SRC, "
                        "routes to longer prefixes inside this prefix are not modelled",
                        EOPNOTSUPP,
                    )
                for routes in covering(below, flow.saddr, BITS):
                    found = True
                    yield routes
            if own is not None and (found or not length or below is None):
                found = True
                yield own

    def _best(self, routes: list[Route6], oif: int, *, strict: bool) -> Route6 | None:
        """Return the best usable route with the lowest metric. If no route with the lowest metric is usable,
        return the best usable route with any other metric (`find_rr_leaf()`).
        """
        lowest = [each for each in routes if each.metric == routes[0].metric] if routes else []
        for group in (lowest, routes[len(lowest) :]):
            best, score = None, -1
            for route in group:
                device = route.hop.device
                matches = not oif or (device is not None and device.index == oif)
                expired = route.expires is not None and route.expires < self.engine.time()
                if expired or route.hop.flags & rt.RTNH_F_DEAD or (strict and not matches):
                    continue
                rank = 2 * matches | ((route.flags >> PREF_SHIFT & 3) ^ 2) << 2
                if rank > score:
                    best, score = route, rank
            if best is not None:
                return best
        return None

    def lookup(self, net: Net, flow: Flow) -> Route6 | None:
        """Return the route of a flow, or None (`fib6_lookup()`). If the flow has an output device, routes
        over other devices are ignored. The rules select the tables that are searched.
        """

        def search(net: Net, table: int, flow: Flow) -> Route6 | int:
            return self.select(net, table, flow, oif=flow.oif, strict=True) or EAGAIN

        result = self.rules.lookup(net, flow, search, suppress=False)
        return None if isinstance(result, int) else result

    # -- adding -------------------------------------------------------------------

    def insert(
        self,
        net: Net,
        route: Route6,
        request: Request | None = None,
        flags: int = NLM_F_CREATE,
        *,
        quiet: bool = False,
    ) -> None:
        """Add or replace a route (`fib6_add()`). `flags` are the NLM_F_* flags of the request.

        Without NLM_F_REPLACE, raise EEXIST if a route with the same prefix, metric and next hop exists. If a
        request has NLM_F_EXCL, raise EEXIST if a route with the same prefix and metric exists. Raise ENOENT
        if `flags` has NLM_F_REPLACE without NLM_F_CREATE and there is no route to replace.
        """
        table = self.table(net, route.table)
        replace, create = flags & NLM_F_REPLACE, flags & NLM_F_CREATE
        node = table.routes.get(route.key, [])
        if request is not None and not create:
            self._check_node(table, route.key, request)
        place, same, shown = 0, None, NLM_F_EXCL | flags & NLM_F_APPEND
        for each in node:
            if each.metric > route.metric:
                break
            if each.metric == route.metric:
                if flags & NLM_F_EXCL and request is not None:
                    raise os_error(EEXIST)
                shown &= ~NLM_F_EXCL
                if replace:
                    if each.can_have_siblings == route.can_have_siblings:
                        same = place
                        break
                    same = place if same is None else same
                elif each.is_duplicate(route):
                    if each.expires is not None:
                        each.expires = route.expires
                    raise os_error(EEXIST)
            place += 1
        if not replace or same is None:
            if replace and not create:
                self._warn("NLM_F_REPLACE set, but no existing node found!")
                raise os_error(ENOENT)
            if not create:
                self._warn("NLM_F_CREATE should be set when creating new route")
            node.insert(place, route)
            shown |= NLM_F_CREATE
        else:
            gone = set(map(id, node[same].siblings))
            node[same] = route
            node[same + 1 :] = [each for each in node[same + 1 :] if id(each) not in gone]
            shown = NLM_F_REPLACE
        route.node = table.routes[route.key] = node
        table.changed()
        if not quiet:
            announce(rt.RTNLGRP_IPV6_ROUTE, net, rt.RTM_NEWROUTE, route, request, shown)
        if route.expires is not None:
            self.collect_later(net)

    def _warn(self, text: str) -> None:
        self._log.warn(f"IPv6: {text}")

    def _check_node(self, table: Table6, key: tuple[int, ...], request: Request) -> None:
        """Check a request without NLM_F_CREATE (`fib6_add_1()`). Raise ENOENT if the request has
        NLM_F_REPLACE and the tree lacks a node for the route's prefix.
        """
        replace = request.flags & NLM_F_REPLACE
        if not replace:
            self._warn("RTM_NEWROUTE with no NLM_F_CREATE or NLM_F_REPLACE")
        for each in (key[:2], key)[: len(key) // 2]:
            if has_node(table, each):
                continue
            if replace:
                request.extack.message = "Can not replace route - no match found"
                self._warn("Can't replace route, no match found")
                raise os_error(ENOENT)
            self._warn("NLM_F_CREATE should be set when creating new route")

    def delete(self, net: Net, route: Route6, request: Request | None = None, *, quiet: bool = False) -> None:
        """Delete a route if it is not already deleted (`fib6_del()`)."""
        if route not in route.node:
            return
        route.node.remove(route)
        if not route.node:
            del TABLES6.of(net).tables[route.table].routes[route.key]
        if not quiet:
            announce(rt.RTNLGRP_IPV6_ROUTE, net, rt.RTM_DELROUTE, route, request)

    def delete_if(self, net: Net, condition: Callable[[Route6], bool]) -> None:
        """Delete the routes that match a condition, in the order of the tree walk (`fib6_clean_all()`)."""
        for route in TABLES6.of(net).walk:
            if condition(route):
                self.delete(net, route)

    # -- expiry -------------------------------------------------------------------

    def collect_later(self, net: Net) -> None:
        """Start the timer that deletes expired routes (`fib6_start_gc()`)."""
        tables = TABLES6.of(net)
        if tables.timer is None:
            tables.timer = Work(None, "fib6_run_gc", lambda work: self._collect(net))
            self._queue.add_delayed(tables.timer, GC_INTERVAL)

    def _collect(self, net: Net) -> None:
        """Delete expired routes (`fib6_run_gc()`)."""
        tables, now = TABLES6.of(net), self.engine.time()
        tables.timer = None
        self.delete_if(net, lambda route: route.expires is not None and route.expires < now)
        if any(route.expires is not None for route in tables.walk):
            self.collect_later(net)


def _below(table: Table6, prefix: tuple[int, ...]) -> set[str]:
    """Return the kinds of routes that a table has to a prefix and to longer prefixes inside it, as a set of
    one-character codes.

    0 or 1: routes to longer prefixes whose next bit is 0 or 1. 2: routes to the prefix itself. -: routes to
    the prefix that also have a source prefix.
    """
    place = _walk_key(prefix)[:-1]
    return {key[len(place)] for key in map(_walk_key, table.routes) if key.startswith(place)}


def has_node(table: Table6, prefix: tuple[int, ...]) -> bool:
    """Return True if the tree has a node at a prefix. Nodes are at the root, at each prefix with routes, and
    at each fork of two branches.
    """
    below = _below(table, prefix)
    return prefix == (0, 0) or {"0", "1"} <= below or not below.isdisjoint("-2")
