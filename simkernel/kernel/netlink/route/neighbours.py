"""RTM_..NEIGH: lo has no neighbours (net/core/neighbour.c).  What would make one is not modelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT, LIBERAL, Found
from simkernel.kernel.netlink.route.parse import (
    NESTED_POLICY,
    U8_POLICY,
    U16_POLICY,
    U32_POLICY,
    at_least,
    attributes,
    has_header,
    refuse,
)
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import neighbour as nb
from simkernel.uapi.errno import EAFNOSUPPORT, EINVAL, ENODEV, ENOENT, EOPNOTSUPP, os_error
from simkernel.uapi.neighbour import NdMsg
from simkernel.uapi.netlink import NLA_TYPE_MASK, NLM_F_CREATE, NLMSG_HDRLEN, locate_attributes
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable, Validation

MAX_ADDR_LEN: Final = 32
CACHEINFO_SIZE: Final = 16
NTF_EXT_MASK: Final = 0b101
"""NTF_EXT_MANAGED and NTF_EXT_EXT_VALIDATED; NTF_EXT_LOCKED is for bridges."""
ADDRESS_SIZES: Final = {AF_INET: 4, AF_INET6: 16}
"""The tables of neighbours, and how long an address in them is (arp_tbl, nd_tbl)."""
LO_ADDRESS_SIZE: Final = 6

_POLICIES: Final[dict[int, AttributePolicy]] = {
    nb.NDA_DST: AttributePolicy(NlaType.BINARY, length=MAX_ADDR_LEN),
    nb.NDA_LLADDR: AttributePolicy(NlaType.BINARY, length=MAX_ADDR_LEN),
    nb.NDA_CACHEINFO: at_least(CACHEINFO_SIZE),
    nb.NDA_PROBES: U32_POLICY,
    nb.NDA_VLAN: U16_POLICY,
    nb.NDA_PORT: U16_POLICY,
    nb.NDA_VNI: U32_POLICY,
    nb.NDA_IFINDEX: U32_POLICY,
    nb.NDA_MASTER: U32_POLICY,
    nb.NDA_PROTOCOL: U8_POLICY,
    nb.NDA_NH_ID: U32_POLICY,
    nb.NDA_FLAGS_EXT: AttributePolicy(NlaType.U32, Validation.MASK, mask=NTF_EXT_MASK),
    nb.NDA_FDB_EXT_ATTRS: NESTED_POLICY,
}
NEIGHBOUR_POLICY: Final = PolicyTable(
    "neighbour",
    tuple(_POLICIES.get(type, AttributePolicy()) for type in range(nb.NDA_MAX + 1)),
    strict_start_type=nb.NDA_NH_ID,
)
"""nda_policy"""


def header(request: Request) -> NdMsg:
    """The ndmsg of a request that has one."""
    return NdMsg.unpack(request.data, request.start + NLMSG_HDRLEN)


def dump(writer: MessageWriter, callback: DumpCallback) -> bool:
    """All neighbours (`neigh_dump_info()`): what is wrong with the request stops only the strict."""
    request = callback.request
    try:
        if callback.strict:
            _check_dump_header(request)
        validate = DEPRECATED_STRICT if callback.strict else LIBERAL
        found = attributes(request, NdMsg.SIZE, NEIGHBOUR_POLICY, validate)
    except OSError:
        if callback.strict:
            raise
        return False
    if callback.strict and not found.keys() <= {nb.NDA_IFINDEX, nb.NDA_MASTER}:
        raise refuse(request, EINVAL, "Unsupported attribute in neighbor dump request")
    return False


def _check_dump_header(request: Request) -> None:
    """`neigh_valid_dump_req()`"""
    if not has_header(request, NdMsg):
        raise refuse(request, EINVAL, "Invalid header for neighbor dump request")
    head = header(request)
    if head.pad1 or head.pad2 or head.index or head.state or head.type:
        raise refuse(request, EINVAL, "Invalid values in header for neighbor dump request")
    if head.flags & ~nb.NTF_PROXY:
        raise refuse(request, EINVAL, "Invalid flags in header for neighbor dump request")


def get(request: Request) -> None:
    """One neighbour (`neigh_get()`), which is not there.  Everybody's question is checked strictly."""
    found = _parse_get(request)
    head = header(request)
    size = ADDRESS_SIZES.get(head.family)
    if size is None:
        text = "Unsupported family in header for neighbor get request"
        raise refuse(request, EAFNOSUPPORT, text)
    first, last = found[nb.NDA_DST]
    if last - first != size:
        raise refuse(request, EINVAL, "Invalid network address in neighbor get request")
    if head.index and head.index not in request.net.devices:
        raise refuse(request, ENODEV, "Unknown device ifindex")
    if head.flags & nb.NTF_PROXY:
        raise refuse(request, ENOENT, "Proxy neighbour entry not found")
    raise refuse(request, ENOENT, "Neighbour entry not found")


