"""IPv4 routes that the kernel adds for addresses and devices (net/ipv4/fib_frontend.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simkernel.kernel.net.device import Event, NetDevice
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.route.address4 import Routes4
from simkernel.kernel.netlink.route.fib4 import TABLES4, Fib4
from simkernel.kernel.netlink.route.fib_info import BITS, BROADCAST, Config4
from simkernel.kernel.netlink.route.inet import IN_DEVICE, Address4, InDevice, in_device
from simkernel.uapi import if_addr as ia
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.if_link import IFF_LOWER_UP, IFF_RUNNING
from simkernel.uapi.socket import AF_INET


class AutomaticRoutes4(Routes4):
    """Adds and removes IPv4 routes after changes of devices and addresses (`fib_netdev_notifier`,
    `fib_inetaddr_notifier`).
    """

    def __init__(self, fib: Fib4, flush_neighbours: Callable[[NetDevice, int], None]) -> None:
        self._fib = fib
        self._flush_neighbours = flush_neighbours

    # -- devices ------------------------------------------------------------------

    def on_event(self, event: Event, device: NetDevice, info: Any) -> None:
        """Update the routes after a device event (`fib_netdev_event()`)."""
        if event is Event.UNREGISTER:
            self._disable(device, event, force=True)
            return
        data = in_device(device)
        if data is None:
            return
        if event is Event.UP:
            for address in tuple(data.addresses):
                self.add_routes(address)
            self._sync_up(device, rt.RTNH_F_DEAD)
        elif event is Event.DOWN:
            self._disable(device, event, force=False)
        elif event is Event.CHANGE:
            if device.shown_flags & (IFF_RUNNING | IFF_LOWER_UP):
                self._sync_up(device, rt.RTNH_F_LINKDOWN)
            else:
                self._sync_down(device, event, force=False)
        else:
            return
        TABLES4.of(device.net).flush_cache()

    def _disable(self, device: NetDevice, event: Event, *, force: bool) -> None:
        """Remove the routes over a device (`fib_disable_ip()`)."""
        TABLES4.of(device.net).flush_cache()
        if self._sync_down(device, event, force=force):
            self._fib.flush(device.net)
        self.forget_neighbours(device)

    def forget_neighbours(self, device: NetDevice) -> None:
        self._flush_neighbours(device, AF_INET)

    @staticmethod
    def _sync_down(device: NetDevice, event: Event, *, force: bool) -> bool:
        """Mark the next hops over a device as dead or without link (`fib_sync_down_dev()`).

        Return True if a route has no other next hop.
        """
        mark = rt.RTNH_F_LINKDOWN | (0 if event is Event.CHANGE else rt.RTNH_F_DEAD)
        some = False
        for info in TABLES4.of(device.net).infos.values():
            if all(hop.device is not device for hop in info.hops):
                continue
            dead = 0
            for hop in info.hops:
                if hop.flags & rt.RTNH_F_DEAD:
                    dead += 1
                elif hop.device is device and (force or hop.scope != rt.RT_SCOPE_NOWHERE):
                    hop.flags |= mark
                    dead += 1
            if event is Event.UNREGISTER or dead == len(info.hops):
                info.flags |= mark
                some = True
        return some

    @staticmethod
    def _sync_up(device: NetDevice, mark: int) -> None:
        """In all next hops over a device that is up, clear the flags that are set in `mark`
        (`fib_sync_up()`).
        """
        if not device.is_up:
            return
        if mark & rt.RTNH_F_DEAD and device.shown_flags & (IFF_RUNNING | IFF_LOWER_UP):
            mark |= rt.RTNH_F_LINKDOWN
        for info in TABLES4.of(device.net).infos.values():
            if all(hop.device is not device for hop in info.hops):
                continue
            alive: bool = False
            for hop in info.hops:
                alive |= hop.device is device or not hop.flags & mark
                if hop.device is device:
                    hop.flags &= ~mark
            if alive:
                info.flags &= ~mark

    # -- addresses ----------------------------------------------------------------

    def address_up(self, address: Address4) -> None:
        """Add the routes of a new address (`fib_inetaddr_event()`)."""
        self.add_routes(address)
        self._sync_up(address.device, rt.RTNH_F_DEAD)
        TABLES4.of(address.device.net).flush_cache()

    def address_down(self, address: Address4) -> None:
        """Remove the routes of an address that was removed from its device. If the device has no address
        left, remove all routes over the device.
        """
        self.delete_routes(address)
        TABLES4.of(address.device.net).flush_cache()
        if not IN_DEVICE.of(address.device).addresses:
            self._disable(address.device, Event.DOWN, force=True)

    def _magic(
        self, primary: Address4, type: int, dst: int, length: int, *, add: bool, metric: int = 0
    ) -> None:
        """Add or delete one automatic route of an address (`fib_magic()`)."""
        net = primary.device.net
        number = rt.RT_TABLE_MAIN if type == rt.RTN_UNICAST else rt.RT_TABLE_LOCAL
        config = Config4(
            dst=dst,
            length=length,
            table=number,
            scope=rt.RT_SCOPE_HOST if type == rt.RTN_LOCAL else rt.RT_SCOPE_LINK,
            type=type,
            index=primary.device.index,
            priority=metric,
            prefsrc=primary.local,
        )
        table = self._fib.table(net, number)
        try:
            if add:
                self._fib.insert(net, config)
            else:
                self._fib.delete(net, table, config)
        except OSError:  # Linux also ignores these errors, for example EEXIST
            return

    def add_routes(self, address: Address4) -> None:
        """Add the local, broadcast and prefix routes of an address (`fib_add_ifaddr()`)."""
        device, prefix, primary = address.device, address.address & address.mask, address
        if address.is_secondary:
            found = _primary(IN_DEVICE.of(device), prefix, address.prefixlen)
            if found is None:
                return
            primary = found
        self._magic(primary, rt.RTN_LOCAL, address.local, BITS, add=True)
        if not device.is_up:
            return
        if address.broadcast not in (0, BROADCAST):
            self._magic(primary, rt.RTN_BROADCAST, address.broadcast, BITS, add=True)
        if prefix and not address.is_secondary and (prefix != address.local or address.prefixlen < BITS):
            if not address.flags & ia.IFA_F_NOPREFIXROUTE:
                self._prefix(address, primary, add=True, metric=address.priority)
            if address.prefixlen < BITS - 1:
                self._magic(primary, rt.RTN_BROADCAST, prefix | ~address.mask & BROADCAST, BITS, add=True)

    def _prefix(self, address: Address4, primary: Address4, *, add: bool, metric: int = 0) -> None:
        type = rt.RTN_LOCAL if address.device.is_loopback else rt.RTN_UNICAST
        prefix = address.address & address.mask
        self._magic(primary, type, prefix, address.prefixlen, add=add, metric=metric)

    def change_metric(self, address: Address4, metric: int) -> None:
        """Change the metric of the prefix route of an address (`fib_modify_prefix_metric()`)."""
        prefix = address.address & address.mask
        if (
            not address.device.is_up
            or address.flags & (ia.IFA_F_SECONDARY | ia.IFA_F_NOPREFIXROUTE)
            or not prefix
            or (prefix == address.local and address.prefixlen == BITS)
        ):
            return
        self._prefix(address, address, add=True, metric=metric)
        self._prefix(address, address, add=False, metric=address.priority)

    def delete_routes(self, address: Address4, gone: Address4 | None = None) -> None:
        """Remove those routes that only the address `address` needs (`fib_del_ifaddr()`).

        `gone` is a primary address. Its subnet is treated as already deleted.
        """
        device, primary = address.device, address
        subnet_broadcast, prefix = address.address | ~address.mask & BROADCAST, address.address & address.mask
        data = IN_DEVICE.of(device)
        subnet: bool = False
        if address.is_secondary:
            found = _primary(data, prefix, address.prefixlen)
            if found is None or gone not in (None, found):
                return
            primary = found
        elif prefix and (prefix != address.local or address.prefixlen < BITS):
            if not address.flags & ia.IFA_F_NOPREFIXROUTE:
                self._prefix(address, primary, add=False)
            subnet = True
        kept, local_kept = (set(), False) if data.dead else _needed(data, address, primary, gone)
        broadcasts = [address.broadcast]
        if subnet and address.prefixlen < BITS - 1:
            broadcasts += [subnet_broadcast, prefix]
        for each in broadcasts:
            if each not in kept:
                self._magic(primary, rt.RTN_BROADCAST, each, BITS, add=False)
        if not local_kept:
            self._magic(primary, rt.RTN_LOCAL, address.local, BITS, add=False)
            type = self._fib.address_type(device.net, address.local, rt.RT_TABLE_LOCAL)
            remains = not data.dead and address in data.addresses
            if not remains and type != rt.RTN_LOCAL and self._source_down(device.net, address.local):
                self._fib.flush(device.net)

    @staticmethod
    def _source_down(net: Net, local: int) -> bool:
        """Mark each route in table main as dead if its preferred source is the address `local`
        (`fib_sync_down_addr()`).

        Return True if such a route exists.
        """
        marked = [
            info
            for info in TABLES4.of(net).infos.values()
            if info.prefsrc == local and info.table == rt.RT_TABLE_MAIN
        ]
        for info in marked:
            info.flags |= rt.RTNH_F_DEAD
            info.source_gone = True
        return bool(marked)


def _primary(data: InDevice, prefix: int, length: int) -> Address4 | None:
    """Return the first address in a device's list that is in a subnet, or None (`inet_ifa_byprefix()`)."""
    return next((each for each in data.addresses if each.prefixlen == length and each.contains(prefix)), None)


def _needed(
    data: InDevice, address: Address4, primary: Address4, gone: Address4 | None
) -> tuple[set[int], bool]:
    """Return two values about a device's addresses other than `address`: the set of broadcast addresses that
    they need, and True if one of them needs the local route of `address`.
    """
    broadcasts: set[int] = set()
    local = same_source = False
    first: Address4 | None = None
    for each in data.addresses:
        if each is address or (gone is not None and gone.has_subnet_of(each)):
            continue
        if not each.is_secondary:
            if each.local != primary.local:
                continue
            first = each
            same_source |= each is not primary
        elif primary.has_subnet_of(each):
            first = primary
        else:
            if not same_source:
                continue
            if first is None or not first.has_subnet_of(each):
                first = _primary(data, each.address, each.prefixlen)
            if first is None or first.local != primary.local:
                continue
        local |= each.local == address.local
        broadcasts.add(each.broadcast)
        prefix = each.address & each.mask
        if first is each and each.prefixlen < BITS - 1 and prefix:
            broadcasts |= {prefix, prefix | ~each.mask & BROADCAST}
    return broadcasts, local
