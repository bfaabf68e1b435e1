"""The netlink subsystem of a machine: its protocols, and the creation of sockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from simkernel.engine import Engine
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.fault import Armed, check_fault
from simkernel.kernel.lib.log import Log
from simkernel.kernel.net.namespace import Namespaces, Net, net_of
from simkernel.kernel.netlink.context import NetlinkContext
from simkernel.kernel.netlink.faulty import FaultySocket
from simkernel.kernel.netlink.owner import get_owner
from simkernel.kernel.netlink.sock import MIN_GROUPS, NONROOT_SEND, PORTS, PortTable, ProtocolEntry
from simkernel.kernel.netlink.socket import NetlinkSocket
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EOPNOTSUPP, EPROTONOSUPPORT, ESOCKTNOSUPPORT, os_error
from simkernel.uapi.netlink import MAX_LINKS, NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SOCK_DGRAM, SOCK_RAW

RequestModule = Callable[[str], Any]
"""Function that loads a module by name. If the load sleeps, the function returns an awaitable. Callers ignore
all other results.
"""


class Netlink(NetlinkContext):
    """Netlink of one machine: the address family AF_NETLINK (`netlink_family_ops`).

    `request_module` loads the module of a protocol or family that is not registered.
    """

    def __init__(
        self,
        engine: Engine,
        costs: CostModel,
        namespaces: Namespaces,
        log: Log,
        pid_exists: Callable[[int], bool],
        request_module: RequestModule,
        faults: Armed | None = None,
    ) -> None:
        super().__init__(engine, costs, log, pid_exists, faults)
        self.namespaces = namespaces
        self.request_module = request_module
        self.entries = tuple(ProtocolEntry(number) for number in range(MAX_LINKS))
        self._add_usersock()

    def _add_usersock(self) -> None:
        """Register NETLINK_USERSOCK, which has no kernel socket (`netlink_add_usersock_entry()`)."""
        entry = self.entries[NETLINK_USERSOCK]
        entry.groups = MIN_GROUPS
        entry.flags = NONROOT_SEND
        entry.registered = 1

    def ports(self, net: Net, protocol: int) -> PortTable:
        """Return the port id table of a protocol in a namespace."""
        tables = PORTS.of(net)
        if protocol not in tables:
            tables[protocol] = PortTable()
        return tables[protocol]

    def socket(self, task: Task, type: int, protocol: int) -> NetlinkSocket | Awaitable[NetlinkSocket]:
        """Open a netlink socket of a protocol, in the network namespace of `task` (`netlink_create()`).

        If the protocol is not registered, its module is requested, and the result is an awaitable while
        the module loads. Raise ESOCKTNOSUPPORT or EPROTONOSUPPORT for an unknown type or protocol.
        """
        if type not in (SOCK_RAW, SOCK_DGRAM):
            raise os_error(ESOCKTNOSUPPORT)
        if not 0 <= protocol < MAX_LINKS:
            raise os_error(EPROTONOSUPPORT)
        if not self.entries[protocol].registered:
            loading = self.request_module(f"net-pf-{AF_NETLINK}-proto-{protocol}")
            if isinstance(loading, Awaitable):
                return self._create_after(loading, task, type, protocol)
        return self._create(task, type, protocol)

    async def _create_after(
        self, loading: Awaitable[Any], task: Task, type: int, protocol: int
    ) -> NetlinkSocket:
        await loading
        return self._create(task, type, protocol)

    def _create(self, task: Task, type: int, protocol: int) -> NetlinkSocket:
        entry = self.entries[protocol]
        if not entry.registered or not get_owner(entry.owner):
            raise os_error(EPROTONOSUPPORT)
        check_fault(self.faults, "kmalloc", what="socket")
        self.engine.charged += self.costs.socket_create
        make = NetlinkSocket if self.faults is None else FaultySocket
        sock = make(self, self.ports(net_of(task), protocol), entry, type, task)
        self.statistics.sockets += 1
        return sock

    def socketpair(self, task: Task, type: int, protocol: int) -> NoReturn:
        """Raise EOPNOTSUPP: netlink has no socket pairs (`sock_no_socketpair()`)."""
        raise os_error(EOPNOTSUPP)
