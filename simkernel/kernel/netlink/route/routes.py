"""Dumps of routes: a machine whose only link is down has none (net/ipv4/fib_frontend.c, net/ipv6/route.c)."""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT
from simkernel.kernel.netlink.route.parse import (
    NESTED_POLICY,
    U8_POLICY,
    U16_POLICY,
    U32_POLICY,
    at_least,
    attributes,
    has_header,
    number,
    refuse,
)
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EINVAL, ENODEV, ENOENT, os_error
from simkernel.uapi.netlink import NLM_F_DUMP_FILTERED, NLMSG_HDRLEN
from simkernel.uapi.rtnetlink import RtMsg
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable

RTNEXTHOP_SIZE: Final = 8
IN6_ADDR_SIZE: Final = 16

_BOTH: Final[dict[int, AttributePolicy]] = {
    rt.RTA_IIF: U32_POLICY,
    rt.RTA_OIF: U32_POLICY,
    rt.RTA_PRIORITY: U32_POLICY,
    rt.RTA_METRICS: NESTED_POLICY,
    rt.RTA_MULTIPATH: at_least(RTNEXTHOP_SIZE),
    rt.RTA_TABLE: U32_POLICY,
    rt.RTA_MARK: U32_POLICY,
    rt.RTA_ENCAP_TYPE: U16_POLICY,
    rt.RTA_ENCAP: NESTED_POLICY,
    rt.RTA_UID: U32_POLICY,
    rt.RTA_IP_PROTO: U8_POLICY,
    rt.RTA_SPORT: U16_POLICY,
    rt.RTA_DPORT: U16_POLICY,
    rt.RTA_NH_ID: U32_POLICY,
}
_IPV4: Final = _BOTH | {
    rt.RTA_DST: U32_POLICY,
    rt.RTA_SRC: U32_POLICY,
    rt.RTA_GATEWAY: U32_POLICY,
    rt.RTA_PREFSRC: U32_POLICY,
    rt.RTA_FLOW: U32_POLICY,
}
"""rtm_ipv4_policy"""
_IPV6: Final = _BOTH | {
    rt.RTA_GATEWAY: at_least(IN6_ADDR_SIZE),
    rt.RTA_PREFSRC: at_least(IN6_ADDR_SIZE),
    rt.RTA_PREF: U8_POLICY,
    rt.RTA_EXPIRES: U32_POLICY,
    rt.RTA_FLOWLABEL: AttributePolicy(NlaType.BE32),
}
"""rtm_ipv6_policy"""


def _table(name: str, policies: dict[int, AttributePolicy]) -> PolicyTable:
    types = range(rt.RTA_MAX + 1)
    rows = tuple(policies.get(type, AttributePolicy()) for type in types)
    return PolicyTable(name, rows, strict_start_type=rt.RTA_DPORT + 1)


IPV4_POLICY: Final = _table("ipv4 route", _IPV4)
IPV6_POLICY: Final = _table("ipv6 route", _IPV6)


def header(request: Request) -> RtMsg:
    """The rtmsg of a request that has one."""
    return RtMsg.unpack(request.data, request.start + NLMSG_HDRLEN)


@attrs.frozen
class RouteDump:
    """An empty dump of one family's tables.

    `tables` are those that there are nevertheless; asking for another by its family is ENOENT and `lacks`.
    """

    family: int
    tables: frozenset[int]
    lacks: str

    def __call__(self, writer: MessageWriter, callback: DumpCallback) -> bool:
        """`inet_dump_fib()`, `inet6_dump_fib()` and those of multicast routing."""
        if not callback.strict:
            return False
        request = callback.request
        table, prefixes = _check_dump(callback)
        asked = request.data[request.start + NLMSG_HDRLEN] == self.family
        if self.family == AF_INET and prefixes:
            return False
        if table and table not in self.tables and asked:
            raise refuse(request, ENOENT, self.lacks)
        return False


def _check_dump(callback: DumpCallback) -> tuple[int, bool]:
    """`ip_valid_fib_dump_req()`: which table is wanted, if one is, and whether only prefixes are."""
    request = callback.request
    if not has_header(request, RtMsg):
        raise refuse(request, EINVAL, "Invalid header for FIB dump request")
    head = header(request)
    if head.dst_len or head.src_len or head.tos or head.scope:
        raise refuse(request, EINVAL, "Invalid values in header for FIB dump request")
    if head.flags & ~(rt.RTM_F_CLONED | rt.RTM_F_PREFIX):
        raise refuse(request, EINVAL, "Invalid flags for FIB dump request")
    found = attributes(request, RtMsg.SIZE, IPV4_POLICY, DEPRECATED_STRICT)
    table, device = head.table, False
    for type in sorted(found):
        if type == rt.RTA_TABLE:
            table = number(request, found, type)
        elif type == rt.RTA_OIF:
            device = True
            if number(request, found, type) not in request.net.devices:
                raise os_error(ENODEV)
        else:
            raise refuse(request, EINVAL, "Unsupported attribute in dump request")
    if head.flags or head.protocol or head.type or table or device:
        callback.answer_flags = NLM_F_DUMP_FILTERED
    return table, bool(head.flags & rt.RTM_F_PREFIX)


IPV4: Final = RouteDump(AF_INET, frozenset(), "ipv4: FIB table does not exist")
IPV6: Final = RouteDump(
    AF_INET6, frozenset({rt.RT_TABLE_MAIN, rt.RT_TABLE_LOCAL}), "ipv6: FIB table does not exist"
)
IPMR: Final = RouteDump(
    rt.RTNL_FAMILY_IPMR, frozenset({rt.RT_TABLE_DEFAULT}), "ipv4: MR table does not exist"
)
IP6MR: Final = RouteDump(rt.RTNL_FAMILY_IP6MR, frozenset({rt.RT_TABLE_MAIN}), "ipv6: MR table does not exist")
