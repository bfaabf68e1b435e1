"""The routing subsystem of a machine: tables, rules and handlers."""

from __future__ import annotations

from collections.abc import Callable

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.netlink.route.fib import RouteDump
from simkernel.kernel.netlink.route.fib4 import TABLES4, Fib4, nodes4
from simkernel.kernel.netlink.route.fib4_events import AutomaticRoutes4
from simkernel.kernel.netlink.route.fib6 import TABLES6, Fib6, nodes6
from simkernel.kernel.netlink.route.fib6_events import AutomaticRoutes6
from simkernel.kernel.netlink.route.fib6_requests import RouteRequests6
from simkernel.kernel.netlink.route.getroute import RouteQueries
from simkernel.kernel.netlink.route.rule_requests import RuleRequests
from simkernel.kernel.netlink.route.rules import RuleSet
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_INET, AF_INET6


class Routing:
    """The routing tables of a machine, the routing rules, the handlers of requests, and the automatic
    routes.
    """

    def __init__(
        self,
        devices: NetDevices,
        flush_neighbours: Callable[[NetDevice, int], None],
        unmodelled: Callable[[str, int], Exception],
    ) -> None:
        last = 0x7FFF
        local, main = (rt.RT_TABLE_LOCAL, 0), (rt.RT_TABLE_MAIN, last - 1)
        default = (rt.RT_TABLE_DEFAULT, last)
        rules4 = RuleSet(
            AF_INET, rt.RTNLGRP_IPV4_RULE, 4, (local, main, default), (rt.RT_TABLE_MAIN, rt.RT_TABLE_DEFAULT)
        )
        rules6 = RuleSet(
            AF_INET6, rt.RTNLGRP_IPV6_RULE, 16, (local, main), (rt.RT_TABLE_LOCAL, rt.RT_TABLE_MAIN)
        )
        multicast4 = RuleSet(rt.RTNL_FAMILY_IPMR, 0, 4, (default,))
        multicast6 = RuleSet(rt.RTNL_FAMILY_IP6MR, 0, 16, ((rt.RT_TABLE_MAIN, last),))
        self.fib4 = Fib4(rules4, unmodelled)
        self.fib6 = Fib6(devices.engine, devices.work, devices.log, rules6, unmodelled)
        self.requests6 = RouteRequests6(self.fib6)
        self.routes4 = AutomaticRoutes4(self.fib4, flush_neighbours)
        self.routes6 = AutomaticRoutes6(self.fib6, self.requests6, flush_neighbours)
        self.rules = RuleRequests(
            devices,
            (rules4, multicast4, multicast6, rules6),
            {AF_INET: self.fib4, AF_INET6: self.fib6},
            unmodelled,
        )
        self.queries = RouteQueries(devices.engine, self.fib4, self.fib6)


DUMP4 = RouteDump(
    AF_INET, "ipv4: FIB table does not exist", lambda net: TABLES4.of(net).tables.values(), nodes4
)
DUMP6 = RouteDump(
    AF_INET6, "ipv6: FIB table does not exist", lambda net: TABLES6.of(net).tables.values(), nodes6
)
