"""NETLINK_ROUTE: its sockets, its groups, and from a message to who handles it (net/core/rtnetlink.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

import attrs

from simkernel.kernel.netlink import dump, kernel_socket
from simkernel.kernel.netlink.message import Receiver, Request
from simkernel.kernel.netlink.route import (
    bridge,
    lacking,
    link_change,
    links,
    neighbours,
    nsid,
    routes,
    rules,
)
from simkernel.kernel.netlink.route.addresses import IPV4, IPV6, Ipv4Addresses, Ipv6Addresses
from simkernel.kernel.netlink.route.link_change import LinkChanges
from simkernel.kernel.netlink.route.statistics import Statistics
from simkernel.kernel.netlink.route.ways import Ways
from simkernel.kernel.netlink.table import NONROOT_RECV
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.errno import EOPNOTSUPP, EPERM, os_error
from simkernel.uapi.netlink import NETLINK_ROUTE, NLM_F_BULK, NLM_F_DUMP, NLMSG_HDRLEN
from simkernel.uapi.socket import AF_BRIDGE, AF_INET, AF_INET6, AF_UNSPEC

if TYPE_CHECKING:
    from simkernel.kernel.net.namespace import Net
    from simkernel.kernel.netlink.netlink import Netlink
    from simkernel.kernel.netlink.writer import MessageWriter
    from simkernel.kernel.task.task import Task

NEW, DEL, GET, SET = range(4)
"""Kinds of messages, by the two low bits of their types (rtnl_msgtype_kind())."""

PRIVILEGED_GROUPS: Final = frozenset({rtnl.RTNLGRP_IPV4_MROUTE_R, rtnl.RTNLGRP_IPV6_MROUTE_R})
"""Groups that only the privileged join (`rtnetlink_bind()`)."""


@attrs.frozen
class Handlers:
    """Who handles a type of message for a family (`struct rtnl_link`)."""

    do: Callable[[Request], None] | None = None
    dump: dump.Dump | None = None
    bulk_delete: bool = False
    """Whether NLM_F_BULK is understood (RTNL_FLAG_BULK_DEL_SUPPORTED)."""


class RouteNetlink:
    """NETLINK_ROUTE of one machine."""

    def __init__(self, netlink: Netlink, unmodelled: Callable[[str, int], Exception]) -> None:
        self._netlink = netlink
        self._unmodelled = unmodelled
        self._handlers: dict[tuple[int, int], Handlers] = {}
        changes = LinkChanges(unmodelled)
        ids = nsid.NamespaceIds(unmodelled)
        statistics = Statistics(unmodelled)
        self.register(AF_UNSPEC, rtnl.RTM_GETLINK, Handlers(do=links.get, dump=links.dump))
        self.register(AF_UNSPEC, rtnl.RTM_DELLINK, Handlers(do=link_change.delete))
        self.register(AF_UNSPEC, rtnl.RTM_NEWLINK, Handlers(do=changes.new))
        self.register(AF_UNSPEC, rtnl.RTM_SETLINK, Handlers(do=changes.set))
        self.register(AF_UNSPEC, rtnl.RTM_NEWNEIGH, Handlers(do=neighbours.NewNeighbour(unmodelled)))
        self.register(AF_UNSPEC, rtnl.RTM_DELNEIGH, Handlers(do=neighbours.delete))
        self.register(AF_UNSPEC, rtnl.RTM_GETNEIGH, Handlers(do=neighbours.get, dump=neighbours.dump))
        self.register(AF_UNSPEC, rtnl.RTM_NEWNSID, Handlers(do=ids.new))
        self.register(AF_UNSPEC, rtnl.RTM_GETNSID, Handlers(do=ids.get, dump=nsid.dump))
        self.register(AF_UNSPEC, rtnl.RTM_NEWLINKPROP, Handlers(do=changes.name))
        self.register(AF_UNSPEC, rtnl.RTM_DELLINKPROP, Handlers(do=changes.name))
        self.register(AF_UNSPEC, rtnl.RTM_GETSTATS, Handlers(do=statistics.get, dump=statistics.dump))
        self.register(AF_UNSPEC, rtnl.RTM_SETSTATS, Handlers(do=statistics.set))
        self.register(AF_INET6, rtnl.RTM_GETLINK, Handlers(dump=links.dump_ipv6))
        self.register(AF_UNSPEC, rtnl.RTM_GETRULE, Handlers(dump=rules.dump))
        self._register_bridges()
        self._register_addresses()
        self._register_routes()
        netlink.namespaces.register_pernet(self._enter, self._leave)

    def _register_bridges(self) -> None:
        self.register(AF_BRIDGE, rtnl.RTM_GETLINK, Handlers(dump=bridge.dump_links))
        self.register(AF_BRIDGE, rtnl.RTM_DELLINK, Handlers(do=bridge.delete_link))
        self.register(AF_BRIDGE, rtnl.RTM_SETLINK, Handlers(do=bridge.change_link))
        self.register(AF_BRIDGE, rtnl.RTM_NEWNEIGH, Handlers(do=bridge.add_fdb))
        self.register(AF_BRIDGE, rtnl.RTM_DELNEIGH, Handlers(do=bridge.delete_fdb, bulk_delete=True))
        self.register(AF_BRIDGE, rtnl.RTM_GETNEIGH, Handlers(do=bridge.get_fdb, dump=bridge.dump_fdb))

    def _register_addresses(self) -> None:
        """`devinet_init()`, `addrconf_init()`"""
        ipv4, ipv6 = Ipv4Addresses(IPV4, self._unmodelled), Ipv6Addresses(IPV6, self._unmodelled)
        self.register(AF_UNSPEC, rtnl.RTM_GETADDR, Handlers(dump=self._dump_all))
        self.register(AF_INET, rtnl.RTM_NEWADDR, Handlers(do=ipv4.new))
        self.register(AF_INET, rtnl.RTM_DELADDR, Handlers(do=ipv4.delete))
        self.register(AF_INET, rtnl.RTM_GETADDR, Handlers(dump=ipv4.dump))
        self.register(AF_INET6, rtnl.RTM_NEWADDR, Handlers(do=ipv6.new))
        self.register(AF_INET6, rtnl.RTM_DELADDR, Handlers(do=ipv6.delete))
        self.register(AF_INET6, rtnl.RTM_GETADDR, Handlers(do=ipv6.get, dump=ipv6.dump))

    def _register_routes(self) -> None:
        """`ip_fib_init()`, `ip_rt_init()`, `ip6_route_init()`, `ip_mr_init()`"""
        self.register(AF_UNSPEC, rtnl.RTM_GETROUTE, Handlers(dump=self._dump_all))
        ways = Ways(self._unmodelled)
        single = {AF_INET: ways.ipv4, AF_INET6: ways.ipv6}
        for dump_routes in routes.DUMPS:
            family = dump_routes.family
            self.register(family, rtnl.RTM_GETROUTE, Handlers(do=single.get(family), dump=dump_routes))

    def register(self, family: int, type: int, handlers: Handlers) -> None:
        """Have messages of a type handled, for one family or AF_UNSPEC (`rtnl_register()`)."""
        self._handlers[family, type] = handlers

    def _enter(self, net: Net) -> None:
        """`rtnetlink_net_init()`"""
        sock = kernel_socket.create(
            self._netlink,
            net,
            NETLINK_ROUTE,
            groups=rtnl.RTNLGRP_MAX,
            flags=NONROOT_RECV,
            bind=_bind,
        )
        sock.input = Receiver(sock, self._handle, Request).receive

    def _leave(self, net: Net) -> None:
        net.kernel_sockets[NETLINK_ROUTE].release()

    def _handle(self, request: Request) -> object:
        """`rtnetlink_rcv_msg()`

        EOPNOTSUPP for what nobody handles, EPERM for a change without privilege.  A message without
        even a family is passed over.
        """
        type = request.type
        if type > rtnl.RTM_MAX:
            raise os_error(EOPNOTSUPP)
        if request.length <= NLMSG_HDRLEN:
            return None
        family = request.data[request.start + NLMSG_HDRLEN]
        kind = type & 3
        if kind != GET and not request.capable(CAP_NET_ADMIN):
            raise os_error(EPERM)
        if kind == GET and request.flags & NLM_F_DUMP:
            return self._dump(request, family)
        self._do(request, family)
        return None

    def _do(self, request: Request, family: int) -> None:
        handlers = self._find(lacking.DO, family, request.type, "do")
        if request.type & 3 == DEL and request.flags & NLM_F_BULK and not handlers.bulk_delete:
            request.extack.message = "Bulk delete is not supported"
            raise os_error(EOPNOTSUPP)
        assert handlers.do is not None
        handlers.do(request)

    def _dump(self, request: Request, family: int) -> object:
        handlers = self._find(lacking.DUMP, family, request.type, "dump")
        assert handlers.dump is not None
        return dump.start(request, handlers.dump)

    def _dump_all(self, writer: MessageWriter, callback: dump.DumpCallback) -> bool:
        """What every family dumps, one after the other, of which none has more than a datagram takes
        (`rtnl_dump_all()`).
        """
        for family in range(1, rtnl.RTNL_FAMILY_MAX + 1):
            handlers = self._handlers.get((family, callback.request.type))
            if handlers is not None and handlers.dump is not None:
                handlers.dump(writer, callback)
        return False

    def _find(
        self, lacks: dict[int, frozenset[int]], family: int, type: int, what: Literal["do", "dump"]
    ) -> Handlers:
        """The handlers of a family, else those for all families.  EOPNOTSUPP if there are none."""
        if lacking.is_lacking(lacks, type, family):
            raise self._unmodelled(f"rtnetlink message type {type} of family {family}", EOPNOTSUPP)
        for candidate in (family if family <= rtnl.RTNL_FAMILY_MAX else AF_UNSPEC, AF_UNSPEC):
            handlers = self._handlers.get((candidate, type))
            if handlers is not None and getattr(handlers, what) is not None:
                return handlers
        raise os_error(EOPNOTSUPP)


def _bind(net: Net, task: Task, group: int) -> None:
    if group in PRIVILEGED_GROUPS and not task.credentials.capable(CAP_NET_ADMIN):
        raise os_error(EPERM)
