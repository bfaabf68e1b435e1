"""RTM_GETROUTE: the way to an address, which there is none to while the only link is down.

So all questions end in ENETUNREACH, or earlier.  Sources: `inet_rtm_getroute()` of net/ipv4/route.c,
`inet6_rtm_getroute()` of net/ipv6/route.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT, LIBERAL, Found
from simkernel.kernel.netlink.route.parse import attributes, has_header, number, refuse
from simkernel.kernel.netlink.route.routes import IN6_ADDR_SIZE, IPV4_POLICY, IPV6_POLICY, header
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EINVAL, ENETUNREACH, ENODEV, EOPNOTSUPP, os_error
from simkernel.uapi.netlink import NLA_HDRLEN
from simkernel.uapi.rtnetlink import RtMsg
from simkernel.uapi.structure import BE32
from simkernel.ynl.policy import PolicyTable

ASKED: Final = frozenset(
    {
        rt.RTA_DST,
        rt.RTA_SRC,
        rt.RTA_IIF,
        rt.RTA_OIF,
        rt.RTA_MARK,
        rt.RTA_UID,
        rt.RTA_IP_PROTO,
        rt.RTA_SPORT,
        rt.RTA_DPORT,
    }
)
"""What the strict take in the question for a way."""


MULTICAST: Final = 224
"""IPv4 addresses that begin with this, or one of the 15 after it, are groups."""
BROADCAST: Final = 0xFFFFFFFF
FLOW_LABEL_BITS: Final = 20


@attrs.frozen
class Question:
    """What one protocol lets one ask, and how it says no.

    `name` is what its texts begin with, `kind` what they call the request; an address has `bits`.
    """

    name: str
    kind: str
    version: str
    bits: int
    policies: PolicyTable
    flags: int
    wrong_flags: str
    attributes: frozenset[int]

    def parse(self, request: Request) -> Found:
        """`inet_rtm_valid_getroute_req()` and its IPv6 twin."""
        if not has_header(request, RtMsg):
            raise self._refuse(request, f"Invalid header for {self.kind} request")
        if not request.strict:
            return attributes(request, RtMsg.SIZE, self.policies, LIBERAL)
        head = header(request)
        more = head.table or head.protocol or head.scope or head.type
        if more or head.src_len not in (0, self.bits) or head.dst_len not in (0, self.bits):
            raise self._refuse(request, f"Invalid values in header for {self.kind} request")
        if head.flags & ~self.flags:
            raise self._refuse(request, self.wrong_flags)
        found = attributes(request, RtMsg.SIZE, self.policies, DEPRECATED_STRICT)
        if (rt.RTA_SRC in found and not head.src_len) or (rt.RTA_DST in found and not head.dst_len):
            text = f"rtm_src_len and rtm_dst_len must be {self.bits} for {self.version}"
            raise self._refuse(request, text)
        if rt.RTA_FLOWLABEL in self.attributes:
            _check_flow_label(request, found)
        if not found.keys() <= self.attributes:
            raise self._refuse(request, f"Unsupported attribute in {self.kind} request")
        return found

    def _refuse(self, request: Request, text: str) -> OSError:
        return refuse(request, EINVAL, f"{self.name}: {text}")


def _check_flow_label(request: Request, found: Found) -> None:
    place = found.get(rt.RTA_FLOWLABEL)
    if place is not None and BE32.unpack_from(request.data, place[0])[0] >> FLOW_LABEL_BITS:
        request.extack.attribute(place[0] - NLA_HDRLEN - request.start, "Invalid flow label")
        raise os_error(EINVAL)


IPV4: Final = Question(
    "ipv4",
    "route get",
    "IPv4",
    32,
    IPV4_POLICY,
    rt.RTM_F_NOTIFY | rt.RTM_F_LOOKUP_TABLE | rt.RTM_F_FIB_MATCH,
    "Unsupported rtm_flags for route get request",
    ASKED,
)
IPV6: Final = Question(
    "ipv6",
    "get route",
    "IPv6",
    128,
    IPV6_POLICY,
    rt.RTM_F_FIB_MATCH,
    "Invalid flags for get route request",
    ASKED | {rt.RTA_FLOWLABEL},
)


class RouteQueries:
    """Handlers of RTM_GETROUTE."""

    def __init__(self, unmodelled: Callable[[str, int], Exception]) -> None:
        self._unmodelled = unmodelled

    def ipv4(self, request: Request) -> None:
        """ENETUNREACH; EINVAL from what is no one's address, ENODEV over a link that is not there."""
        found = IPV4.parse(request)
        if rt.RTA_IP_PROTO in found or rt.RTA_IIF in found:
            raise self._unmodelled("the route of what comes in, or of one protocol", EOPNOTSUPP)
        source = number(request, found, rt.RTA_SRC)
        if source:
            raise os_error(EINVAL if _is_no_source(source & 0xFF, source) else ENETUNREACH)
        link = number(request, found, rt.RTA_OIF)
        if link:
            raise os_error(ENETUNREACH if link in request.net.devices else ENODEV)
        if not number(request, found, rt.RTA_DST):
            raise self._unmodelled("the route to oneself", EOPNOTSUPP)
        raise os_error(ENETUNREACH)

    def ipv6(self, request: Request) -> None:
        """ENETUNREACH; EINVAL for addresses that are too short, ENODEV for a link that is not there."""
        found = IPV6.parse(request)
        for type in (rt.RTA_SRC, rt.RTA_DST):
            first, last = found.get(type, (0, IN6_ADDR_SIZE))
            if last - first < IN6_ADDR_SIZE:
                raise os_error(EINVAL)
        if rt.RTA_IP_PROTO in found:
            raise self._unmodelled("the route of one protocol", EOPNOTSUPP)
        link = number(request, found, rt.RTA_IIF)
        if link and link not in request.net.devices:
            raise os_error(ENODEV)
        raise os_error(ENETUNREACH)


def _is_no_source(first: int, address: int) -> bool:
    """Whether an IPv4 address is none that one sends from: in 0/8, of a group, or everybody's.

    `first` is its first byte.
    """
    return first == 0 or MULTICAST <= first < MULTICAST + 16 or address == BROADCAST
