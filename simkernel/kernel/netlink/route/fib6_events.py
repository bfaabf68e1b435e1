"""IPv6 routes that the kernel adds for addresses and devices (net/ipv6/addrconf.c, net/ipv6/route.c)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from simkernel.kernel.net.device import Event, NetDevice
from simkernel.kernel.netlink.route.address6 import Routes6
from simkernel.kernel.netlink.route.fib6 import BITS, TABLES6, Fib6, Route6
from simkernel.kernel.netlink.route.fib6_requests import SECOND, Config6, RouteRequests6, is_local
from simkernel.kernel.netlink.route.inet import Address6
from simkernel.uapi import if_addr as ia
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_INET6

ADDRCONF_PRIORITY: Final = 256
"""Metric of automatic routes (IP6_RT_PRIO_ADDRCONF)."""
MULTICAST: Final = 0xFF << 120
MULTICAST_LENGTH: Final = 8


class AutomaticRoutes6(Routes6):
    """Adds and removes the automatic IPv6 routes after changes of addresses and devices. `Ipv6Addresses`
    calls the methods that the base class `Routes6` declares.
    """

    def __init__(
        self, fib: Fib6, requests: RouteRequests6, flush_neighbours: Callable[[NetDevice, int], None]
    ) -> None:
        self._fib = fib
        self._flush_neighbours = flush_neighbours
        self._requests = requests

    def _insert(self, device: NetDevice, config: Config6, *, ignore_down: bool = False) -> None:
        with contextlib.suppress(OSError):  # OSError means that the device is down or that the route exists
            route = self._requests.make(device.net, config, ignore_down=ignore_down)
            self._fib.insert(device.net, route)

    def insert_local(self, address: Address6) -> None:
        """Add the local route of an address if it does not exist (`ip6_ins_rt()`)."""
        config = Config6(
            dst=int.from_bytes(address.address),
            length=BITS,
            table=rt.RT_TABLE_LOCAL,
            type=rt.RTN_LOCAL,
            flags=rt.RTF_UP | rt.RTF_NONEXTHOP | rt.RTF_LOCAL,
            index=address.device.index,
        )
        self._insert(address.device, config, ignore_down=True)

    def remove_local(self, address: Address6) -> None:
        """Remove the local route of an address if it exists (`ip6_del_rt()`)."""
        table = self._fib.table(address.device.net, rt.RT_TABLE_LOCAL)
        for route in table.routes.get((int.from_bytes(address.address), BITS), ()):
            if route.type == rt.RTN_LOCAL and route.device is address.device and not route.metric:
                self._fib.delete(address.device.net, route)
                return

    def insert_prefix(
        self, device: NetDevice, prefix: bytes, length: int, metric: int, lifetime: int
    ) -> None:
        """Add a prefix route (`addrconf_prefix_route()`). `lifetime` is in seconds or INFINITY_LIFE_TIME."""
        expires = self._expiry(lifetime)
        config = Config6(
            dst=int.from_bytes(prefix),
            length=length,
            metric=metric or ADDRCONF_PRIORITY,
            flags=rt.RTF_UP | (0 if expires is None else rt.RTF_EXPIRES),
            index=device.index,
            expires=expires,
        )
        self._insert(device, config)

    def _expiry(self, lifetime: int) -> int | None:
        return None if lifetime == ia.INFINITY_LIFE_TIME else self._fib.engine.time() + lifetime * SECOND

    def _prefix(self, device: NetDevice, prefix: bytes, length: int) -> Route6 | None:
        """Return the first route without a gateway to a prefix over a device, or None
        (`addrconf_get_prefix_route()`).
        """
        key = int.from_bytes(prefix) >> BITS - length << BITS - length, length
        routes = self._fib.table(device.net, rt.RT_TABLE_MAIN).routes.get(key, ())
        return next((each for each in routes if each.device is device and not each.hop.gateway), None)

    def remove_prefix(self, device: NetDevice, prefix: bytes, length: int) -> None:
        """Remove a prefix route if it exists (`cleanup_prefix_route()`)."""
        route = self._prefix(device, prefix, length)
        if route is not None:
            self._fib.delete(device.net, route)

    def expire_prefix(self, device: NetDevice, prefix: bytes, length: int, expires: int) -> None:
        """Set the expiry time of a prefix route to `expires`, in ns (`cleanup_prefix_route()`).

        A route that already has an expiry time keeps it.
        """
        route = self._prefix(device, prefix, length)
        if route is not None and route.expires is None:
            self._set_expiry(device, route, expires)

    def _set_expiry(self, device: NetDevice, route: Route6, expires: int | None) -> None:
        route.expires = expires
        route.flags &= ~rt.RTF_EXPIRES
        if expires is not None:
            route.flags |= rt.RTF_EXPIRES
            self._fib.collect_later(device.net)

    def modify_prefix(
        self, device: NetDevice, prefix: bytes, length: int, metric: int, lifetime: int
    ) -> bool:
        """Change metric and lifetime of a prefix route (`modify_prefix_route()`). Return False if it does not
        exist.
        """
        route = self._prefix(device, prefix, length)
        if route is None:
            return False
        if route.metric != (metric or ADDRCONF_PRIORITY):
            self._fib.delete(device.net, route)
            self.insert_prefix(device, prefix, length, metric, lifetime)
        else:
            self._set_expiry(device, route, self._expiry(lifetime))
        return True

    def remove_source(self, address: Address6) -> None:
        """Remove an address from the preferred sources of all routes (`rt6_remove_prefsrc()`)."""
        net = address.device.net
        for route in TABLES6.of(net).walk:
            if route.prefsrc == address.address and not is_local(net, route.prefsrc, route.device):
                route.prefsrc = b""

    def change_mtu(self, device: NetDevice, before: int) -> None:
        """Update RTAX_MTU in a device's routes after the device's MTU has changed (`rt6_mtu_change_route()`).

        A route's value changes if it equals the old MTU `before`, or is not below the new MTU. A locked value
        does not change.
        """
        for route in TABLES6.of(device.net).walk:
            mtu, locks = (route.metrics.get(type, 0) for type in (rt.RTAX_MTU, rt.RTAX_LOCK))
            assert isinstance(mtu, int) and isinstance(locks, int)
            locked = locks & 1 << rt.RTAX_MTU
            if route.device is device and not locked and (mtu >= device.mtu or mtu == before):
                route.metrics = dict(sorted({**route.metrics, rt.RTAX_MTU: device.mtu}.items()))

    def insert_multicast(self, device: NetDevice) -> None:
        """Add the multicast route ff00::/8 of a device (`addrconf_add_mroute()`)."""
        config = Config6(
            dst=MULTICAST,
            length=MULTICAST_LENGTH,
            table=rt.RT_TABLE_LOCAL,
            metric=ADDRCONF_PRIORITY,
            type=rt.RTN_MULTICAST,
            index=device.index,
        )
        self._insert(device, config)

    def disable(self, device: NetDevice, event: Event) -> None:
        """Delete all routes over a device (`rt6_disable_ip()`).

        If a route has a sibling over another device that is up, it is not deleted, and its next hop
        becomes dead.
        """

        def is_gone(route: Route6) -> bool:
            ring = route.siblings
            if event is Event.UNREGISTER or len(ring) == 1:
                return route.device is device
            dead = [each for each in ring if each.device is device or each.hop.flags & rt.RTNH_F_DEAD]
            if not route.uses(device):
                return False
            if len(dead) == len(ring):
                doomed.extend(ring)
                return True
            for each in ring:
                if each.device is device:
                    each.hop.flags |= rt.RTNH_F_DEAD | rt.RTNH_F_LINKDOWN
            self._fib.table(device.net, route.table).changed()
            return False

        doomed: list[Route6] = []
        self._fib.delete_if(device.net, lambda route: route in doomed or is_gone(route))
        self._flush_neighbours(device, AF_INET6)

    def link_up(self, device: NetDevice, *, was_dead: bool) -> None:
        """Clear RTNH_F_LINKDOWN in the routes over a device that has a carrier again (`rt6_sync_up()`).

        If `was_dead`, clear RTNH_F_DEAD, and clear RTNH_F_LINKDOWN only if the device has a carrier.
        """
        mark = rt.RTNH_F_DEAD if was_dead else rt.RTNH_F_LINKDOWN
        if was_dead and device.carrier:
            mark |= rt.RTNH_F_LINKDOWN
        for route in TABLES6.of(device.net).walk:
            if route.device is device:
                route.hop.flags &= ~mark
                self._fib.table(device.net, route.table).changed()

    def link_down(self, device: NetDevice) -> None:
        """Set RTNH_F_LINKDOWN in the routes of a device without a carrier (`rt6_sync_down_dev()`)."""
        for route in TABLES6.of(device.net).walk:
            if route.device is device and not route.flags & (rt.RTF_LOCAL | rt.RTF_ANYCAST):
                route.hop.flags |= rt.RTNH_F_LINKDOWN
