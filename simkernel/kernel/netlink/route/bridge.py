"""Links and neighbours as bridges have them (family AF_BRIDGE): lo is in none (net/core/rtnetlink.c)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT, LIBERAL, Found
from simkernel.kernel.netlink.route.link_policy import LINK_POLICY
from simkernel.kernel.netlink.route.neighbours import NEIGHBOUR_POLICY, header
from simkernel.kernel.netlink.route.parse import attributes, has_header, number, refuse
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi.errno import EINVAL, ENODEV, EOPNOTSUPP, os_error
from simkernel.uapi.neighbour import NdMsg
from simkernel.uapi.netlink import NLA_TYPE_MASK, NLM_F_BULK, NLMSG_HDRLEN, locate_attributes
from simkernel.uapi.rtnetlink import IfInfoMsg
from simkernel.uapi.structure import U16, U32
from simkernel.ynl.policy import AttributePolicy, PolicyTable

IFLA_BRIDGE_FLAGS: Final = 0
IFLA_BRIDGE_MODE: Final = 1
ETH_ALEN: Final = 6
VLAN_VID_MASK: Final = 0x0FFF

ANY_NEIGHBOUR: Final = PolicyTable("fdb", (AttributePolicy(),) * (nb.NDA_MAX + 1))
"""Attributes that nothing is known of (no policy, but a highest type)."""


# -- links ----------------------------------------------------------------------


def dump_links(writer: MessageWriter, callback: DumpCallback) -> bool:
    """The ports of bridges (`rtnl_bridge_getlink()`): none; only the strict hear what is wrong."""
    try:
        _check_links(callback)
    except OSError:
        if callback.strict:
            raise
    return False


def _check_links(callback: DumpCallback) -> None:
    """`valid_bridge_getlink_req()`"""
    request = callback.request
    if not callback.strict:
        attributes(request, IfInfoMsg.SIZE, LINK_POLICY, LIBERAL)
        return
    if not has_header(request, IfInfoMsg):
        raise refuse(request, EINVAL, "Invalid header for bridge link dump")
    start = request.start + NLMSG_HDRLEN
    head = IfInfoMsg.unpack(request.data, start)
    if request.data[start + 1] or head.type or head.flags or head.change or head.index:
        raise refuse(request, EINVAL, "Invalid values in header for bridge link dump request")
    found = attributes(request, IfInfoMsg.SIZE, LINK_POLICY, DEPRECATED_STRICT)
    if not found.keys() <= {il.IFLA_EXT_MASK}:
        raise refuse(request, EINVAL, "Unsupported attribute in bridge link dump request")


def change_link(request: Request) -> None:
    """`rtnl_bridge_setlink()`: EINVAL, ENODEV, EOPNOTSUPP for lo."""
    _change(request, (IFLA_BRIDGE_FLAGS, IFLA_BRIDGE_MODE))


def delete_link(request: Request) -> None:
    """`rtnl_bridge_dellink()`: the same, but nothing is said of a mode."""
    _change(request, (IFLA_BRIDGE_FLAGS,))


def _change(request: Request, numbers: tuple[int, ...]) -> None:
    """The attributes in IFLA_AF_SPEC that are `numbers` have to be long enough; others do not count."""
    if not has_header(request, IfInfoMsg):
        raise os_error(EINVAL)
    start = request.start + NLMSG_HDRLEN
    if IfInfoMsg.unpack(request.data, start).index not in request.net.devices:
        raise refuse(request, ENODEV, "unknown ifindex")
    located, _ = locate_attributes(request.data, start + IfInfoMsg.SIZE, request.end)
    specs = [(first, last) for type, first, last in located if type & NLA_TYPE_MASK == il.IFLA_AF_SPEC]
    if specs:
        inner, _ = locate_attributes(request.data, *specs[0])
        wanted = list(numbers)
        for type, first, last in inner:
            if type & NLA_TYPE_MASK in wanted:
                if last - first < U16.size:
                    raise os_error(EINVAL)
                if type & NLA_TYPE_MASK == IFLA_BRIDGE_FLAGS:
                    wanted.remove(IFLA_BRIDGE_FLAGS)
    raise os_error(EOPNOTSUPP)


# -- forwarding databases ---------------------------------------------------------


def dump_fdb(writer: MessageWriter, callback: DumpCallback) -> bool:
    """All entries (`rtnl_fdb_dump()`): none.  ENODEV for a bridge that is not there."""
    request = callback.request
    master = _check_fdb_dump(request) if callback.strict else _old_fdb_dump(request)
    if master and master not in request.net.devices:
        raise os_error(ENODEV)
    return False


def _check_fdb_dump(request: Request) -> int:
    """`valid_fdb_dump_strict()`: the bridge that is meant, 0 if none is."""
    if not has_header(request, NdMsg):
        raise refuse(request, EINVAL, "Invalid header for fdb dump request")
    head = header(request)
    if head.pad1 or head.pad2 or head.state or head.flags or head.type:
        raise refuse(request, EINVAL, "Invalid values in header for fdb dump request")
    found = attributes(request, NdMsg.SIZE, ANY_NEIGHBOUR, DEPRECATED_STRICT)
    names = {nb.NDA_IFINDEX: "IFINDEX", nb.NDA_MASTER: "MASTER"}
    for type in sorted(found):
        if type not in names:
            raise refuse(request, EINVAL, "Unsupported attribute in fdb dump request")
        if found[type][1] - found[type][0] != U32.size:
            raise refuse(request, EINVAL, f"Invalid {names[type]} attribute in fdb dump request")
    return number(request, found, nb.NDA_MASTER)


def _old_fdb_dump(request: Request) -> int:
    """`valid_fdb_dump_legacy()`: a request for links, unless it is as long as one for neighbours."""
    if request.length - NLMSG_HDRLEN in (NdMsg.SIZE, NdMsg.SIZE + 4 + U32.size):
        return 0
    try:
        found = attributes(request, IfInfoMsg.SIZE, LINK_POLICY, LIBERAL)
    except OSError:
        raise os_error(EINVAL) from None
    return number(request, found, il.IFLA_MASTER)


def get_fdb(request: Request) -> None:
    """One entry (`rtnl_fdb_get()`): EINVAL, ENODEV, and EOPNOTSUPP for lo."""
    found = _parse_get(request)
    head, devices = header(request), request.net.devices
    if nb.NDA_LLADDR not in found:
        raise refuse(request, EINVAL, "Missing lookup address for fdb get request")
    if head.index and head.index not in devices:
        raise refuse(request, ENODEV, "Unknown device ifindex")
    master = number(request, found, nb.NDA_MASTER)
    if master:
        if head.index:
            raise refuse(request, EINVAL, "Master and device are mutually exclusive")
        if master not in devices:
            raise refuse(request, EINVAL, "Invalid master ifindex")
    if head.index and (not head.flags or head.flags & nb.NTF_MASTER):
        raise refuse(request, EINVAL, "Device is not a bridge port")
    if not master and not head.index:
        raise refuse(request, ENODEV, "No device specified")
    raise refuse(request, EOPNOTSUPP, "Fdb get operation not supported by device")


def _parse_get(request: Request) -> Found:
    """`valid_fdb_get_strict()`"""
    if not has_header(request, NdMsg):
        raise refuse(request, EINVAL, "Invalid header for fdb get request")
    head = header(request)
    if head.pad1 or head.pad2 or head.state or head.type:
        raise refuse(request, EINVAL, "Invalid values in header for fdb get request")
    if head.flags & ~(nb.NTF_MASTER | nb.NTF_SELF):
        raise refuse(request, EINVAL, "Invalid flags in header for fdb get request")
    found = attributes(request, NdMsg.SIZE, NEIGHBOUR_POLICY, DEPRECATED_STRICT)
    for type in sorted(found):
        if type == nb.NDA_LLADDR:
            if found[type][1] - found[type][0] != ETH_ALEN:
                raise refuse(request, EINVAL, "Invalid address in fdb get request")
        elif type == nb.NDA_VLAN:
            _check_vlan(request, found)
        elif type not in (nb.NDA_MASTER, nb.NDA_VNI):
            raise refuse(request, EINVAL, "Unsupported attribute in fdb get request")
    return found


def _check_vlan(request: Request, found: Found) -> None:
    """`fdb_vid_parse()`"""
    first, last = found[nb.NDA_VLAN]
    if last - first != U16.size:
        raise refuse(request, EINVAL, "invalid vlan attribute size")
    if not 0 < U16.unpack_from(request.data, first)[0] < VLAN_VID_MASK:
        raise refuse(request, EINVAL, "invalid vlan id")


def add_fdb(request: Request) -> None:
    """`rtnl_fdb_add()`: EINVAL, ENODEV; lo is no Ethernet."""
    found = attributes(request, NdMsg.SIZE, ANY_NEIGHBOUR, LIBERAL)
    _check_device(request)
    _check_address(request, found)
    raise refuse(request, EINVAL, "FDB add only supported for Ethernet devices")


def delete_fdb(request: Request) -> None:
    """`rtnl_fdb_del()`: the same; of many at once no address is wanted (NLM_F_BULK)."""
    bulk = bool(request.flags & NLM_F_BULK)
    found = attributes(request, NdMsg.SIZE, ANY_NEIGHBOUR, DEPRECATED_STRICT if bulk else LIBERAL)
    _check_device(request)
    if not bulk:
        _check_address(request, found)
        if nb.NDA_VLAN in found:
            _check_vlan(request, found)
    raise refuse(request, EINVAL, "FDB delete only supported for Ethernet devices")


def _check_device(request: Request) -> None:
    index = header(request).index
    if not index:
        raise refuse(request, EINVAL, "invalid ifindex")
    if index not in request.net.devices:
        raise refuse(request, ENODEV, "unknown ifindex")


def _check_address(request: Request, found: Found) -> None:
    first, last = found.get(nb.NDA_LLADDR, (0, 0))
    if last - first != ETH_ALEN:
        raise refuse(request, EINVAL, "invalid address")
