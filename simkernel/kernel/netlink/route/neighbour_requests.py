"""Parsing of neighbour requests: header and attributes (net/core/neighbour.c)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT, LIBERAL, Found
from simkernel.kernel.netlink.route.inet import CENTISECOND
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
from simkernel.uapi import neighbour as nb
from simkernel.uapi.errno import (
    EAFNOSUPPORT,
    EINVAL,
    ENODEV,
    os_error,
)
from simkernel.uapi.neighbour import NdMsg
from simkernel.uapi.netlink import (
    NLMSG_HDRLEN,
)
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.uapi.structure import U32_MAX
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable, Validation

MAX_ADDR_LEN: Final = 32
CACHEINFO_SIZE: Final = 16
NTF_EXT_MASK: Final = 0b101
"""Valid bits of NDA_FLAGS_EXT: NTF_EXT_MANAGED, NTF_EXT_EXT_VALIDATED. NTF_EXT_LOCKED is only for bridges."""
ADDRESS_SIZES: Final = {AF_INET: 4, AF_INET6: 16}
"""Address size in bytes of each family that has a neighbour table (arp_tbl, nd_tbl)."""
CACHEINFO: Final = Struct("<4I")
"""Layout of struct nda_cacheinfo."""
STALE_AGE: Final = 60 * 100 * CENTISECOND
"""Initial age of a neighbour's last confirmation, in ns (twice BASE_REACHABLE_TIME).

The kernel stores the current time minus this age if it creates a neighbour, or if the hardware address of a
neighbour changes and the new address is not confirmed.
"""
NO_MASTER: Final = U32_MAX

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
"""Policy of the attributes of a neighbour request (nda_policy)."""


def header(request: Request) -> NdMsg:
    """Return the ndmsg header of a request, which must be complete."""
    return NdMsg.unpack(request.data, request.start + NLMSG_HDRLEN)


def passes_filter(device: NetDevice | None, index: int, master: int) -> bool:
    """Return True if a dump request selects `device`. The request contains the index of a device (`index`)
    and the index of a master (`master`). A value of 0 selects all devices.

    Sources: `neigh_ifindex_filtered()`, `neigh_master_filtered()`.
    """
    if index and (device is None or device.index != index):
        return False
    if not master:
        return True
    upper = None if device is None else device.master
    return upper is None if master == NO_MASTER else upper is not None and upper.index == master


def device_of(request: Request, index: int) -> NetDevice | None:
    """Return the device whose index is `index`, or None if `index` is 0. Raise ENODEV if it does not
    exist.
    """
    if index and index not in request.net.devices:
        raise os_error(ENODEV)
    return request.net.devices.get(index)


def key_of(request: Request, family: int, first: int, last: int) -> bytes:
    """Return the network address of a neighbour. Raise EAFNOSUPPORT if the family has no neighbour table, and
    EINVAL if the payload of NDA_DST is too short.
    """
    size = ADDRESS_SIZES.get(family)
    if size is None:
        raise os_error(EAFNOSUPPORT)
    if last - first < size:
        raise refuse(request, EINVAL, "Invalid network address")
    return bytes(request.data[first : first + size])


def parse_dump(request: Request, strict: bool) -> Found:
    """Parse a dump request (`neigh_valid_dump_req()`). If the request is invalid, raise an error if `strict`
    is True, else return an empty dict.
    """
    try:
        if strict:
            _check_dump_header(request)
        found = attributes(request, NdMsg.SIZE, NEIGHBOUR_POLICY, DEPRECATED_STRICT if strict else LIBERAL)
    except OSError:
        if strict:
            raise
        return {}
    if strict and not found.keys() <= {nb.NDA_IFINDEX, nb.NDA_MASTER}:
        raise refuse(request, EINVAL, "Unsupported attribute in neighbor dump request")
    return found


def _check_dump_header(request: Request) -> None:
    """Raise EINVAL if the header of a strict dump request is invalid (`neigh_valid_dump_req()`)."""
    if not has_header(request, NdMsg):
        raise refuse(request, EINVAL, "Invalid header for neighbor dump request")
    head = header(request)
    if head.pad1 or head.pad2 or head.index or head.state or head.type:
        raise refuse(request, EINVAL, "Invalid values in header for neighbor dump request")
    if head.flags & ~nb.NTF_PROXY:
        raise refuse(request, EINVAL, "Invalid flags in header for neighbor dump request")


def parse_get(request: Request) -> Found:
    """Parse a request for one neighbour (`neigh_valid_get_req()`). Raise EINVAL or ERANGE if the request is
    invalid.
    """
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
