"""RTM_..ADDR: a machine whose only link is down has no address (net/ipv4/devinet.c, net/ipv6/addrconf.c).

So there is nothing to tell, and much to refuse.  What would make an address is not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT, LIBERAL, Found
from simkernel.kernel.netlink.route.parse import (
    S32_POLICY,
    U8_POLICY,
    U32_POLICY,
    at_least,
    attributes,
    has_header,
    namespace,
    number,
    refuse,
    signed,
)
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import if_addr as ia
from simkernel.uapi.errno import EADDRNOTAVAIL, EINVAL, ENODEV, EOPNOTSUPP, os_error
from simkernel.uapi.if_link import IFNAMSIZ
from simkernel.uapi.netlink import NLM_F_DUMP_FILTERED, NLMSG_HDRLEN
from simkernel.uapi.rtnetlink import IfAddrMsg
from simkernel.uapi.structure import U32
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable

CACHEINFO_SIZE: Final = 16
"""`struct ifa_cacheinfo`: the preferred and the valid lifetime come first."""
IN6_ADDR_SIZE: Final = 16

_IPV4: Final[dict[int, AttributePolicy]] = {
    ia.IFA_ADDRESS: U32_POLICY,
    ia.IFA_LOCAL: U32_POLICY,
    ia.IFA_LABEL: AttributePolicy(NlaType.STRING, length=IFNAMSIZ - 1),
    ia.IFA_BROADCAST: U32_POLICY,
    ia.IFA_CACHEINFO: at_least(CACHEINFO_SIZE),
    ia.IFA_FLAGS: U32_POLICY,
    ia.IFA_RT_PRIORITY: U32_POLICY,
    ia.IFA_TARGET_NETNSID: S32_POLICY,
    ia.IFA_PROTO: U8_POLICY,
}
"""ifa_ipv4_policy"""
_IPV6: Final[dict[int, AttributePolicy]] = {
    ia.IFA_ADDRESS: at_least(IN6_ADDR_SIZE),
    ia.IFA_LOCAL: at_least(IN6_ADDR_SIZE),
    ia.IFA_CACHEINFO: at_least(CACHEINFO_SIZE),
    ia.IFA_FLAGS: at_least(U32.size),
    ia.IFA_RT_PRIORITY: at_least(U32.size),
    ia.IFA_TARGET_NETNSID: S32_POLICY,
    ia.IFA_PROTO: U8_POLICY,
}
"""ifa_ipv6_policy"""


def _table(name: str, policies: dict[int, AttributePolicy]) -> PolicyTable:
    return PolicyTable(name, tuple(policies.get(type, AttributePolicy()) for type in range(ia.IFA_MAX + 1)))


@attrs.frozen
class Protocol:
    """IPv4 or IPv6: how its texts begin, what attributes have to be, bits of the longest prefix."""

    name: str
    policies: PolicyTable
    longest: int


IPV4: Final = Protocol("ipv4", _table("ipv4 address", _IPV4), 32)
IPV6: Final = Protocol("ipv6", _table("ipv6 address", _IPV6), 128)

Unmodelled = Callable[[str, int], Exception]


def header(request: Request) -> IfAddrMsg:
    """The ifaddrmsg of a request that has one."""
    return IfAddrMsg.unpack(request.data, request.start + NLMSG_HDRLEN)


@attrs.frozen
class Addresses:
    """Handlers for the addresses of one protocol."""

    protocol: Protocol
    unmodelled: Unmodelled

    def _refuse(self, request: Request, error: int, text: str) -> OSError:
        return refuse(request, error, f"{self.protocol.name}: {text}")

    def _parse(self, request: Request, validate: int) -> Found:
        return attributes(request, IfAddrMsg.SIZE, self.protocol.policies, validate)

    # -- telling --------------------------------------------------------------

    def dump(self, writer: MessageWriter, callback: DumpCallback) -> bool:
        """All addresses (`inet_dump_ifaddr()`, `inet6_dump_addr()`); only the strict look at the request."""
        if callback.strict:
            self._check_dump(callback)
        return False

    def _check_dump(self, callback: DumpCallback) -> None:
        """`inet_valid_dump_ifaddr_req()` and its IPv6 twin; ENODEV for a link that is not there."""
        request = callback.request
        if not has_header(request, IfAddrMsg):
            raise self._refuse(request, EINVAL, "Invalid header for address dump request")
        head = header(request)
        if head.prefixlen or head.flags or head.scope:
            raise self._refuse(request, EINVAL, "Invalid values in header for address dump request")
        if head.index:
            callback.answer_flags |= NLM_F_DUMP_FILTERED
        net = self._target(request, self._parse(request, DEPRECATED_STRICT))
        if head.index and head.index not in net.devices:
            raise os_error(ENODEV)

    def _target(self, request: Request, found: Found) -> Net:
        """The namespace that is asked about, which is all that may be said of it."""
        net = request.net
        for type in sorted(found):
            if type != ia.IFA_TARGET_NETNSID:
                raise self._refuse(request, EINVAL, "Unsupported attribute in dump request")
            try:
                net = namespace(request, signed(request, found, type))
            except OSError as error:
                text = "Invalid target network namespace id"
                raise self._refuse(request, error.errno or EINVAL, text) from None
        return net

    def get(self, request: Request) -> None:
        """One address, which there is only for IPv6 (`inet6_rtm_getaddr()`).

        EINVAL without one, EADDRNOTAVAIL for one that nobody has.
        """
        found = self._parse_get(request)
        if ia.IFA_TARGET_NETNSID in found:
            namespace(request, signed(request, found, ia.IFA_TARGET_NETNSID))
        raise os_error(EADDRNOTAVAIL if _names_an_address(found) else EINVAL)

    def _parse_get(self, request: Request) -> Found:
        """`inet6_rtm_valid_getaddr_req()`"""
        if not has_header(request, IfAddrMsg):
            raise self._refuse(request, EINVAL, "Invalid header for get address request")
        if not request.strict:
            return self._parse(request, LIBERAL)
        head = header(request)
        if head.prefixlen or head.flags or head.scope:
            raise self._refuse(request, EINVAL, "Invalid values in header for get address request")
        found = self._parse(request, DEPRECATED_STRICT)
        if not found.keys() <= {ia.IFA_TARGET_NETNSID, ia.IFA_ADDRESS, ia.IFA_LOCAL}:
            raise self._refuse(request, EINVAL, "Unsupported attribute in get address request")
        return found


def _names_an_address(found: Found) -> bool:
    return ia.IFA_ADDRESS in found or ia.IFA_LOCAL in found


class Ipv4Addresses(Addresses):
    """What is changed of IPv4's."""

    def delete(self, request: Request) -> None:
        """`inet_rtm_deladdr()`: ENODEV, EADDRNOTAVAIL."""
        self._parse(request, LIBERAL)
        self._device(request)
        raise self._refuse(request, EADDRNOTAVAIL, "Address not found")

    def new(self, request: Request) -> None:
        """`inet_rtm_newaddr()` up to where there would be an address: EINVAL, ENODEV."""
        found = self._parse(request, LIBERAL)
        if header(request).prefixlen > self.protocol.longest:
            raise self._refuse(request, EINVAL, "Invalid prefix length")
        if ia.IFA_LOCAL not in found:
            raise self._refuse(request, EINVAL, "Local address is not supplied")
        if not _lifetime_is_valid(request, found):
            raise self._refuse(request, EINVAL, "address lifetime invalid")
        if not number(request, found, ia.IFA_LOCAL):
            return  # the address 0.0.0.0 is none, and that is fine
        self._device(request)
        raise self.unmodelled("an address for a network link", EOPNOTSUPP)

    def _device(self, request: Request) -> None:
        if header(request).index not in request.net.devices:
            raise self._refuse(request, ENODEV, "Device not found")


