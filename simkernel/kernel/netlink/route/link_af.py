"""IPv4 and IPv6 settings in IFLA_AF_SPEC of a link request.

Sources: `inet_validate_link_af()` and `inet_set_link_af()` of net/ipv4/devinet.c,
`inet6_validate_link_af()` and `inet6_set_link_af()` of net/ipv6/addrconf.c.
"""

from __future__ import annotations

from typing import Final

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.netlink.route import inet
from simkernel.kernel.netlink.route.address6 import InterfaceAddresses
from simkernel.kernel.netlink.route.link_request import LinkRequest, Place
from simkernel.kernel.netlink.route.parse import NESTED_POLICY, U8_POLICY, at_least, refuse
from simkernel.uapi.errno import EAFNOSUPPORT, EINVAL, os_error
from simkernel.uapi.if_link import IFF_LOOPBACK, IFF_NOARP
from simkernel.uapi.netlink import NLA_TYPE_MASK, locate_attributes
from simkernel.uapi.socket import AF_INET
from simkernel.uapi.structure import S32
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable

TOKEN_SIZE: Final = 16
INET_POLICY: Final = PolicyTable("inet", (AttributePolicy(), NESTED_POLICY))
_RA_MTU: Final = AttributePolicy(NlaType.REJECT, reject_message="IFLA_INET6_RA_MTU can not be set")
_UNCHECKED: Final = (AttributePolicy(),) * inet.IFLA_INET6_TOKEN
INET6_POLICY: Final = PolicyTable("inet6", (*_UNCHECKED, at_least(TOKEN_SIZE), U8_POLICY, _RA_MTU))
"""Policies of the IPv4 and IPv6 settings in IFLA_AF_SPEC (inet_af_policy, inet6_af_policy)."""


def set_ipv4(device: NetDevice, link: LinkRequest, place: Place, *, check: bool) -> None:
    """Check the IPv4 settings in a link request, or apply them if `check` is False.

    Raise EINVAL or ERANGE if a setting is invalid, and EAFNOSUPPORT if IPv4 is disabled on the device or the
    device is not registered.
    """
    target = inet.in_device(device) if device.registered else None
    if target is None:
        raise os_error(EAFNOSUPPORT)
    data = link.request.data
    nest = link.nest(place, INET_POLICY).get(inet.IFLA_INET_CONF, (0, 0))
    for type, first, last in locate_attributes(data, *nest)[0]:
        setting = (type & NLA_TYPE_MASK) - 1
        if last - first < S32.size or not 0 <= setting < inet.IPV4_CONF_LENGTH:
            raise os_error(EINVAL)
        if not check:
            target.conf[setting] = S32.unpack_from(data, first)[0]


def set_ipv6(
    ipv6: InterfaceAddresses, device: NetDevice, link: LinkRequest, place: Place, *, check: bool
) -> None:
    """Check the IPv6 settings in a link request, or apply them if `check` is False.

    Raise EINVAL or ERANGE if a setting is invalid, and EAFNOSUPPORT if IPv6 is disabled on the device or the
    device is not registered.
    """
    target = inet.inet6_device(device) if device.registered else None
    if target is None:
        raise os_error(EAFNOSUPPORT)
    values = link.payloads(link.nest(place, INET6_POLICY))
    mode, token = values.get(inet.IFLA_INET6_ADDR_GEN_MODE), values.get(inet.IFLA_INET6_TOKEN)
    if check:
        allowed = (inet.EUI64, inet.NONE, inet.RANDOM, inet.STABLE_PRIVACY)[: 4 if target.interface_id else 3]
        if (mode is None and token is None) or (mode is not None and mode[0] not in allowed):
            raise os_error(EINVAL)
        return
    if token is not None:
        if device.flags & (IFF_LOOPBACK | IFF_NOARP):
            reason = "is loopback" if device.is_loopback else "does not do neighbour discovery"
            raise refuse(link.request, EINVAL, f"ipv6: Device {reason}")
        ipv6.set_token(device, target, token[:TOKEN_SIZE])
    if mode is not None:
        target.conf[inet.ADDR_GEN_MODE] = mode[0]


def set_family(
    ipv6: InterfaceAddresses, family: int, device: NetDevice, link: LinkRequest, place: Place, check: bool
) -> None:
    """Check the settings of an address family in a link request, or apply them if `check` is False."""
    if family == AF_INET:
        set_ipv4(device, link, place, check=check)
    else:
        set_ipv6(ipv6, device, link, place, check=check)
