"""NETLINK_ROUTE: sockets, groups and the dispatch of messages to handlers (net/core/rtnetlink.c)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal

from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink import dump, kernel_socket
from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS
from simkernel.kernel.netlink.message import Receiver, Request
from simkernel.kernel.netlink.netlink import Netlink
from simkernel.kernel.netlink.route import nsid, unsupported
from simkernel.kernel.netlink.route.address4 import Ipv4Addresses
from simkernel.kernel.netlink.route.address6_requests import Ipv6Addresses
from simkernel.kernel.netlink.route.handlers import Handlers, RouteParts, Table, built_in, split_done
from simkernel.kernel.netlink.route.link_af import set_family
from simkernel.kernel.netlink.route.link_change import LinkChanges
from simkernel.kernel.netlink.route.link_kinds import LinkKinds
from simkernel.kernel.netlink.route.neighbours import NeighbourTables
from simkernel.kernel.netlink.route.notify import LinkNotifier
from simkernel.kernel.netlink.route.routing import Routing
from simkernel.kernel.netlink.sock import NONROOT_RECV
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.errno import EOPNOTSUPP, EPERM, os_error
from simkernel.uapi.netlink import NETLINK_ROUTE, NLM_F_BULK, NLM_F_DUMP, NLMSG_HDRLEN
from simkernel.uapi.socket import AF_UNSPEC

NEW, DEL, GET, SET = range(4)
"""Kinds of messages: the two low bits of a message type (`rtnl_msgtype_kind()`)."""

PRIVILEGED_GROUPS: Final = frozenset({rtnl.RTNLGRP_IPV4_MROUTE_R, rtnl.RTNLGRP_IPV6_MROUTE_R})
"""Groups that only a task with CAP_NET_ADMIN can join (`rtnetlink_bind()`)."""


class RouteNetlink:
    """The protocol NETLINK_ROUTE of one machine."""

    def __init__(
        self,
        netlink: Netlink,
        devices: NetDevices,
        notifier: LinkNotifier,
        unmodelled: Callable[[str, int], Exception],
        warn: Callable[[str], object],
    ) -> None:
        self._netlink = netlink
        self._unmodelled = unmodelled
        self._handlers: Table | None = None
        self._devices = devices
        devices.subscribe(notifier.on_event)
        self._neighbours = NeighbourTables(devices, self._address_type, unmodelled)
        self._routing = routing = Routing(devices, self._neighbours.flush, unmodelled)
        self.ipv4 = Ipv4Addresses(devices, routing.routes4)
        devices.subscribe(routing.routes4.on_event)
        self.ipv6 = Ipv6Addresses(devices, routing.routes6)
        self.kinds = LinkKinds(devices)
        """Kinds of links that modules have registered."""
        self.changes = LinkChanges(
            devices,
            self.kinds,
            netlink.request_module,
            partial(set_family, self.ipv6),
            unmodelled,
            warn,
        )
        netlink.namespaces.register_pernet(self._enter, self._leave, _forget)

    def _address_type(self, net: Net, address: int, table: int) -> int:
        """Return the type of an IPv4 address (RTN_*).

        The routes are looked up late, because the neighbour tables are created before them.
        """
        return self._routing.fib4.address_type(net, address, table)

    @property
    def handlers(self) -> Table:
        """Handlers by family and message type. They are created when the first message arrives, because most
        machines receive no NETLINK_ROUTE message.
        """
        if self._handlers is None:
            ip = (self.ipv4, self.ipv6, self._routing, self._neighbours)
            parts = RouteParts(self._devices, self.kinds, self.changes, *ip, self._unmodelled)
            self._handlers = built_in(parts)
        return self._handlers

    def _enter(self, net: Net) -> None:
        """Create the kernel socket of a new namespace (`rtnetlink_net_init()`)."""
        kernel_socket.create(
            self._netlink,
            net,
            NETLINK_ROUTE,
            input=lambda sock: Receiver(sock, self._handle, Request).receive,
            groups=rtnl.RTNLGRP_MAX,
            flags=NONROOT_RECV,
            bind=_bind,
        )

    def _leave(self, net: Net) -> None:
        KERNEL_SOCKETS.of(net)[NETLINK_ROUTE].release()

    def _handle(self, request: Request) -> object:
        """Dispatch a message to its handler (`rtnetlink_rcv_msg()`).

        Raises EOPNOTSUPP for a type without a handler, EPERM for a change without CAP_NET_ADMIN. A message
        that is too short for a family is ignored.
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
        return self._do(request, family)

    def _do(self, request: Request, family: int) -> object:
        handlers = self._find(unsupported.DO, family, request.type, "do")
        if request.type & 3 == DEL and request.flags & NLM_F_BULK and not handlers.bulk_delete:
            request.extack.message = "Bulk delete is not supported"
            raise os_error(EOPNOTSUPP)
        assert handlers.do is not None
        return handlers.do(request)

    def _dump(self, request: Request, family: int) -> object:
        handlers = self._find(unsupported.DUMP, family, request.type, "dump")
        assert handlers.dump is not None
        function = partial(split_done, handlers.dump) if handlers.split_done else handlers.dump
        return dump.start(request, function)

    def _find(
        self, table: dict[int, frozenset[int]], family: int, type: int, what: Literal["do", "dump"]
    ) -> Handlers:
        """Return the handlers of a message type for a family. If the family has none, return those of
        AF_UNSPEC. Raises EOPNOTSUPP if AF_UNSPEC has none either.
        """
        if unsupported.is_unsupported(table, type, family):
            raise self._unmodelled(
                f"rtnetlink message type {type} of family {family} is not modelled", EOPNOTSUPP
            )
        for candidate in (family if family <= rtnl.RTNL_FAMILY_MAX else AF_UNSPEC, AF_UNSPEC):
            handlers = self.handlers.get((candidate, type))
            if handlers is not None and getattr(handlers, what) is not None:
                return handlers
        raise os_error(EOPNOTSUPP)


def _forget(net: Net, number: int) -> None:
    nsid.notify(net, rtnl.RTM_DELNSID, number)


def _bind(net: Net, task: Task, group: int) -> None:
    if group in PRIVILEGED_GROUPS and not task.credentials.capable(CAP_NET_ADMIN):
        raise os_error(EPERM)