def _parse_get(request: Request) -> Found:
    """`neigh_valid_get_req()`"""
    if not has_header(request, NdMsg):
        raise refuse(request, EINVAL, "Invalid header for neighbor get request")
    head = header(request)
    if head.pad1 or head.pad2 or head.state or head.type:
        raise refuse(request, EINVAL, "Invalid values in header for neighbor get request")
    if head.flags & ~nb.NTF_PROXY:
        raise refuse(request, EINVAL, "Invalid flags in header for neighbor get request")
    if not head.flags and not head.index:
        raise refuse(request, EINVAL, "No device specified")
    found = attributes(request, NdMsg.SIZE, NEIGHBOUR_POLICY, DEPRECATED_STRICT)
    if nb.NDA_DST not in found:
        request.extack.missing_type = nb.NDA_DST
        raise os_error(EINVAL)
    if len(found) > 1:
        raise refuse(request, EINVAL, "Unsupported attribute in neighbor get request")
    return found


def delete(request: Request) -> None:
    """`neigh_delete()`: only the address is looked for among the attributes, and they are not checked."""
    if not has_header(request, NdMsg):
        raise os_error(EINVAL)
    start = request.start + NLMSG_HDRLEN + NdMsg.SIZE
    located, _ = locate_attributes(request.data, start, request.end)
    lengths = [last - first for type, first, last in located if type & NLA_TYPE_MASK == nb.NDA_DST]
    if not lengths:
        raise refuse(request, EINVAL, "Network address not specified")
    head = header(request)
    _check_device(request, head.index)
    _check_address(request, head.family, lengths[0])
    if not head.flags & nb.NTF_PROXY and not head.index:
        raise os_error(EINVAL)
    raise os_error(ENOENT)


def _check_device(request: Request, index: int) -> None:
    if index and index not in request.net.devices:
        raise os_error(ENODEV)


def _check_address(request: Request, family: int, length: int) -> None:
    size = ADDRESS_SIZES.get(family)
    if size is None:
        raise os_error(EAFNOSUPPORT)
    if length < size:
        raise refuse(request, EINVAL, "Invalid network address")


class NewNeighbour:
    """RTM_NEWNEIGH (`neigh_add()`)."""

    def __init__(self, unmodelled: Callable[[str, int], Exception]) -> None:
        self._unmodelled = unmodelled

    def __call__(self, request: Request) -> None:
        """EINVAL, ENODEV, EAFNOSUPPORT, and ENOENT for one that is to be changed."""
        found = attributes(request, NdMsg.SIZE, NEIGHBOUR_POLICY, LIBERAL)
        place = found.get(nb.NDA_DST)
        if place is None:
            raise refuse(request, EINVAL, "Network address not specified")
        head = header(request)
        _check_device(request, head.index)
        first, last = found.get(nb.NDA_LLADDR, (0, LO_ADDRESS_SIZE))
        if head.index and last - first < LO_ADDRESS_SIZE:
            raise refuse(request, EINVAL, "Invalid link address")
        _check_address(request, head.family, place[1] - place[0])
        if head.flags & nb.NTF_PROXY:
            raise self._unmodelled("a neighbour", EOPNOTSUPP)
        if not head.index:
            raise refuse(request, EINVAL, "Device not specified")
        if request.flags & NLM_F_CREATE:
            raise self._unmodelled("a neighbour", EOPNOTSUPP)
        raise os_error(ENOENT)
