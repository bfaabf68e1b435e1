"""RTM_GETLINK: telling of links, of which there is only lo (net/core/rtnetlink.c)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.net.namespace import Net, NetDevice
from simkernel.kernel.netlink import policy
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route import loopback
from simkernel.kernel.netlink.route.link_policy import KINDS
from simkernel.kernel.netlink.route.parse import refuse
from simkernel.kernel.netlink.route.request import LinkRequest
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.errno import EINVAL, EOPNOTSUPP
from simkernel.uapi.netlink import NLM_F_DUMP_FILTERED, NLM_F_MULTI, NLMSG_HDRLEN, message
from simkernel.uapi.socket import AF_INET6, AF_UNSPEC

DO_ATTRIBUTES: Final = frozenset(
    {il.IFLA_IFNAME, il.IFLA_ALT_IFNAME, il.IFLA_EXT_MASK, il.IFLA_TARGET_NETNSID}
)
DUMP_ATTRIBUTES: Final = frozenset(
    {il.IFLA_TARGET_NETNSID, il.IFLA_EXT_MASK, il.IFLA_MASTER, il.IFLA_LINKINFO}
)
"""What the strict take in a request for one link, and for all."""
NO_MASTER: Final = 2**32 - 1
"""In IFLA_MASTER: links that belong to no other."""


def one_namespace(link: LinkRequest) -> None:
    """Only a namespace's number may be given (`rtnl_ensure_unique_netns()`)."""
    if il.IFLA_NET_NS_PID in link or il.IFLA_NET_NS_FD in link:
        raise refuse(link.request, EOPNOTSUPP, "specified netns attribute not supported")


def get(request: Request) -> None:
    """Tell of one link (`rtnl_getlink()`)."""
    link = LinkRequest(request)
    _parse_get(link)
    one_namespace(link)
    device = link.device(link.namespace())
    body = _describe(request, device, link.number(il.IFLA_EXT_MASK))
    data = message(rtnl.RTM_NEWLINK, body, seq=request.seq, pid=request.portid)
    request.sock.send(data, request.portid)


def _parse_get(link: LinkRequest) -> None:
    """`rtnl_valid_getlink_req()`"""
    request = link.request
    if not link.has_header:
        raise refuse(request, EINVAL, "Invalid header for get link")
    if not request.strict:
        link.parse(policy.LIBERAL)
        return
    if link.is_odd:
        raise refuse(request, EINVAL, "Invalid values in header for get link request")
    link.parse(policy.DEPRECATED_STRICT)
    if not link.types <= DO_ATTRIBUTES:
        raise refuse(request, EINVAL, "Unsupported attribute in get link request")


def _describe(request: Request, device: NetDevice, mask: int) -> bytes:
    """The header and the attributes of a link."""
    header = rtnl.IfInfoMsg(AF_UNSPEC, device.type, device.index, device.flags, 0).pack()
    return header + loopback.describe(device, stats=not mask & rtnl.RTEXT_FILTER_SKIP_STATS)


def dump(writer: MessageWriter, callback: DumpCallback) -> bool:
    """Tell of all links (`rtnl_dump_ifinfo()`).

    NLMSG_DONE comes in a datagram of its own, after which the request is not looked at again
    (RTNL_FLAG_DUMP_SPLIT_NLM_DONE).
    """
    if callback.context is _FINISHED:
        return False
    link = LinkRequest(callback.request)
    try:
        _parse_dump(link, callback.strict)
    except OSError:  # what is wrong with the request stops only the strict
        if callback.strict:
            raise
        link.forget()
    net = _look_at_attributes(link, callback.strict)
    master = link.number(il.IFLA_MASTER)
    if master in (0, NO_MASTER) and link.kind not in KINDS:
        told = callback.context or 0
        for index, device in sorted(net.devices.items()):
            if index > told:
                _tell(writer, link, device, NLM_F_DUMP_FILTERED if master else 0)
                callback.context = index
    callback.context = _FINISHED
    return bool(writer.data)


_FINISHED: Final = object()


def _look_at_attributes(link: LinkRequest, strict: bool) -> Net:
    """The namespace whose links are wanted.  Of what is wrong with attributes the lowest type counts."""
    request = link.request
    net = request.net
    for type in sorted(link.types):
        if type == il.IFLA_TARGET_NETNSID:
            try:
                net = link.namespace()
            except OSError as error:
                raise refuse(request, error.errno or EINVAL, "Invalid target network namespace id") from None
        elif strict and type not in DUMP_ATTRIBUTES:
            raise refuse(request, EINVAL, "Unsupported attribute in link dump request")
    return net


def _tell(writer: MessageWriter, link: LinkRequest, device: NetDevice, flags: int) -> None:
    request = link.request
    body = _describe(request, device, link.number(il.IFLA_EXT_MASK))
    flags |= NLM_F_MULTI
    writer.append(message(rtnl.RTM_NEWLINK, body, flags=flags, seq=request.seq, pid=request.portid))


def _parse_dump(link: LinkRequest, strict: bool) -> None:
    """`rtnl_valid_dump_ifinfo_req()`; old programs send a header of one byte."""
    request = link.request
    if not strict:
        short = request.length < NLMSG_HDRLEN + rtnl.IfInfoMsg.SIZE
        link.parse(policy.LIBERAL, rtnl.RtGenMsg.SIZE if short else rtnl.IfInfoMsg.SIZE)
        return
    if not link.has_header:
        raise refuse(request, EINVAL, "Invalid header for link dump")
    if link.is_odd:
        raise refuse(request, EINVAL, "Invalid values in header for link dump request")
    if link.header.index:
        raise refuse(request, EINVAL, "Filter by device index not supported for link dumps")
    link.parse(policy.DEPRECATED_STRICT)


# -- as IPv6 tells of them --------------------------------------------------------


def dump_ipv6(writer: MessageWriter, callback: DumpCallback) -> bool:
    """All links as IPv6 has them (`inet6_dump_ifinfo()`); only the strict look at the request."""
    request = callback.request
    if callback.strict:
        _check_ipv6(request)
    told = callback.context or 0
    for index, device in sorted(request.net.devices.items()):
        if index > told:
            header = rtnl.IfInfoMsg(AF_INET6, device.type, index, device.flags, 0).pack()
            body, flags = header + loopback.describe_ipv6(device), NLM_F_MULTI
            data = message(rtnl.RTM_NEWLINK, body, flags=flags, seq=request.seq, pid=request.portid)
            writer.append(data)
            callback.context = index
    return False


def _check_ipv6(request: Request) -> None:
    """`inet6_valid_dump_ifinfo()`"""
    link = LinkRequest(request)
    if not link.has_header:
        raise refuse(request, EINVAL, "ipv6: Invalid header for link dump request")
    if request.length > NLMSG_HDRLEN + rtnl.IfInfoMsg.SIZE:
        raise refuse(request, EINVAL, "ipv6: Invalid data after header")
    if link.is_odd or link.header.index:
        raise refuse(request, EINVAL, "ipv6: Invalid values in header for dump request")
