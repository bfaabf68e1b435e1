"""Handlers of RTM_GETLINK (net/core/rtnetlink.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from simkernel.kernel.net.device import LinkOps, NetDevice
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink import policy
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route import inet
from simkernel.kernel.netlink.route.link_fill import fill, fill_ipv6
from simkernel.kernel.netlink.route.link_kinds import LinkKinds
from simkernel.kernel.netlink.route.link_request import LinkRequest
from simkernel.kernel.netlink.route.parse import refuse
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.errno import EINVAL, EOPNOTSUPP
from simkernel.uapi.netlink import NLM_F_DUMP_FILTERED, NLM_F_MULTI, NLMSG_HDRLEN
from simkernel.uapi.structure import U32_MAX

DO_ATTRIBUTES: Final = frozenset(
    {il.IFLA_IFNAME, il.IFLA_ALT_IFNAME, il.IFLA_EXT_MASK, il.IFLA_TARGET_NETNSID}
)
DUMP_ATTRIBUTES: Final = frozenset(
    {il.IFLA_TARGET_NETNSID, il.IFLA_EXT_MASK, il.IFLA_MASTER, il.IFLA_LINKINFO}
)
"""Attributes that a strict RTM_GETLINK request can contain. DO_ATTRIBUTES applies to a request about one
link, DUMP_ATTRIBUTES to a dump request.
"""
NO_MASTER: Final = U32_MAX
"""Value of IFLA_MASTER that selects links without a master."""


def one_namespace(link: LinkRequest) -> None:
    """Raise EOPNOTSUPP if the request selects the namespace by a pid or file descriptor
    (`rtnl_ensure_unique_netns()`).
    """
    if il.IFLA_NET_NS_PID in link or il.IFLA_NET_NS_FD in link:
        raise refuse(link.request, EOPNOTSUPP, "specified netns attribute not supported")


@attrs.frozen
class LinkQueries:
    """Handlers of RTM_GETLINK."""

    kinds: LinkKinds
    sync: Callable[[NetDevice], None]
    """Function that handles a pending carrier event of a link."""

    def get(self, request: Request) -> None:
        """Answer a request with the message about one link (`rtnl_getlink()`)."""
        link = LinkRequest(request)
        _parse_get(link)
        one_namespace(link)
        device = link.device(link.namespace())
        self.sync(device)
        data = fill(device, request.net, **_answer(link))
        request.sock.send(data, request.portid)

    def dump(self, writer: MessageWriter, callback: DumpCallback) -> bool:
        """Dump all links (`rtnl_dump_ifinfo()`).

        NLMSG_DONE is sent in a separate datagram (RTNL_FLAG_DUMP_SPLIT_NLM_DONE). The call that sends it
        does not parse the request again.
        """
        if callback.context is _FINISHED:
            return False
        link = LinkRequest(callback.request)
        try:
            _parse_dump(link, callback.strict)
        except OSError:  # without strict checking, errors in the request are ignored
            if callback.strict:
                raise
            link.tb = {}
        net = _check_attributes(link, callback.strict)
        master, kind = link.number(il.IFLA_MASTER), link.kind(self.kinds)
        flags = NLM_F_MULTI | (NLM_F_DUMP_FILTERED if master or kind is not None else 0)
        last = callback.context or 0
        callback.generation = net.dev_base_seq
        start = len(writer.data)
        try:
            for index, device in sorted(net.devices.items()):
                if index > last and _matches(device, master, kind):
                    writer.append(fill(device, callback.request.net, flags=flags, **_answer(link)))
                callback.context = max(index, last)
        finally:
            if len(writer.data) > start:
                callback.check_consistent(writer, start)
            else:
                callback.accept_change()
        callback.context = _FINISHED
        return bool(writer.data)


def _answer(link: LinkRequest) -> dict[str, int]:
    """Return the sequence number, port id, extension mask and target namespace id of a request, as keyword
    arguments for the function `fill`.
    """
    request = link.request
    target = link.signed(il.IFLA_TARGET_NETNSID) if il.IFLA_TARGET_NETNSID in link else -1
    mask = link.number(il.IFLA_EXT_MASK)
    return {"seq": request.seq, "portid": request.portid, "mask": mask, "target_nsid": target}


def _matches(device: NetDevice, master: int, kind: LinkOps | None) -> bool:
    """Return True if a link passes the filters of a dump (`link_dump_filtered()`)."""
    if kind is not None and device.link_ops is not kind:
        return False
    above = 0 if device.master is None else device.master.index
    return master == 0 or above == (0 if master == NO_MASTER else master)


def _parse_get(link: LinkRequest) -> None:
    """Parse a request for one link (`rtnl_valid_getlink_req()`). Raise EINVAL or ERANGE if the request is
    invalid.
    """
    request = link.request
    if not link.has_header:
        raise refuse(request, EINVAL, "Invalid header for get link")
    if not request.strict:
        link.parse(policy.LIBERAL)
        return
    if link.has_odd_header:
        raise refuse(request, EINVAL, "Invalid values in header for get link request")
    link.parse(policy.DEPRECATED_STRICT)
    if not link.tb.keys() <= DO_ATTRIBUTES:
        raise refuse(request, EINVAL, "Unsupported attribute in get link request")


_FINISHED: Final = object()


def _check_attributes(link: LinkRequest, strict: bool) -> Net:
    """Check the attributes of a dump request, and return the namespace to dump.

    Raises EINVAL or EACCES for the first invalid attribute, in the order of types.
    """
    request = link.request
    net = request.net
    for type in sorted(link.tb):
        if type == il.IFLA_TARGET_NETNSID:
            try:
                net = link.namespace()
            except OSError as error:
                raise refuse(request, error.errno or EINVAL, "Invalid target network namespace id") from None
        elif strict and type not in DUMP_ATTRIBUTES:
            raise refuse(request, EINVAL, "Unsupported attribute in link dump request")
    return net


def _parse_dump(link: LinkRequest, strict: bool) -> None:
    """Parse a dump request (`rtnl_valid_dump_ifinfo_req()`).

    The header of an old program's request is only a `struct rtgenmsg`. Such a request is invalid if `strict`.
    """
    request = link.request
    if not strict:
        short = request.length < NLMSG_HDRLEN + rtnl.IfInfoMsg.SIZE
        link.parse(policy.LIBERAL, rtnl.RtGenMsg.SIZE if short else rtnl.IfInfoMsg.SIZE)
        return
    if not link.has_header:
        raise refuse(request, EINVAL, "Invalid header for link dump")
    if link.has_odd_header:
        raise refuse(request, EINVAL, "Invalid values in header for link dump request")
    if link.header.index:
        raise refuse(request, EINVAL, "Filter by device index not supported for link dumps")
    link.parse(policy.DEPRECATED_STRICT)


# -- links with IPv6 ------------------------------------------------------------------


def dump_ipv6(writer: MessageWriter, callback: DumpCallback) -> bool:
    """Dump the IPv6 data of all links (`inet6_dump_ifinfo()`). Only a strict request is validated."""
    request = callback.request
    if callback.strict:
        _check_ipv6(request)
    last = callback.context or 0
    for index, device in sorted(request.net.devices.items()):
        if index > last and inet.inet6_device(device) is not None:
            writer.append(fill_ipv6(device, flags=NLM_F_MULTI, seq=request.seq, portid=request.portid))
            callback.context = index
    return False


def _check_ipv6(request: Request) -> None:
    """Raise EINVAL if a strict dump request is invalid (`inet6_valid_dump_ifinfo()`)."""
    link = LinkRequest(request)
    if not link.has_header:
        raise refuse(request, EINVAL, "ipv6: Invalid header for link dump request")
    if request.length > NLMSG_HDRLEN + rtnl.IfInfoMsg.SIZE:
        raise refuse(request, EINVAL, "ipv6: Invalid data after header")
    if link.has_odd_header or link.header.index:
        raise refuse(request, EINVAL, "ipv6: Invalid values in header for dump request")
