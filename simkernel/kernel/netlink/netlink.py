"""The netlink subsystem of a machine: its protocols, and how a program opens a socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs

from simkernel.kernel.lib.ratelimit import Ratelimited
from simkernel.kernel.net.namespace import net_of
from simkernel.kernel.netlink.prices import Prices
from simkernel.kernel.netlink.socket import NetlinkSocket
from simkernel.kernel.netlink.table import (
    LEAST_GROUPS,
    NONROOT_SEND,
    PortTable,
    ProtocolEntry,
    get_owner,
)
from simkernel.uapi.errno import EPROTONOSUPPORT, ESOCKTNOSUPPORT, os_error
from simkernel.uapi.netlink import MAX_LINKS, NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SOCK_DGRAM, SOCK_RAW

if TYPE_CHECKING:
    from simkernel.engine import Engine
    from simkernel.kernel.lib.costs import CostModel
    from simkernel.kernel.lib.log import Log
    from simkernel.kernel.net.namespace import Namespaces, Net
    from simkernel.kernel.vfs.task import Task

RequestModule = Callable[[str], Any]
"""Load the module of that name; an awaitable if that sleeps.  The result does not matter."""
ReleaseNotifier = Callable[["Net", int, int], None]
"""Told namespace, protocol and port id of a socket that is gone (NETLINK_URELEASE)."""


@attrs.define
class Statistics:
    """Counters of a machine's netlink: datagrams, except for `sockets`, which are open now."""

    sockets: int = 0
    requests: int = 0
    """Sent by programs to the kernel."""
    delivered: int = 0
    """Queued for a program, once for each that gets it."""
    received: int = 0
    """Taken by a program."""
    multicasts: int = 0
    """Sent to a group, however many are in it."""
    overruns: int = 0
    """Lost since a receive queue was full."""


class Netlink:
    """Netlink of one machine.

    `request_module` is None until there are modules; `pid_exists` says whether a process is there,
    for credentials that one claims.
    """

    def __init__(
        self,
        engine: Engine,
        costs: CostModel,
        namespaces: Namespaces,
        log: Log,
        pid_exists: Callable[[int], bool],
    ) -> None:
        self.engine = engine
        self.trace = engine.trace
        self.costs = costs
        self.prices = Prices(costs)
        self.namespaces = namespaces
        self.log = log
        self.pid_exists = pid_exists
        self.random = engine.rng("netlink")
        self.request_module: RequestModule | None = None
        self.entries = tuple(ProtocolEntry(number) for number in range(MAX_LINKS))
        self.statistics = Statistics()
        self._leftover = Ratelimited(log, "netlink leftover")
        self._wrong_length = Ratelimited(log, "netlink length")
        self._notifiers: list[ReleaseNotifier] = []
        self._add_usersock()

    def _add_usersock(self) -> None:
        """NETLINK_USERSOCK has no kernel behind it (`netlink_add_usersock_entry()`)."""
        entry = self.entries[NETLINK_USERSOCK]
        entry.groups = LEAST_GROUPS
        entry.flags = NONROOT_SEND
        entry.registered = 1

    def ports(self, net: Net, protocol: int) -> PortTable:
        """The port ids of a protocol in a namespace."""
        table = net.ports.get(protocol)
        if table is None:
            table = net.ports[protocol] = PortTable()
        return table

    def socket(self, task: Task, type: int, protocol: int) -> NetlinkSocket | Awaitable[NetlinkSocket]:
        """Open a socket (`netlink_create()`).

        A protocol that nobody serves is asked for as a module; awaitable while that loads.
        ESOCKTNOSUPPORT, EPROTONOSUPPORT.
        """
        if type not in (SOCK_RAW, SOCK_DGRAM):
            raise os_error(ESOCKTNOSUPPORT)
        if not 0 <= protocol < MAX_LINKS:
            raise os_error(EPROTONOSUPPORT)
        if not self.entries[protocol].registered and self.request_module is not None:
            loading = self.request_module(f"net-pf-{AF_NETLINK}-proto-{protocol}")
            if isinstance(loading, Awaitable):
                return self._socket_after(loading, task, type, protocol)
        return self._create(task, type, protocol)

    async def _socket_after(
        self, loading: Awaitable[Any], task: Task, type: int, protocol: int
    ) -> NetlinkSocket:
        await loading
        return self._create(task, type, protocol)

    def _create(self, task: Task, type: int, protocol: int) -> NetlinkSocket:
        entry = self.entries[protocol]
        if not entry.registered or not get_owner(entry.owner):
            raise os_error(EPROTONOSUPPORT)
        self.engine.charged += self.costs.socket_create
        net = net_of(task)
        ports = self.ports(net, protocol)
        sock = NetlinkSocket(self, net, ports, entry, type, task, entry.owner)
        ports.users += 1
        self.statistics.sockets += 1
        return sock

    def warn_leftover(self, count: int, comm: str) -> None:
        """Log that a request ended with bytes that are no attribute."""
        text = f"netlink: {count} bytes leftover after parsing attributes in process `{comm}'."
        self._leftover.warn(text, self.engine.time())

    def warn_length(self, type: int, comm: str) -> None:
        """Log that an attribute is longer or shorter than its type."""
        text = f"netlink: '{comm}': attribute type {type} has an invalid length."
        self._wrong_length.warn(text, self.engine.time())

    def register_notifier(self, notifier: ReleaseNotifier) -> None:
        """Tell `notifier` of each bound socket that is closed (`netlink_register_notifier()`)."""
        self._notifiers.append(notifier)

    def unregister_notifier(self, notifier: ReleaseNotifier) -> None:
        """End that (`netlink_unregister_notifier()`)."""
        self._notifiers.remove(notifier)

    def notify_release(self, net: Net, protocol: int, portid: int) -> None:
        """A bound socket was closed (NETLINK_URELEASE)."""
        for notifier in tuple(self._notifiers):
            notifier(net, protocol, portid)
