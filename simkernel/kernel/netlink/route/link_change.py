"""RTM_NEWLINK, RTM_SETLINK and RTM_DELLINK: what of them fails on a machine with lo alone.

What would succeed is not modelled: lo stays as it is.  Source: net/core/rtnetlink.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simkernel.kernel.net.nsfs import net_by_fd
from simkernel.kernel.netlink import policy
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route.link_policy import KINDS, LINKINFO_POLICY
from simkernel.kernel.netlink.route.links import one_namespace
from simkernel.kernel.netlink.route.parse import refuse
from simkernel.kernel.netlink.route.request import LinkRequest
from simkernel.uapi import if_link as il
from simkernel.uapi.errno import EEXIST, EINVAL, ENODEV, EOPNOTSUPP, EPERM, os_error
from simkernel.uapi.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE

_NAMESPACES: Final = (il.IFLA_TARGET_NETNSID, il.IFLA_NET_NS_PID, il.IFLA_NET_NS_FD)
_NAMES: Final = frozenset({il.IFLA_IFNAME, il.IFLA_ALT_IFNAME})


def delete(request: Request) -> None:
    """`rtnl_dellink()`: EOPNOTSUPP for lo, ENODEV for others, EPERM for the group that all are in."""
    link = LinkRequest(request)
    link.parse(policy.LIBERAL)
    one_namespace(link)
    net = link.namespace()
    if link.header.index <= 0 and not link.is_named and il.IFLA_GROUP in link:
        raise os_error(ENODEV if link.number(il.IFLA_GROUP) else EPERM)
    link.device(net)
    raise os_error(EOPNOTSUPP)


class LinkChanges:
    """Handlers of requests that make or change links."""

    def __init__(self, unmodelled: Callable[[str, int], Exception]) -> None:
        self._unmodelled = unmodelled

    def set(self, request: Request) -> None:
        """`rtnl_setlink()`"""
        link = LinkRequest(request)
        link.parse(policy.LIBERAL)
        _unique_namespace(link)
        _check_target(link)
        link.device(request.net)
        self._change(link)

    def new(self, request: Request) -> None:
        """`rtnl_newlink()`: changes the link that is named, else makes one."""
        link = LinkRequest(request)
        link.parse(policy.LIBERAL)
        _unique_namespace(link)
        link.check_nest(il.IFLA_LINKINFO, LINKINFO_POLICY)
        _check_target(link)
        _check_other_end(link)
        index = link.header.index
        if index < 0:
            raise refuse(request, EINVAL, "ifindex can't be negative")
        named = index > 0 or link.is_named
        try:
            link.device(request.net)
        except OSError:
            self._make(link, named)
            return
        if request.flags & NLM_F_EXCL:
            raise os_error(EEXIST)
        if request.flags & NLM_F_REPLACE:
            raise os_error(EOPNOTSUPP)
        self._change(link)

    def name(self, request: Request) -> None:
        """RTM_NEWLINKPROP and RTM_DELLINKPROP: other names of a link (`rtnl_linkprop()`)."""
        link = LinkRequest(request)
        link.parse(policy.STRICT)
        one_namespace(link)
        link.device(request.net)
        if il.IFLA_PROP_LIST in link:
            raise self._unmodelled("other names of a network link", EOPNOTSUPP)

    def _make(self, link: LinkRequest, named: bool) -> None:
        """There is no such link yet; no kind of link is known that could be made."""
        if not link.request.flags & NLM_F_CREATE:
            if named or il.IFLA_GROUP not in link:
                raise os_error(ENODEV)
            if not link.number(il.IFLA_GROUP):
                self._change(link)
            return
        if il.IFLA_MAP in link or il.IFLA_PROTINFO in link:
            raise os_error(EOPNOTSUPP)
        if link.kind in KINDS:
            raise self._unmodelled("making a network link", EOPNOTSUPP)
        raise refuse(link.request, EOPNOTSUPP, "Unknown device type")

    def _change(self, link: LinkRequest) -> None:
        """A change of nothing is done."""
        header = link.header
        if header.flags or header.change or link.types - _NAMES or link.renames:
            raise self._unmodelled("changing a network link", EOPNOTSUPP)


def _unique_namespace(link: LinkRequest) -> None:
    """`rtnl_ensure_unique_netns()` where any one way to name a namespace will do."""
    if sum(type in link for type in _NAMESPACES) > 1:
        raise refuse(link.request, EINVAL, "multiple netns identifying attributes specified")


def _check_target(link: LinkRequest) -> None:
    """The namespace that a link is to be in has to be there (`rtnl_link_get_net_capable()`).

    EINVAL, ESRCH for a process that does not exist, EBADF.
    """
    request = link.request
    if il.IFLA_NET_NS_PID in link:
        request.net.namespaces.by_pid(link.number(il.IFLA_NET_NS_PID))
    if il.IFLA_NET_NS_FD in link:
        net_by_fd(request.task, link.number(il.IFLA_NET_NS_FD))
    if il.IFLA_TARGET_NETNSID in link:
        link.namespace()


def _check_other_end(link: LinkRequest) -> None:
    """The namespace that a link leads to is known, by that number, in the one that it is to be in.

    EINVAL.  Who may make links may do so there, since all namespaces have one owner (`rtnl_newlink()`).
    """
    if il.IFLA_LINK_NETNSID not in link:
        return
    if link.namespace().known_as(link.signed(il.IFLA_LINK_NETNSID)) is None:
        raise refuse(link.request, EINVAL, "Unknown network namespace id")
