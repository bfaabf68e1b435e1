"""The IPv4 routing tables (net/ipv4/fib_trie.c, fib_semantics.c, fib_frontend.c).

Theory of operation. A table contains routes (`Alias`) by prefix. A route has a TOS, a type and a
`FibInfo`. Routes that are equal in all other fields share the FibInfo and its next hops. When a device
goes down, its next hops are marked as dead, and `flush` removes the routes that have only dead next hops.
Until a rule changes, the tables local and main share their prefixes, so that one lookup searches both.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, Final

import attrs

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.net.namespace import Net, PernetSlot
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route.fib import (
    NextHop,
    RouteTable,
    Unmodelled,
    announce,
    covering,
    metrics_match,
    parse_metrics,
)
from simkernel.kernel.netlink.route.fib_info import (
    BITS,
    BROADCAST,
    ERRORS,
    SCOPES,
    TOS_MASK,
    Alias,
    Config4,
    FibInfo,
    check_length,
    config4,
    hops_match,
    multipath,
)
from simkernel.kernel.netlink.route.inet import in_device
from simkernel.kernel.netlink.route.rules import Flow, Rule, RuleSet
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EAGAIN, EEXIST, ENETDOWN, ENETUNREACH, ENODEV, ENOENT, ESRCH, os_error
from simkernel.uapi.netlink import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from simkernel.uapi.structure import BE32

Table4 = RouteTable[Alias]


@attrs.frozen
class Result4:
    """Result of a lookup: route, next hop and table id (`struct fib_result`)."""

    alias: Alias
    hop: NextHop
    table: int

    @property
    def length(self) -> int:
        """Prefix length of the route."""
        return self.alias.length

    @property
    def device(self) -> NetDevice | None:
        """Device of the route's first next hop."""
        return self.alias.info.hops[0].device


@attrs.define(eq=False)
class Tables4:
    """IPv4 routing tables of a namespace, and the FibInfo objects that their routes share. Each flush of the
    route cache stores a new object in `cache`. A cached route is valid only if it refers to the object that
    is now in `cache`.
    """

    tables: dict[int, Table4] = attrs.field(factory=dict)
    infos: dict[tuple[Any, ...], FibInfo] = attrs.field(factory=dict)
    cache: object = attrs.field(factory=object)

    def flush_cache(self) -> None:
        """Make all cached routes invalid (`rt_cache_flush()`)."""
        self.cache = object()

    @property
    def ordered(self) -> list[Table4]:
        """Tables of the namespace, in the order in which a dump visits them."""
        return sorted(self.tables.values(), key=lambda each: each.place)


TABLES4: Final[PernetSlot[Tables4]] = PernetSlot(Tables4)


def nodes4(table: Table4) -> list[tuple[Any, list[Alias]]]:
    """Return the routes of each prefix of a table. The prefixes are ordered by address, and for equal
    addresses the longest prefix comes first (`fib_table_dump()`).
    """
    routes = sorted(table.routes.items(), key=lambda pair: (pair[0][0], -pair[0][1]))
    return [
        ((dst, -length), [each for each in found if each.table == table.id])
        for (dst, length), found in routes
    ]


