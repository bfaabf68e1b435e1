"""Handlers of RTM_NEWADDR, RTM_DELADDR and RTM_GETADDR for IPv6 (net/ipv6/addrconf.c)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT
from simkernel.kernel.netlink.route import parse
from simkernel.kernel.netlink.route.address import Values, header, put, table
from simkernel.kernel.netlink.route.address6 import (
    ANY,
    IN6_ADDR_SIZE,
    LOOPBACK,
    MULTICAST,
    InterfaceAddresses,
    has_prefix_route,
)
from simkernel.kernel.netlink.route.inet import Address6, Inet6Device, inet6_device
from simkernel.uapi import if_addr as ia
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EADDRNOTAVAIL, EINVAL, ENXIO, os_error
from simkernel.uapi.netlink import NETLINK_ROUTE, attribute
from simkernel.uapi.socket import AF_INET6
from simkernel.uapi.structure import S32, U8, U32

SETTABLE_FLAGS: Final = (
    ia.IFA_F_NODAD
    | ia.IFA_F_HOMEADDRESS
    | ia.IFA_F_MANAGETEMPADDR
    | ia.IFA_F_NOPREFIXROUTE
    | ia.IFA_F_MCAUTOJOIN
)
"""Address flags that a request can set. The flag IFA_F_OPTIMISTIC is missing, because it needs the setting
`optimistic_dad`, which is off.
"""
KEPT_FLAGS: Final = ia.IFA_F_TENTATIVE | ia.IFA_F_DADFAILED | ia.IFA_F_MCAUTOJOIN | ia.IFA_F_STABLE_PRIVACY
TEMPORARY_PREFIXLEN: Final = 64


class Ipv6Addresses(InterfaceAddresses):
    """Handlers of the requests about IPv6 addresses of a machine."""

    name, family, max_prefixlen = "ipv6", AF_INET6, 128
    no_device = "Unable to find the interface"
    policies = table(
        "ipv6 address",
        {
            **dict.fromkeys((ia.IFA_ADDRESS, ia.IFA_LOCAL), parse.at_least(IN6_ADDR_SIZE)),
            **dict.fromkeys((ia.IFA_FLAGS, ia.IFA_RT_PRIORITY), parse.at_least(U32.size)),
        },
    )
    """Policies of the attributes of requests about IPv6 addresses (ifa_ipv6_policy)."""

    def pack(self, address: Address6) -> bytes:
        peer = b"" if address.peer == ANY else attribute(ia.IFA_ADDRESS, address.peer)
        parts = (
            attribute(ia.IFA_LOCAL if peer else ia.IFA_ADDRESS, address.address),
            peer,
            put(ia.IFA_RT_PRIORITY, address.priority),
            self.cacheinfo(address),
            attribute(ia.IFA_FLAGS, U32.pack(address.flags)),
            put(ia.IFA_PROTO, address.proto, U8),
        )
        return b"".join(parts)

    def new(self, request: Request) -> None:
        """Add or change an address (`inet6_rtm_newaddr()`).

        Raises EINVAL, ENODEV, EEXIST, or EADDRNOTAVAIL for an address that the device cannot have.
        """
        values = self.parse(request)
        value, peer = _extract(values)
        lifetimes = self.lifetimes(request, values)
        address = Address6(**self.fields(request, values), address=value, peer=peer)
        address.flags &= SETTABLE_FLAGS
        data = inet6_device(address.device)
        if data is None:
            raise os_error(EINVAL)
        self.set_lifetimes(address, *lifetimes)
        existing = self.find(request.net, value, address.device)
        if existing is not None:
            self.check_replaces(request, "address already assigned")
            self._modify(data, existing, address)
            self.watch(existing)
            return
        self._check_new(request, data, address)
        self.link(data, address)
        if not address.flags & ia.IFA_F_NOPREFIXROUTE:
            prefix = (value, address.prefixlen, address.priority, address.valid)
            self.routes.insert_prefix(address.device, *prefix)
        if not address.flags & ia.IFA_F_NODAD:
            self.announce(rt.RTM_NEWADDR, address)
        self.detection.start(address)
        self.watch(address)

    def _check_new(self, request: Request, data: Inet6Device, address: Address6) -> None:
        """Check a new address (`inet6_addr_add()`, `ipv6_add_addr()`). If the request has IFA_F_MCAUTOJOIN,
        join the multicast group.

        Raise EINVAL if the prefix length is invalid, or if the request has IFA_F_MCAUTOJOIN for a unicast
        address. Raise EADDRINUSE if the device is already in the multicast group. Raise EADDRNOTAVAIL if an
        address of this kind cannot be assigned to the device.
        """
        value, is_loopback = address.address, address.device.is_loopback
        multicast, joins = value[0] == MULTICAST, bool(address.flags & ia.IFA_F_MCAUTOJOIN)
        if address.prefixlen > self.max_prefixlen:
            raise self.refuse(request, EINVAL, "Invalid prefix length")
        if address.flags & ia.IFA_F_MANAGETEMPADDR and address.prefixlen != TEMPORARY_PREFIXLEN:
            text = 'address with "mngtmpaddr" flag must have a prefix length of 64'
            raise self.refuse(request, EINVAL, text)
        if not is_loopback:
            self.routes.insert_multicast(address.device)
        if joins:
            self.join(request, data.joined, value, multicast=multicast)
        checks = {
            "Invalid address": value == ANY,
            'Cannot assign multicast address without "IFA_F_MCAUTOJOIN" flag': multicast and not joins,
            "Cannot assign loopback address on this device": value == LOOPBACK and not is_loopback,
        }
        for text, fails in checks.items():
            if fails:
                raise self.refuse(request, EADDRNOTAVAIL, text)

    def _modify(self, data: Inet6Device, address: Address6, new: Address6) -> None:
        """Change flags, lifetimes and prefix routes of an address (`inet6_addr_modify()`)."""
        if new.flags & ia.IFA_F_MANAGETEMPADDR and address.prefixlen != TEMPORARY_PREFIXLEN:
            raise os_error(EINVAL)
        device, had_route = address.device, has_prefix_route(address)
        if new.peer not in (ANY, address.peer):
            if address.peer != ANY:
                self.routes.remove_prefix(device, address.peer, address.prefixlen)
            address.peer = new.peer
        address.flags = address.flags & KEPT_FLAGS | new.flags
        address.preferred, address.valid, address.updated = new.preferred, new.valid, new.updated
        address.proto, address.priority = new.proto, new.priority or address.priority
        if not address.flags & ia.IFA_F_TENTATIVE:
            self.announce(rt.RTM_NEWADDR, address)
        if new.flags & ia.IFA_F_NOPREFIXROUTE:
            if had_route:
                self.clean_prefix(data, address)
            return
        for prefix in (address.address, address.peer):
            route = (device, prefix, address.prefixlen, address.priority, address.valid)
            if prefix != ANY and not (had_route and self.routes.modify_prefix(*route)):
                self.routes.insert_prefix(*route)

    def delete(self, request: Request) -> None:
        """Delete an address (`inet6_rtm_deladdr()`).

        Raises EINVAL, ENODEV, EADDRNOTAVAIL, or ENXIO if IPv6 is disabled on the device.
        """
        value, _ = _extract(self.parse(request))
        prefixlen = header(request).prefixlen
        if prefixlen > self.max_prefixlen:
            raise self.refuse(request, EINVAL, "Invalid prefix length")
        data = inet6_device(self.device(request))
        if data is None:
            raise self.refuse(request, ENXIO, "IPv6 is disabled on this device")
        for address in data.addresses:
            if (address.address, address.prefixlen) == (value, prefixlen):
                data.joined.discard(value)
                self.remove(address)
                return
        raise self.refuse(request, EADDRNOTAVAIL, "address not found")

    def get(self, request: Request) -> None:
        """Answer a request with the message about one address (`inet6_rtm_getaddr()`).

        It is sent to the requester's port id in the namespace that the request names. Raises EINVAL, or
        EADDRNOTAVAIL if no device has the address.
        """
        values = self._parse_get(request)
        net, nsid = request.net, None
        if ia.IFA_TARGET_NETNSID in values:
            nsid = S32.unpack_from(values[ia.IFA_TARGET_NETNSID])[0]
            net = parse.namespace(request, nsid)
        address = self.find(net, _extract(values)[0], net.devices.get(header(request).index))
        if address is None:
            raise os_error(EADDRNOTAVAIL)
        reply = self.message(address, rt.RTM_NEWADDR, request, nsid=nsid)
        KERNEL_SOCKETS.of(net)[NETLINK_ROUTE].send(reply, request.portid)

    def _parse_get(self, request: Request) -> Values:
        """Parse a request for one address (`inet6_rtm_valid_getaddr_req()`). Raise EINVAL if the header or an
        attribute is invalid.
        """
        if not parse.has_header(request, rt.IfAddrMsg):
            raise self.refuse(request, EINVAL, "Invalid header for get address request")
        if not request.strict:
            return self.parse(request)
        head = header(request)
        if head.prefixlen or head.flags or head.scope:
            raise self.refuse(request, EINVAL, "Invalid values in header for get address request")
        values = self.parse(request, DEPRECATED_STRICT)
        if not values.keys() <= {ia.IFA_TARGET_NETNSID, ia.IFA_ADDRESS, ia.IFA_LOCAL}:
            raise self.refuse(request, EINVAL, "Unsupported attribute in get address request")
        return values


def _extract(values: Values) -> tuple[bytes, bytes]:
    """Return the address in a request and the address of the peer (`extract_addr()`). If the request has no
    peer, the second value is `::`.

    Raises EINVAL if the request has no address.
    """
    address, local = values.get(ia.IFA_ADDRESS), values.get(ia.IFA_LOCAL)
    if local is None and address is None:
        raise os_error(EINVAL)
    peer = ANY if local is None or address is None else address[:IN6_ADDR_SIZE]
    value = local or address or ANY
    return value[:IN6_ADDR_SIZE], ANY if peer == value else peer
