"""IPv6 addresses of network devices (net/ipv6/addrconf.c).

Theory of operation. A device has an `Inet6Device` while its MTU is at least 1280. A device is ready if it
is up and can transmit packets. A ready device gets a link-local address made from its hardware address;
`lo` gets ::1. A new address is tentative until duplicate address detection ends (dad.py), and then its
local route is added. A device that goes down loses all its addresses. `Routes6` adds and removes the
routes, in Linux's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from simkernel.kernel.net.device import Event, NetDevice
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.net.namespace import Net, PernetSlot
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route import netconf
from simkernel.kernel.netlink.route.address import SECOND, AddressFamily
from simkernel.kernel.netlink.route.dad import DEAD, PREDAD, DuplicateDetection
from simkernel.kernel.netlink.route.inet import (
    ADDR_GEN_MODE,
    EUI64,
    IF_READY,
    IF_RS_SENT,
    INET6_DEVICE,
    IPV6_MIN_MTU,
    MTU6,
    RANDOM,
    STABLE_PRIVACY,
    Address6,
    Inet6Device,
    inet6_device,
)
from simkernel.kernel.netlink.route.link_fill import fill_ipv6
from simkernel.kernel.netlink.route.notify import notify, wanted
from simkernel.uapi import if_addr as ia
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.if_addr import INFINITY_LIFE_TIME

IN6_ADDR_SIZE: Final = 16
ANY: Final = bytes(IN6_ADDR_SIZE)
LOOPBACK: Final = bytes(15) + b"\x01"
LINK_LOCAL: Final = b"\xfe\x80" + bytes(6)
MULTICAST: Final = 0xFF
GLOBAL: Final = (14, rt.RT_SCOPE_UNIVERSE)
MULTICAST_SCOPES: Final = {1: rt.RT_SCOPE_HOST, 2: rt.RT_SCOPE_LINK, 5: rt.RT_SCOPE_SITE}
IFA_SCOPES: Final = {rt.RT_SCOPE_HOST: 0x10, rt.RT_SCOPE_LINK: 0x20, rt.RT_SCOPE_SITE: 0x40}
"""Number that the file /proc/net/if_inet6 shows for a scope. The key is the scope in messages
(RT_SCOPE_*).
"""


class Routes6:
    """Methods that the IPv6 address code calls to add and remove routes (net/ipv6/route.c). The methods of
    this base class do nothing.

    If the device is down or the route exists, adding a route does nothing. A metric of 0 means the
    default. Lifetimes are in seconds, or INFINITY_LIFE_TIME.
    """

    def insert_local(self, address: Address6) -> None:
        """Add the local route of an address if it does not exist (`ip6_ins_rt()`)."""

    def remove_local(self, address: Address6) -> None:
        """Remove the local route of an address if it exists (`ip6_del_rt()`)."""

    def insert_prefix(
        self, device: NetDevice, prefix: bytes, length: int, metric: int, lifetime: int
    ) -> None:
        """Add a prefix route (`addrconf_prefix_route()`)."""

    def modify_prefix(
        self, device: NetDevice, prefix: bytes, length: int, metric: int, lifetime: int
    ) -> bool:
        """Change metric and lifetime of a prefix route (`modify_prefix_route()`). Return False if it does not
        exist.
        """
        return True

    def remove_prefix(self, device: NetDevice, prefix: bytes, length: int) -> None:
        """Remove a prefix route if it exists (`cleanup_prefix_route()`)."""

    def expire_prefix(self, device: NetDevice, prefix: bytes, length: int, expires: int) -> None:
        """Set the expiry time of a prefix route, in ns, if it has none (`cleanup_prefix_route()`)."""

    def remove_source(self, address: Address6) -> None:
        """Remove an address from the preferred sources of all routes (`rt6_remove_prefsrc()`)."""

    def change_mtu(self, device: NetDevice, before: int) -> None:
        """Update RTAX_MTU in a device's routes after the device's MTU changed (`rt6_mtu_change()`). The
        parameter `before` is the old MTU in bytes.
        """

    def insert_multicast(self, device: NetDevice) -> None:
        """Add the multicast route ff00::/8 of a device (`addrconf_add_mroute()`)."""

    def disable(self, device: NetDevice, event: Event) -> None:
        """Remove all routes over a device after NETDEV_DOWN or NETDEV_UNREGISTER (`rt6_disable_ip()`)."""

    def link_up(self, device: NetDevice, *, was_dead: bool) -> None:
        """Clear RTNH_F_LINKDOWN in a device's routes (`rt6_sync_up()`). If `was_dead` is true, clear
        RTNH_F_DEAD, and clear RTNH_F_LINKDOWN only if the device has a carrier.
        """

    def link_down(self, device: NetDevice) -> None:
        """Set RTNH_F_LINKDOWN in the routes of a device without a carrier (`rt6_sync_down_dev()`)."""


class InterfaceAddresses(AddressFamily[Address6]):
    """The IPv6 addresses of a machine's devices, updated after device events."""

    group = rt.RTNLGRP_IPV6_IFADDR

    def __init__(self, devices: NetDevices, routes: Routes6) -> None:
        super().__init__(devices)
        self.routes = routes
        self.detection = DuplicateDetection(self.engine, self.queue, self._completed)
        self._all: PernetSlot[list[Address6]] = PernetSlot(list)
        devices.subscribe(self._on_event)

    # -- devices ------------------------------------------------------------------

    def _on_event(self, event: Event, device: NetDevice, info: Any) -> None:
        """Update the addresses after a device event (`addrconf_notify()`)."""
        data = inet6_device(device)
        if event in (Event.DOWN, Event.UNREGISTER):
            self._shut(device, event)
        elif event is Event.CHANGEMTU and device.mtu < IPV6_MIN_MTU:
            self._shut(device, _end_of_ipv6(device))
        elif event is Event.REGISTER or (event is Event.CHANGEMTU and data is None):
            INET6_DEVICE.drop(device)
            data = INET6_DEVICE.of(device)
            data.updated = self.engine.time()
            if not data.dead:
                netconf.IPV6.announce(device, data.conf)
            if device.running and _is_ready(device):
                self._configure(device, data)
        elif data is None:
            return
        elif event is Event.CHANGEMTU:
            self._set_mtu(device, data)
        elif event is Event.CHANGENAME:
            netconf.IPV6.renamed(device, data.conf)
        elif event is Event.UP:
            self._restore(device, data)
            if _is_ready(device):
                self._configure(device, data)
        elif event is Event.CHANGE and not _is_ready(device):
            self.routes.link_down(device)
        elif event is Event.CHANGE and data.flags & IF_READY:
            if (info or 0) & il.IFF_NOARP:
                self.detection.run(data, restart=True)
            self.routes.link_up(device, was_dead=False)
        elif event is Event.CHANGE:
            self._configure(device, data)

    def _restore(self, device: NetDevice, data: Inet6Device) -> None:
        """Add the prefix routes of addresses that a device got while it was down
        (`addrconf_permanent_addr()`).
        """
        for each in tuple(data.addresses):
            if has_prefix_route(each):
                self.routes.insert_prefix(device, each.address, each.prefixlen, each.priority, each.valid)
            if each.flags & ia.IFA_F_PERMANENT and each.state == PREDAD:
                self.detection.start(each)

    def _configure(self, device: NetDevice, data: Inet6Device) -> None:
        """Add ::1 to `lo`, or a link-local address to an Ethernet device, when the device becomes ready. Then
        begin duplicate address detection.
        """
        data.flags |= IF_READY
        if device.is_loopback:
            self._add_own(device, data, LOOPBACK, 128, ia.IFAPROT_KERNEL_LO)
        elif device.type == il.ARPHRD_ETHER:
            self.routes.insert_multicast(device)
            interface = self._interface_id(device, data)
            if interface:
                self._add_own(device, data, LINK_LOCAL + interface, 64, ia.IFAPROT_KERNEL_LL)
        self.detection.run(data)
        self.routes.link_up(device, was_dead=True)
        if IPV6_MIN_MTU <= device.mtu != data.conf[MTU6]:
            self._set_mtu(device, data)
        data.updated = self.engine.time()
        self._announce_device(device)
        if device.mtu < IPV6_MIN_MTU:
            self._shut(device, _end_of_ipv6(device))

    def _set_mtu(self, device: NetDevice, data: Inet6Device) -> None:
        self.routes.change_mtu(device, data.conf[MTU6])
        data.conf[MTU6] = device.mtu

    def _interface_id(self, device: NetDevice, data: Inet6Device) -> bytes:
        """Return the interface id for a link-local address, or no bytes if the device generates no such
        address (`addrconf_addr_gen()`).
        """
        mode, mac = data.conf.get(ADDR_GEN_MODE, EUI64), device.address
        if mode in (RANDOM, STABLE_PRIVACY):
            data.interface_id = data.interface_id or self.engine.rng("ipv6.interface-id").randbytes(8)
            return data.interface_id
        return bytes((mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE, *mac[3:])) if mode == EUI64 else b""

    def set_token(self, device: NetDevice, data: Inet6Device, token: bytes) -> None:
        """Set the interface id for addresses whose prefix a router announces (`inet6_set_iftoken()`).

        If `token` is not ::, and the device is ready and has a link-local address that is not tentative,
        Linux sends a router solicitation. In this case, set IF_RS_SENT.
        """
        data.token = bytes(8) + token[8:]
        if token != ANY and data.flags & IF_READY and any(map(_is_settled, data.addresses)):
            data.flags |= IF_RS_SENT
        self._announce_device(device)

    def _announce_device(self, device: NetDevice) -> None:
        """Send the IPv6 data of a device to RTNLGRP_IPV6_IFINFO (`inet6_ifinfo_notify()`)."""
        if wanted(device.net, rt.RTNLGRP_IPV6_IFINFO):
            notify(device.net, rt.RTNLGRP_IPV6_IFINFO, fill_ipv6(device))

    def _add_own(self, device: NetDevice, data: Inet6Device, value: bytes, length: int, proto: int) -> None:
        """Add an address that the kernel creates itself: ::1 (`add_addr()`) or a link-local address
        (`addrconf_add_linklocal()`).
        """
        if self.find(device.net, value, device) is not None:
            return
        flags = ia.IFA_F_STABLE_PRIVACY if value[8:] == data.interface_id else 0
        address = Address6(device=device, prefixlen=length, address=value, proto=proto, flags=flags)
        self.set_lifetimes(address, INFINITY_LIFE_TIME, INFINITY_LIFE_TIME)
        self.link(data, address)
        if value == LOOPBACK:
            address.flags &= ~ia.IFA_F_TENTATIVE
            self._notify(rt.RTM_NEWADDR, address)
        else:
            self.routes.insert_prefix(device, value, length, 0, INFINITY_LIFE_TIME)
            self.detection.start(address)

    def _shut(self, device: NetDevice, event: Event) -> None:
        """Remove all IPv6 routes and addresses of a device (`addrconf_ifdown()`)."""
        self.routes.disable(device, event)
        data = inet6_device(device)
        if data is not None:
            data.dead = event is Event.UNREGISTER
            data.flags &= ~(IF_READY | IF_RS_SENT)
            for address in tuple(data.addresses):
                self._unlink(data, address)
                self._notify(rt.RTM_DELADDR, address)
            data.updated = self.engine.time()
            if data.dead:
                netconf.IPV6.announce(device, None)

    # -- the list -----------------------------------------------------------------

    def addresses(self, device: NetDevice) -> Sequence[Address6]:
        data = inet6_device(device)
        return () if data is None else data.addresses

    def find(self, net: Net, value: bytes, device: NetDevice | None) -> Address6 | None:
        """Return the address object for the 16 bytes `value`, or None if `device` lacks this address
        (`ipv6_get_ifaddr()`). If `device` is None, search all devices of the namespace.
        """
        matches = (each for each in self._all.of(net) if each.address == value)
        return next((each for each in matches if device in (None, each.device)), None)

    def link(self, data: Inet6Device, address: Address6) -> None:
        """Insert an address into its device's list, after the addresses of wider scope
        (`ipv6_link_dev_addr()`).
        """
        scope, address.scope = classify(address.address)
        address.flags |= 0 if address.flags & ia.IFA_F_NODAD else ia.IFA_F_TENTATIVE
        place = sum(classify(each.address)[0] > scope for each in data.addresses)
        data.addresses.insert(place, address)
        self._all.of(address.device.net).insert(0, address)

    def _unlink(self, data: Inet6Device, address: Address6) -> None:
        address.state = DEAD
        self.detection.stop(address)
        self.unwatch(address)
        data.addresses.remove(address)
        self._all.of(address.device.net).remove(address)

    def announce(self, type: int, address: Address6, request: Request | None = None) -> None:
        self.count_change(address.device.net)
        super().announce(type, address)

    def _notify(self, type: int, address: Address6) -> None:
        """Send a message about a new or deleted address. Then add or remove the routes to the address and its
        peer (`__ipv6_ifa_notify()`).
        """
        self.announce(type, address)
        device, peer = address.device, address.peer
        if type == rt.RTM_NEWADDR:
            self.routes.insert_local(address)
            if peer != ANY:
                self.routes.insert_prefix(device, peer, 128, address.priority, INFINITY_LIFE_TIME)
        else:
            if peer != ANY:
                self.routes.remove_prefix(device, peer, 128)
            self.routes.remove_local(address)

    def _completed(self, address: Address6) -> None:
        """Add the routes of an address that was found to be unique (`addrconf_dad_completed()`).

        For the first link-local address, solicit a router.
        """
        self._notify(rt.RTM_NEWADDR, address)
        data, link_local = INET6_DEVICE.of(address.device), address.scope == rt.RT_SCOPE_LINK
        others = (each for each in data.addresses if each is not address and each.flags & ia.IFA_F_PERMANENT)
        if link_local and not address.device.is_loopback and not any(map(_is_settled, others)):
            data.flags |= IF_RS_SENT

    def remove(self, address: Address6) -> None:
        """Remove an address and its routes (`ipv6_del_addr()`)."""
        data, had_route = INET6_DEVICE.of(address.device), has_prefix_route(address)
        self._unlink(data, address)
        self._notify(rt.RTM_DELADDR, address)
        if had_route:
            self.clean_prefix(data, address)
        self.routes.remove_source(address)

    def clean_prefix(self, data: Inet6Device, address: Address6) -> None:
        """Remove the prefix route of an address that no longer needs it, unless other addresses need the
        route (`check_cleanup_prefix_route()`).

        The route stays if another address of its prefix is permanent or has IFA_F_NOPREFIXROUTE. If all
        other addresses expire, the route expires with the last of them.
        """
        others = [each for each in data.addresses if each is not address and _same_prefix(each, address)]
        if any(each.flags & (ia.IFA_F_PERMANENT | ia.IFA_F_NOPREFIXROUTE) for each in others):
            return
        route = (address.device, address.address, address.prefixlen)
        if others:
            self.routes.expire_prefix(*route, max(each.updated + each.valid * SECOND for each in others))
        else:
            self.routes.remove_prefix(*route)

    def if_inet6(self, net: Net) -> str:
        """Return the contents of /proc/net/if_inet6 (`if6_seq_show()`)."""
        return "".join(
            f"{each.address.hex()} {each.device.index:02x} {each.prefixlen:02x} "
            f"{IFA_SCOPES.get(each.scope, 0):02x} {each.flags & 0xFF:02x} {each.device.name:>8}\n"
            for each in self._all.of(net)
        )


