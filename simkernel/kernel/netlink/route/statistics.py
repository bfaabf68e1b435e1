"""RTM_GETSTATS and RTM_SETSTATS: link statistics, all 0 because simkernel models no packets (rtnetlink.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import STRICT, validator
from simkernel.kernel.netlink.route.link_fill import STATS64_SIZE
from simkernel.kernel.netlink.route.parse import attributes, has_header, number, refuse
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EINVAL, ENODEV, EOPNOTSUPP, os_error
from simkernel.uapi.if_link import IfStatsMsg
from simkernel.uapi.netlink import NLA_F_NESTED, NLM_F_MULTI, NLMSG_HDRLEN, attribute, message
from simkernel.uapi.socket import AF_UNSPEC
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable, Validation


def bit(type: int) -> int:
    """Return the bit of an attribute type in a filter mask (IFLA_STATS_FILTER_BIT())."""
    return 1 << (type - 1)


ALL: Final = bit(il.IFLA_STATS_MAX + 1) - 1
VALID: Final = (1 << (il.IFLA_OFFLOAD_XSTATS_L3_STATS + 1)) - 1
"""Bits that a filter mask may have: bits 0 to 2 for three attributes, and bit 3, which is unused
(RTNL_STATS_OFFLOAD_XSTATS_VALID).
"""

_NONE = AttributePolicy()
FILTERS_POLICY: Final = PolicyTable(
    "statistics filters",
    (*(_NONE,) * 4, AttributePolicy(NlaType.U32, Validation.MASK, mask=VALID), _NONE),
)
"""Policy of the filters in a request (rtnl_stats_get_policy_filters)."""
GET_POLICY: Final = PolicyTable(
    "statistics", (_NONE, AttributePolicy(NlaType.NESTED, nested=FILTERS_POLICY), _NONE)
)
"""Policy of the attributes of RTM_GETSTATS (rtnl_stats_get_policy)."""
SET_POLICY: Final = PolicyTable(
    "statistics to keep", (_NONE, _NONE, AttributePolicy(NlaType.U8, Validation.MAX, maximum=1))
)
"""Policy of the attributes of RTM_SETSTATS (ifla_stats_set_policy)."""


def _offloaded() -> bytes:
    """Return the attribute IFLA_OFFLOAD_XSTATS_HW_S_INFO, which says that hardware statistics are neither
    requested nor used.
    """
    asked = attribute(il.IFLA_OFFLOAD_XSTATS_HW_S_INFO_REQUEST, bytes(1))
    used = attribute(il.IFLA_OFFLOAD_XSTATS_HW_S_INFO_USED, bytes(1))
    kept = attribute(il.IFLA_OFFLOAD_XSTATS_L3_STATS | NLA_F_NESTED, asked + used)
    return attribute(il.IFLA_OFFLOAD_XSTATS_HW_S_INFO | NLA_F_NESTED, kept)


STATISTICS: Final = {
    il.IFLA_STATS_LINK_64: attribute(il.IFLA_STATS_LINK_64, bytes(STATS64_SIZE)),
    il.IFLA_STATS_LINK_OFFLOAD_XSTATS: attribute(il.IFLA_STATS_LINK_OFFLOAD_XSTATS, _offloaded()),
    il.IFLA_STATS_AF_SPEC: attribute(il.IFLA_STATS_AF_SPEC),
}
"""Statistics attributes of every device, by type (`rtnl_fill_statsinfo()`)."""


def header(request: Request) -> IfStatsMsg:
    """Return the if_stats_msg header of a request. The header must be complete."""
    return IfStatsMsg.unpack(request.data, request.start + NLMSG_HDRLEN)


def _check(request: Request, *, strict: bool, dumps: bool) -> IfStatsMsg:
    """Return the header of a request. Raises EINVAL if the header is invalid (`rtnl_valid_stats_req()`)."""
    if not has_header(request, IfStatsMsg):
        raise refuse(request, EINVAL, "Invalid header for stats dump")
    head = header(request)
    if strict:
        if head.pad1 or head.pad2 or (dumps and head.index):
            raise refuse(request, EINVAL, "Invalid values in header for stats dump request")
        if head.filter_mask > ALL:
            raise refuse(request, EINVAL, "Invalid stats requested through filter mask")
    return head


def _device(request: Request, index: int) -> None:
    if not index:
        raise os_error(EINVAL)
    if index not in request.net.devices:
        raise os_error(ENODEV)


class Statistics:
    """Handlers of RTM_GETSTATS and RTM_SETSTATS."""

    def __init__(self, unmodelled: Callable[[str, int], Exception]) -> None:
        self._unmodelled = unmodelled

    def get(self, request: Request) -> None:
        """Answer a request with the statistics of one link (`rtnl_stats_get()`). Raise EINVAL or ERANGE if
        the request is invalid, and ENODEV if the link does not exist.
        """
        head = _check(request, strict=request.strict, dumps=False)
        _device(request, head.index)
        body = self._body(request, head, head.index, "get")
        request.sock.send(message(rt.RTM_NEWSTATS, body, seq=request.seq, pid=request.portid), request.portid)

    def dump(self, writer: MessageWriter, callback: DumpCallback) -> bool:
        """Dump the statistics of all links (`rtnl_stats_dump()`)."""
        request = callback.request
        head = _check(request, strict=callback.strict, dumps=True)
        last = callback.context or 0
        for index in sorted(request.net.devices):
            if index > last:
                body = self._body(request, head, index, "dump")
                flags = NLM_F_MULTI
                data = message(rt.RTM_NEWSTATS, body, flags=flags, seq=request.seq, pid=request.portid)
                writer.append(data)
                callback.context = index
        return False

    def _body(self, request: Request, head: IfStatsMsg, index: int, what: str) -> bytes:
        """Return the header and the statistics attributes of one link (`rtnl_stats_get_parse()`,
        `rtnl_fill_statsinfo()`).
        """
        mask = head.filter_mask
        if not mask:
            raise refuse(request, EINVAL, f"Filter mask must be set for stats {what}")
        self._check_filters(request, mask)
        parts = {type: part for type, part in STATISTICS.items() if mask & bit(type)}
        device = request.net.devices[index]
        kinds = {il.IFLA_STATS_LINK_XSTATS: device, il.IFLA_STATS_LINK_XSTATS_SLAVE: device.master}
        for type, each in kinds.items():
            fill = None if each is None or each.link_ops is None else each.link_ops.fill_xstats
            if mask & bit(type) and fill is not None:
                parts[type] = attribute(type, fill(each is not device))
        head = IfStatsMsg(index=index, filter_mask=mask)
        return head.pack() + b"".join(parts[type] for type in sorted(parts))

    def _check_filters(self, request: Request, mask: int) -> None:
        """Check the filters of a request (`rtnl_stats_get_parse_filters()`). Raise EINVAL or ERANGE if a
        filter is invalid.
        """
        found = attributes(request, IfStatsMsg.SIZE, GET_POLICY, STRICT)
        if il.IFLA_STATS_GET_FILTERS not in found:
            return
        filters = validator(FILTERS_POLICY, STRICT).parse(request, *found[il.IFLA_STATS_GET_FILTERS])
        for type in sorted(filters):
            if not mask & bit(type):
                raise refuse(request, EINVAL, "Filtered attribute not enabled in filter_mask")
            if not number(request, filters, type) & bit(il.IFLA_OFFLOAD_XSTATS_HW_S_INFO):
                raise self._unmodelled(
                    "a statistics filter without IFLA_OFFLOAD_XSTATS_HW_S_INFO is not modelled", EOPNOTSUPP
                )

    def set(self, request: Request) -> None:
        """Check a request to enable hardware statistics, which are not modelled (`rtnl_stats_set()`).

        Raise EINVAL or ERANGE if the request is invalid, and ENODEV if the link does not exist.
        """
        head = _check(request, strict=request.strict, dumps=False)
        if head.family != AF_UNSPEC:
            raise refuse(request, EINVAL, "Address family should be AF_UNSPEC")
        _device(request, head.index)
        if head.filter_mask:
            raise refuse(request, EINVAL, "Filter mask must be 0 for stats set")
        found = attributes(request, IfStatsMsg.SIZE, SET_POLICY, STRICT)
        if il.IFLA_STATS_SET_OFFLOAD_XSTATS_L3_STATS in found:
            raise self._unmodelled("hardware statistics of a device are not modelled", EOPNOTSUPP)
