"""IPv4 addresses of network devices (net/ipv4/devinet.c).

Theory of operation. A device has an `InDevice` from its registration until it is unregistered or its MTU
becomes too small. The list of addresses contains the primary addresses by scope, then the secondary ones.
An address is secondary if its subnet already has a primary address. Deleting a primary address deletes its
secondary addresses, unless `promote_secondaries` is set and the first of them becomes primary. A device
that goes down keeps its addresses. `Routes4` adds and removes the routes, after the message about the
address.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final

from simkernel.kernel.net.device import Event, NetDevice
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route import netconf
from simkernel.kernel.netlink.route.address import AddressFamily, header, put, table
from simkernel.kernel.netlink.route.inet import IN_DEVICE, PROMOTE_SECONDARIES, Address4, InDevice, in_device
from simkernel.kernel.netlink.route.parse import U32_POLICY
from simkernel.uapi import if_addr as ia
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EADDRNOTAVAIL, EEXIST, EINVAL, ENOBUFS, ENODEV, os_error
from simkernel.uapi.if_link import IFNAMSIZ
from simkernel.uapi.netlink import attribute
from simkernel.uapi.socket import AF_INET
from simkernel.uapi.structure import BE32, U8, U32
from simkernel.ynl.policy import AttributePolicy, NlaType

MIN_MTU: Final = 68
LOOPBACK: Final = 0x7F00_0001
MULTICAST: Final = 0xE
IFREQ: Final = Struct("<16sH2x4s16x")
"""Layout of struct ifreq with an IPv4 address."""
IPV6_ONLY_FLAGS: Final = (
    ia.IFA_F_NODAD
    | ia.IFA_F_OPTIMISTIC
    | ia.IFA_F_DADFAILED
    | ia.IFA_F_HOMEADDRESS
    | ia.IFA_F_TENTATIVE
    | ia.IFA_F_MANAGETEMPADDR
    | ia.IFA_F_STABLE_PRIVACY
)


class Routes4:
    """Methods that the IPv4 address code calls to add and remove routes (net/ipv4/fib_frontend.c). The
    methods of this base class do nothing.
    """

    def address_up(self, address: Address4) -> None:
        """Add the routes of a new address (`fib_inetaddr_event()` with NETDEV_UP)."""

    def address_down(self, address: Address4) -> None:
        """Remove the routes of an address that was removed from its device's list (`fib_inetaddr_event()`
        with NETDEV_DOWN).
        """

    def add_routes(self, address: Address4) -> None:
        """Add the local, broadcast and prefix routes of an address (`fib_add_ifaddr()`)."""

    def delete_routes(self, address: Address4, primary: Address4) -> None:
        """Remove the routes of the secondary address `address` before its primary address, `primary`, is
        removed (`fib_del_ifaddr()`).
        """

    def change_metric(self, address: Address4, metric: int) -> None:
        """Change the metric of the prefix route of an address (`fib_modify_prefix_metric()`)."""

    def forget_neighbours(self, device: NetDevice) -> None:
        """Delete the neighbours of a device (`arp_ifdown()`)."""


class Ipv4Addresses(AddressFamily[Address4]):
    """Handles requests and device events that concern the IPv4 addresses of a machine."""

    name, family, group, max_prefixlen = "ipv4", AF_INET, rt.RTNLGRP_IPV4_IFADDR, 32
    no_device = "Device not found"
    policies = table(
        "ipv4 address",
        {
            ia.IFA_LABEL: AttributePolicy(NlaType.STRING, length=IFNAMSIZ - 1),
            **dict.fromkeys(
                (ia.IFA_ADDRESS, ia.IFA_LOCAL, ia.IFA_BROADCAST, ia.IFA_FLAGS, ia.IFA_RT_PRIORITY), U32_POLICY
            ),
        },
    )
    """Policies of the attributes of requests about IPv4 addresses (ifa_ipv4_policy)."""

    def __init__(self, devices: NetDevices, routes: Routes4) -> None:
        super().__init__(devices)
        self._routes = routes
        devices.subscribe(self._on_event)

    # -- devices ------------------------------------------------------------------

    def _on_event(self, event: Event, device: NetDevice, info: Any) -> None:
        """Update the addresses after a device event (`inetdev_event()`)."""
        data = in_device(device)
        usable = device.mtu >= MIN_MTU
        if event is Event.REGISTER or (event is Event.CHANGEMTU and data is None and usable):
            IN_DEVICE.drop(device)
            data = IN_DEVICE.of(device)
            if event is Event.CHANGEMTU:
                # Linux sets `disable_xfrm` and `disable_policy` of `lo` only when `lo` is registered.
                data.conf.clear()
            netconf.IPV4.announce(device, data.conf)
        elif data is None:
            return
        elif event is Event.UP:
            self.count_change(device.net)
            if device.is_loopback and usable:
                self._add_loopback(device, data)
        elif event is Event.UNREGISTER or (event is Event.CHANGEMTU and not usable):
            data.dead = True
            while data.addresses:
                self._delete(data, data.addresses[0])
            netconf.IPV4.announce(device, None)
            self._routes.forget_neighbours(device)
        elif event is Event.CHANGENAME:
            self._rename(device, data)
            netconf.IPV4.renamed(device, data.conf)

    def _add_loopback(self, device: NetDevice, data: InDevice) -> None:
        label, scope = _name(device), rt.RT_SCOPE_HOST
        address = Address4(
            device=device, prefixlen=8, scope=scope, local=LOOPBACK, address=LOOPBACK, label=label
        )
        self.set_lifetimes(address, ia.INFINITY_LIFE_TIME, ia.INFINITY_LIFE_TIME)
        # `_insert` raises EEXIST if `lo` kept the address 127.0.0.1 while it was down.
        with contextlib.suppress(OSError):
            self._insert(data, address)

    def _rename(self, device: NetDevice, data: InDevice) -> None:
        """Change the address labels of a renamed device (`inetdev_changename()`). The new label of the first
        address is the device name. The new label of every other address is the device name and a suffix. The
        suffix is that of the old label, such as `:1`. If the old label had no suffix, the address's position
        in the list is used.
        """
        name = _name(device)
        for number, address in enumerate(data.addresses, 1):
            old, address.label = address.label, name
            if number > 1:
                suffix = old[old.index(b":") :] if b":" in old else b":%d" % number
                address.label = name[: IFNAMSIZ - 1 - len(suffix)] + suffix
            self.announce(rt.RTM_NEWADDR, address)

    # -- the list -----------------------------------------------------------------

    def _insert(self, data: InDevice, address: Address4, request: Request | None = None) -> None:
        """Insert an address into its device's list (`__inet_insert_ifa()`).

        Raises EEXIST if the address exists, EINVAL if the scope differs from that of its subnet.
        """
        address.flags &= ~(ia.IFA_F_SECONDARY | IPV6_ONLY_FLAGS)
        last_primary = 0
        for place, other in enumerate(data.addresses, 1):
            if not other.is_secondary and address.scope <= other.scope:
                last_primary = place
            if other.has_subnet_of(address):
                if other.local == address.local:
                    raise os_error(EEXIST)
                if other.scope != address.scope:
                    raise (
                        os_error(EINVAL)
                        if request is None
                        else self.refuse(request, EINVAL, "Invalid scope value")
                    )
                address.flags |= ia.IFA_F_SECONDARY
        data.addresses.insert(len(data.addresses) if address.is_secondary else last_primary, address)
        self.watch(address)
        self._up(address, request)

    def _up(self, address: Address4, request: Request | None) -> None:
        self.count_change(address.device.net)
        self.announce(rt.RTM_NEWADDR, address, request)
        self._routes.address_up(address)

    def _down(self, data: InDevice, address: Address4, request: Request | None) -> None:
        self.unwatch(address)
        data.addresses.remove(address)
        self.count_change(address.device.net)
        self.announce(rt.RTM_DELADDR, address, request)
        self._routes.address_down(address)

    def _delete(self, data: InDevice, address: Address4, request: Request | None = None) -> None:
        """Delete an address (`__inet_del_ifa()`). If it is a primary address, also delete its secondary
        addresses. If the setting `promote_secondaries` is on, make the first secondary address the primary
        address instead.

        A promoted address is inserted after the last primary address of its scope.
        """
        place = data.addresses.index(address)
        dependents: list[Address4] = []
        if not data.dead and not address.is_secondary:
            later = data.addresses[place + 1 :]
            dependents = [each for each in later if each.is_secondary and address.has_subnet_of(each)]
        promotes = bool(data.conf.get(PROMOTE_SECONDARIES))
        for each in dependents:
            if promotes:
                self._routes.delete_routes(each, address)
            else:
                self._down(data, each, request)
        self._down(data, address, request)
        if promotes and dependents:
            promoted = dependents.pop(0)
            between = data.addresses[place : data.addresses.index(promoted)]
            data.addresses.remove(promoted)
            primaries = [
                at
                for at, each in enumerate(between, place + 1)
                if not each.is_secondary and address.scope <= each.scope
            ]
            data.addresses.insert(max(primaries, default=place), promoted)
            promoted.flags &= ~ia.IFA_F_SECONDARY
            self._up(promoted, request)
            for each in dependents:
                self._routes.add_routes(each)

    # -- requests -----------------------------------------------------------------

    def addresses(self, device: NetDevice) -> Sequence[Address4]:
        data = in_device(device)
        return () if data is None else data.addresses

    def pack(self, address: Address4) -> bytes:
        parts = (
            put(ia.IFA_ADDRESS, address.address, BE32),
            put(ia.IFA_LOCAL, address.local, BE32),
            put(ia.IFA_BROADCAST, address.broadcast, BE32),
            attribute(ia.IFA_LABEL, address.label + b"\0") if address.label else b"",
            put(ia.IFA_PROTO, address.proto, U8),
            attribute(ia.IFA_FLAGS, U32.pack(address.flags)),
            put(ia.IFA_RT_PRIORITY, address.priority),
            self.cacheinfo(address),
        )
        return b"".join(parts)

    def set_lifetimes(self, address: Address4, preferred: int, valid: int) -> None:
        """Set the lifetimes of an IPv4 address in seconds. A permanent address gets an infinite preferred
        lifetime.
        """
        super().set_lifetimes(address, preferred, valid)
        if valid == ia.INFINITY_LIFE_TIME:
            address.preferred = valid

    def ifconf(self, net: Net) -> list[bytes]:
        """Return the entries of SIOCGIFCONF, one `struct ifreq` for each address (`inet_gifconf()`)."""
        return [
            IFREQ.pack(address.label, AF_INET, BE32.pack(address.local))
            for device in net.devices.values()
            for address in self.addresses(device)
        ]

    def remove(self, address: Address4) -> None:
        self._delete(IN_DEVICE.of(address.device), address)

    def new(self, request: Request) -> None:
        """Add or change an address (`inet_rtm_newaddr()`).

        Raises EINVAL, ENODEV, EEXIST, or ENOBUFS if IPv4 is disabled on the device.
        """
        values = self.parse(request)
        head = header(request)
        if head.prefixlen > self.max_prefixlen:
            raise self.refuse(request, EINVAL, "Invalid prefix length")
        if ia.IFA_LOCAL not in values:
            raise self.refuse(request, EINVAL, "Local address is not supplied")
        lifetimes = self.lifetimes(request, values)
        local = _number(values[ia.IFA_LOCAL])
        if not local:
            return
        device = self.device(request)
        data = in_device(device)
        if data is None:
            raise os_error(ENOBUFS)
        address = Address4(
            **self.fields(request, values),
            scope=head.scope,
            local=local,
            address=_number(values.get(ia.IFA_ADDRESS, values[ia.IFA_LOCAL])),
            broadcast=_number(values.get(ia.IFA_BROADCAST, b"")),
            label=values.get(ia.IFA_LABEL, _name(device)).partition(b"\0")[0],
        )
        for each in data.addresses:
            if each.local == local and each.has_subnet_of(address):
                self.check_replaces(request, "Address already assigned")
                self._change(each, address, lifetimes, request)
                return
        self.set_lifetimes(address, *lifetimes)
        if address.flags & ia.IFA_F_MCAUTOJOIN:
            self.join(request, data.joined, address.address, multicast=address.address >> 28 == MULTICAST)
        self._insert(data, address, request)

    def _change(self, address: Address4, new: Address4, lifetimes: tuple[int, int], request: Request) -> None:
        if address.priority != new.priority:
            self._routes.change_metric(address, new.priority)
            address.priority = new.priority
        address.proto = new.proto
        self.set_lifetimes(address, *lifetimes)
        self.watch(address)
        self.announce(rt.RTM_NEWADDR, address, request)

    def delete(self, request: Request) -> None:
        """Delete the first address that matches all attributes (`inet_rtm_deladdr()`).

        Raises ENODEV, EADDRNOTAVAIL.
        """
        values = self.parse(request)
        data = in_device(self.device(request))
        if data is None:
            raise self.refuse(request, ENODEV, self.no_device)
        label = values.get(ia.IFA_LABEL, b"").rstrip(b"\0")
        prefixlen = header(request).prefixlen
        for address in data.addresses:
            if (
                (ia.IFA_LOCAL not in values or address.local == _number(values[ia.IFA_LOCAL]))
                and (ia.IFA_LABEL not in values or address.label == label)
                and (ia.IFA_ADDRESS not in values or address.prefixlen == prefixlen)
                and (ia.IFA_ADDRESS not in values or address.contains(_number(values[ia.IFA_ADDRESS])))
            ):
                data.joined.discard(address.address)
                self._delete(data, address, request)
                return
        raise self.refuse(request, EADDRNOTAVAIL, "Address not found")


def _name(device: NetDevice) -> bytes:
    return device.name.encode("utf-8", "surrogateescape")


def _number(value: bytes) -> int:
    """Return an address in network byte order as a number. Bytes after the fourth are ignored."""
    return int.from_bytes(value[: BE32.size])