def classify(value: bytes) -> tuple[int, int]:
    """Return the scope of an IPv6 address as two numbers (`ipv6_addr_type()`). The first is encoded like the
    scope field of a multicast address. The second is an RT_SCOPE_* value.
    """
    if value[0] == MULTICAST:
        scope = value[1] & 0xF
        return scope, MULTICAST_SCOPES.get(scope, rt.RT_SCOPE_UNIVERSE)
    if value == LOOPBACK:
        return 2, rt.RT_SCOPE_HOST
    if value[0] == 0xFE and value[1] & 0x80:
        return (5, rt.RT_SCOPE_SITE) if value[1] & 0x40 else (2, rt.RT_SCOPE_LINK)
    return GLOBAL


def has_prefix_route(address: Address6) -> bool:
    """Return True if an address has a prefix route without expiry."""
    return address.flags & (ia.IFA_F_PERMANENT | ia.IFA_F_NOPREFIXROUTE) == ia.IFA_F_PERMANENT


def _same_prefix(address: Address6, other: Address6) -> bool:
    """Return True if two addresses have equal prefixes of equal length (`ipv6_prefix_equal()`)."""
    first, second = (int.from_bytes(each.address) >> (128 - address.prefixlen) for each in (address, other))
    return address.prefixlen == other.prefixlen and first == second


def _is_settled(address: Address6) -> bool:
    """Return True for a link-local address that has passed duplicate detection."""
    return address.scope == rt.RT_SCOPE_LINK and not address.flags & ia.IFA_F_TENTATIVE


def _end_of_ipv6(device: NetDevice) -> Event:
    """Return the event to pass to `_shut` if the MTU of a device becomes too small for IPv6. The event is
    DOWN for `lo`, which keeps its IPv6 data. It is UNREGISTER for any other device, which loses its IPv6
    data.
    """
    return Event.DOWN if device.is_loopback else Event.UNREGISTER


def _is_ready(device: NetDevice) -> bool:
    """Return True if a device that is up can transmit packets (`addrconf_link_ready()`)."""
    return device.oper_up and device.transmits