class Fib4:
    """The IPv4 routing tables of a machine."""

    def __init__(self, rules: RuleSet, unmodelled: Unmodelled) -> None:
        self.rules = rules
        self.unmodelled = unmodelled

    # -- tables -------------------------------------------------------------------

    def table(self, net: Net, number: int) -> Table4:
        """Return a table, created if it does not exist (`fib_new_table()`)."""
        found = TABLES4.of(net)
        if number not in found.tables:
            alias = {}
            if number == rt.RT_TABLE_LOCAL and not self.rules.of(net).custom:
                alias = self.table(net, rt.RT_TABLE_MAIN).routes
            found.tables[number] = Table4(number, len(found.tables), alias)
        return found.tables[number]

    def changing_rules(self, net: Net) -> None:
        """Separate the routes of the table local from those of the table main (`fib_unmerge()`). The caller
        then adds or deletes a rule.

        Until the first such call, both tables share one set of routes. A rule can select only one of them.
        """
        self.rules.of(net).custom = True
        TABLES4.of(net).flush_cache()
        tables = TABLES4.of(net).tables
        local, main = tables.get(rt.RT_TABLE_LOCAL), tables.get(rt.RT_TABLE_MAIN)
        if local is not None and main is not None and local.routes is main.routes:
            merged, local.defaults = main.routes, 0
            local.routes, main.routes = (
                {
                    key: own
                    for key, found in merged.items()
                    if (own := [a for a in found if a.table == each.id])
                }
                for each in (local, main)
            )

    def table_of_rule(self, net: Net, rule: Rule) -> int | None:
        """Return the id of the table that a new rule selects. If the rule has no table id, return an unused
        id (`fib_empty_table()`).
        """
        if not rule.table:
            unused = (each for each in range(1, 2**32) if each not in TABLES4.of(net).tables)
            return self.table(net, next(unused)).id
        return rule.table

    # -- lookups ------------------------------------------------------------------

    def lookup_table(self, net: Net, table: int, flow: Flow) -> Result4 | int:
        """Look up a flow in a table (`fib_table_lookup()`). Return the route that matches, or an errno. The
        errno is EAGAIN if no route matches.
        """
        found = TABLES4.of(net).tables.get(table)
        candidates = () if found is None else covering(found.routes, flow.daddr, BITS)
        for alias in chain.from_iterable(candidates):
            info = alias.info
            if (alias.tos and alias.tos != flow.tos & TOS_MASK) or info.scope < flow.scope:
                continue
            alias.accessed = True
            if alias.type in ERRORS:
                return ERRORS[alias.type]
            for hop in () if info.flags & rt.RTNH_F_DEAD else info.hops:
                if not hop.flags & rt.RTNH_F_DEAD and flow.oif in (0, hop.index):
                    return Result4(alias, hop, table)
        return EAGAIN

    def lookup(self, net: Net, flow: Flow) -> Result4 | int:
        """Return the route of a flow (`fib_lookup()`), or an errno. The rules select the tables in which the
        function searches.
        """
        result = self.rules.lookup(net, flow, self.lookup_table)
        return ENETUNREACH if result == ESRCH else result

    def address_type(self, net: Net, address: int, table: int) -> int:
        """Return the type of an address, such as RTN_LOCAL or RTN_BROADCAST (`__inet_dev_addr_type()`)."""
        if not address or address == BROADCAST:
            return rt.RTN_BROADCAST
        if address >> 28 == 0xE:
            return rt.RTN_MULTICAST
        if table not in TABLES4.of(net).tables:
            return rt.RTN_BROADCAST
        result = self.lookup_table(net, table, Flow(daddr=address))
        return result.alias.type if isinstance(result, Result4) else rt.RTN_UNICAST

    # -- adding -------------------------------------------------------------------

    def _check(self, net: Net, config: Config4) -> FibInfo:
        """Check a new route and return its FibInfo (`fib_create_info()`)."""
        refuse, asked = config.refuse, config.asked
        if SCOPES.get(config.type, rt.RT_SCOPE_UNIVERSE) > config.scope:
            raise refuse("Invalid scope")
        if config.flags & (rt.RTNH_F_DEAD | rt.RTNH_F_LINKDOWN):
            raise refuse("Invalid rtm_flags - can not contain DEAD or LINKDOWN")
        if config.nexthop_id:
            raise refuse("Nexthop id does not exist")
        hops = [NextHop(config.index, config.gateway, config.flags, flow=config.flow)]
        if asked is not None and config.multipath:
            check_length(asked)
        metrics = {} if asked is None else parse_metrics(asked)
        if asked is not None and config.multipath:
            hops = multipath(config, asked, self.unmodelled)
        info = FibInfo(
            config.protocol,
            config.scope,
            config.flags,
            config.priority,
            config.prefsrc,
            config.type,
            config.table,
            metrics,
            hops,
        )
        if config.type in ERRORS:
            if config.gateway or config.index or config.multipath:
                raise refuse("Gateway, device and multipath can not be specified for this route type")
        else:
            self._check_hops(net, config, info)
        return TABLES4.of(net).infos.get(info.key, info)

    def _check_hops(self, net: Net, config: Config4, info: FibInfo) -> None:
        """Check the next hops and the preferred source of a new route, and set the devices of the next
        hops.
        """
        refuse = config.refuse
        if config.type == rt.RTN_UNSPEC:
            raise refuse("Invalid route type")
        if config.scope > rt.RT_SCOPE_HOST:
            raise refuse("Invalid scope")
        if config.scope == rt.RT_SCOPE_HOST:
            hop = info.hops[0]
            if len(info.hops) > 1:
                raise refuse("Route with host scope can not have multiple nexthops")
            if hop.gateway:
                raise refuse("Route with host scope can not have a gateway")
            hop.scope = rt.RT_SCOPE_NOWHERE
            hop.device = net.devices.get(hop.index)
            if hop.device is None:
                raise os_error(ENODEV)
        else:
            for hop in info.hops:
                check = self._check_gateway if hop.gateway else self._check_device
                check(net, config, hop)
                assert hop.device is not None
                if not hop.device.carrier:
                    hop.flags |= rt.RTNH_F_LINKDOWN
            if all(hop.flags & rt.RTNH_F_LINKDOWN for hop in info.hops):
                info.flags |= rt.RTNH_F_LINKDOWN
        if info.prefsrc and not self._is_valid_source(net, config):
            raise refuse("Invalid prefsrc address")

    def _check_device(self, net: Net, config: Config4, hop: NextHop) -> None:
        """Check a next hop without a gateway, and set its device (`fib_check_nh_nongw()`).

        Raise EINVAL if a flag of the next hop is invalid, ENODEV if the device does not exist or has no IPv4
        data, and ENETDOWN if the device is down.
        """
        if hop.flags & (rt.RTNH_F_PERVASIVE | rt.RTNH_F_ONLINK):
            raise config.refuse("Invalid flags for nexthop - PERVASIVE and ONLINK can not be set")
        device = net.devices.get(hop.index)
        if device is None or in_device(device) is None:
            raise os_error(ENODEV)
        if not device.is_up:
            raise config.refuse("Device for nexthop is not up", ENETDOWN)
        hop.device, hop.scope = device, rt.RT_SCOPE_HOST

    def _check_gateway(self, net: Net, config: Config4, hop: NextHop) -> None:
        """Check the gateway of a next hop and set its device (`fib_check_nh_v4_gw()`)."""
        (gateway,) = BE32.unpack(hop.gateway)
        if hop.flags & rt.RTNH_F_ONLINK:
            if config.scope >= rt.RT_SCOPE_LINK:
                raise config.refuse("Nexthop has invalid scope")
            device = net.devices.get(hop.index)
            if device is None:
                raise config.refuse("Nexthop device required for onlink", ENODEV)
            if not device.is_up:
                raise config.refuse("Nexthop device is not up", ENETDOWN)
            if self.address_type(net, gateway, rt.RT_TABLE_LOCAL) != rt.RTN_UNICAST:
                raise config.refuse("Nexthop has invalid gateway")
            hop.device, hop.scope = device, rt.RT_SCOPE_LINK
            return
        scope = max(config.scope + 1, rt.RT_SCOPE_LINK)
        flow = Flow(daddr=gateway, scope=scope, oif=hop.index)
        result: Result4 | int = EAGAIN
        if config.table not in (0, rt.RT_TABLE_MAIN):
            result = self.lookup_table(net, config.table, flow)
        if not isinstance(result, Result4):
            result = self.lookup(net, flow)
        if not isinstance(result, Result4):
            raise config.refuse("Nexthop has invalid gateway", result)
        if result.alias.type not in (rt.RTN_UNICAST, rt.RTN_LOCAL):
            raise config.refuse("Nexthop has invalid gateway")
        if result.hop.device is None:
            raise config.refuse("No egress device for nexthop gateway")
        hop.scope, hop.index, hop.device = result.alias.info.scope, result.hop.index, result.hop.device
        if not hop.device.is_up:
            raise os_error(ENETDOWN)

    def _is_valid_source(self, net: Net, config: Config4) -> bool:
        """Return True if the preferred source is an address of this host (`fib_valid_prefsrc()`)."""
        if config.type == rt.RTN_LOCAL and config.dst == config.prefsrc:
            return True
        first = rt.RT_TABLE_LOCAL if config.table == rt.RT_TABLE_MAIN else config.table
        tables = (first, rt.RT_TABLE_LOCAL)
        return any(self.address_type(net, config.prefsrc, each) == rt.RTN_LOCAL for each in tables)

    def insert(self, net: Net, config: Config4) -> None:
        """Add or replace a route (`fib_table_insert()`).

        Raise EEXIST if an equal route exists. With NLM_F_EXCL, raise EEXIST even if only prefix, TOS and
        priority are equal. With NLM_F_REPLACE, it is no error if the route to replace is equal. Raise ENOENT
        if the request lacks NLM_F_CREATE and replaces no route. Errors of `_check` propagate.
        """
        request = config.request
        nlflags = NLM_F_CREATE | NLM_F_APPEND if request is None else request.flags
        table = self.table(net, config.table)
        info = self._check(net, config)
        found = table.routes.get((config.dst, config.length), [])
        alias = Alias(config.dst, config.length, config.tos, config.type, table.id, info)
        place = _place(found, table.id, config.tos, info.priority)
        shown = NLM_F_EXCL
        same = 0
        while place + same < len(found) and _ranks_as(found[place + same], alias):
            same += 1
        if same:
            if nlflags & NLM_F_EXCL:
                raise os_error(EEXIST)
            shown = 0
            equals = (
                each for each in found[place : place + same] if each.info is info and each.type == alias.type
            )
            equal = next(equals, None)
            if nlflags & NLM_F_REPLACE:
                if equal is not None:
                    if equal is not found[place]:
                        raise os_error(EEXIST)
                    return
                old, found[place] = found[place], alias
                self._use(net, info)
                announce(rt.RTNLGRP_IPV4_ROUTE, net, rt.RTM_NEWROUTE, alias, request, NLM_F_REPLACE)
                self._release(net, old)
                return
            if equal is not None:
                raise os_error(EEXIST)
            if nlflags & NLM_F_APPEND:
                place += same
                shown |= NLM_F_APPEND
        if not nlflags & NLM_F_CREATE:
            raise os_error(ENOENT)
        found.insert(place, alias)
        table.routes[config.dst, config.length] = found
        self._use(net, info)
        TABLES4.of(net).flush_cache()
        table.defaults += not config.length
        announce(rt.RTNLGRP_IPV4_ROUTE, net, rt.RTM_NEWROUTE, alias, request, shown | NLM_F_CREATE)

    @staticmethod
    def _use(net: Net, info: FibInfo) -> None:
        TABLES4.of(net).infos[info.key] = info
        info.users += 1

    @staticmethod
    def _release(net: Net, alias: Alias) -> None:
        """Release the FibInfo of a removed route (`fib_table_delete()`, `fib_release_info()`).

        If a lookup has used the route, the route cache is flushed.
        """
        tables, info = TABLES4.of(net), alias.info
        info.users -= 1
        if alias.accessed:
            tables.flush_cache()
        if not info.users:
            del tables.infos[info.key]

    # -- deleting -----------------------------------------------------------------

    def delete(self, net: Net, table: Table4, config: Config4) -> None:
        """Delete the first route that matches the request (`fib_table_delete()`). Raises ESRCH if no route
        matches.
        """
        found = table.routes.get((config.dst, config.length), [])
        for alias in found[_place(found, table.id, config.tos, 0) :]:
            if (alias.table, alias.tos) != (table.id, config.tos):
                break
            if self._matches(alias, config):
                announce(rt.RTNLGRP_IPV4_ROUTE, net, rt.RTM_DELROUTE, alias, config.request)
                self._remove(net, table, alias)
                table.defaults -= not config.length
                return
        raise os_error(ESRCH)

    def _remove(self, net: Net, table: Table4, alias: Alias) -> None:
        found = table.routes[alias.dst, alias.length]
        found.remove(alias)
        if not found:
            del table.routes[alias.dst, alias.length]
        self._release(net, alias)

    def _matches(self, alias: Alias, config: Config4) -> bool:
        info = alias.info
        return (
            config.type in (0, alias.type)
            and config.scope in (rt.RT_SCOPE_NOWHERE, info.scope)
            and config.prefsrc in (0, info.prefsrc)
            and config.protocol in (0, info.protocol)
            and config.priority in (0, info.priority)
            and hops_match(info, config, self.unmodelled)
            and (config.asked is None or metrics_match(config.asked, info.metrics))
        )

    def flush(self, net: Net) -> None:
        """Remove the routes that are marked as dead (`fib_flush()`)."""
        for table in TABLES4.of(net).ordered:
            for _, aliases in sorted(nodes4(table), key=lambda pair: (-pair[0][0], pair[0][1])):
                for alias in aliases:
                    if alias.info.flags & rt.RTNH_F_DEAD:
                        if alias.info.source_gone:
                            announce(rt.RTNLGRP_IPV4_ROUTE, net, rt.RTM_DELROUTE, alias)
                        self._remove(net, table, alias)

    # -- requests -----------------------------------------------------------------

    def new(self, request: Request) -> None:
        """Handle RTM_NEWROUTE (`inet_rtm_newroute()`)."""
        self.insert(request.net, config4(request, self.unmodelled))

    def remove(self, request: Request) -> None:
        """Handle RTM_DELROUTE (`inet_rtm_delroute()`). Raise ESRCH if the table does not exist or no route
        matches, and EINVAL if the request is invalid.
        """
        config = config4(request, self.unmodelled)
        if config.nexthop_id:
            raise config.refuse("Nexthop id does not exist")
        table = TABLES4.of(request.net).tables.get(config.table)
        if table is None:
            raise config.refuse("FIB table does not exist", ESRCH)
        self.delete(request.net, table, config)


def _place(aliases: list[Alias], table: int, tos: int, priority: int) -> int:
    """Return the list index at which a new route is inserted (`fib_find_alias()`).

    Routes are ordered by descending table id, then descending TOS, then ascending priority. The new route
    precedes routes that are equal in these fields.
    """
    for place, alias in enumerate(aliases):
        if alias.table > table or (alias.table == table and alias.tos > tos):
            continue
        if alias.table < table or alias.info.priority >= priority or alias.tos < tos:
            return place
    return len(aliases)


def _ranks_as(alias: Alias, other: Alias) -> bool:
    return (alias.table, alias.tos, alias.info.priority) == (other.table, other.tos, other.info.priority)