class Ipv6Addresses(Addresses):
    """What is changed of IPv6's."""

    def delete(self, request: Request) -> None:
        """`inet6_rtm_deladdr()`: EINVAL, ENODEV, EADDRNOTAVAIL."""
        found = self._parse(request, LIBERAL)
        if not _names_an_address(found):
            raise os_error(EINVAL)
        if header(request).prefixlen > self.protocol.longest:
            raise self._refuse(request, EINVAL, "Invalid prefix length")
        self._device(request)
        raise self._refuse(request, EADDRNOTAVAIL, "address not found")

    def new(self, request: Request) -> None:
        """`inet6_rtm_newaddr()` up to where there would be an address: EINVAL, ENODEV."""
        found = self._parse(request, LIBERAL)
        if not _names_an_address(found):
            raise os_error(EINVAL)
        if not _lifetime_is_valid(request, found):
            raise self._refuse(request, EINVAL, "address lifetime invalid")
        self._device(request)
        raise self.unmodelled("an address for a network link", EOPNOTSUPP)

    def _device(self, request: Request) -> None:
        if header(request).index not in request.net.devices:
            raise self._refuse(request, ENODEV, "Unable to find the interface")


def _lifetime_is_valid(request: Request, found: Found) -> bool:
    """An address that is preferred has to be valid, and a new one has to be valid for a while."""
    place = found.get(ia.IFA_CACHEINFO)
    if place is None:
        return True
    preferred, valid = (U32.unpack_from(request.data, place[0] + offset)[0] for offset in (0, U32.size))
    return bool(valid) and preferred <= valid
