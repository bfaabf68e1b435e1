"""Generic netlink of a machine: registration of families, and messages to groups (genetlink.c)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext, suppress

from simkernel.kernel.net.namespace import Net
from simkernel.kernel.net.truesize import GOODSIZE
from simkernel.kernel.netlink import kernel_socket
from simkernel.kernel.netlink.genetlink import ctrl
from simkernel.kernel.netlink.genetlink.dispatch import Dispatcher, Guard
from simkernel.kernel.netlink.genetlink.family import Family, Info
from simkernel.kernel.netlink.genetlink.lock import OperationLock
from simkernel.kernel.netlink.genetlink.registry import Registry
from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS
from simkernel.kernel.netlink.message import Receiver
from simkernel.kernel.netlink.netlink import Netlink
from simkernel.kernel.netlink.sock import NONROOT_RECV, NetlinkSock
from simkernel.kernel.sched.locking import LockEvents
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import genetlink as genl
from simkernel.uapi import netlink as nl
from simkernel.uapi.errno import ENOENT, EPERM, ESRCH, os_error

NOTIFY = 0
"""Index of the multicast group of nlctrl. It is 0, because nlctrl has only this group."""


class GenericNetlink:
    """The protocol NETLINK_GENERIC of a machine. Its constructor registers the family nlctrl."""

    def __init__(
        self,
        netlink: Netlink,
        guard: Guard = lambda owner, where: nullcontext(),
        events: LockEvents | None = None,
    ) -> None:
        self.netlink = netlink
        self.registry = Registry()
        self.lock = OperationLock(events)
        self._dispatcher = Dispatcher(netlink, self.registry, self.lock, guard)
        self.controller = ctrl.Controller(self.registry, self.lock, netlink.request_module).family
        self._add(self.controller)
        netlink.namespaces.register_pernet(self._enter, self._leave)

    # -- namespaces -------------------------------------------------------------

    def _enter(self, net: Net) -> None:
        """Create the kernel socket of a new namespace (`genl_pernet_init()`)."""
        kernel_socket.create(
            self.netlink,
            net,
            nl.NETLINK_GENERIC,
            input=lambda sock: Receiver(sock, self._dispatcher.entry, Info).receive,
            flags=NONROOT_RECV,
            bind=self._bind,
            unbind=self._unbind,
            release=self._release,
        )

    def _leave(self, net: Net) -> None:
        KERNEL_SOCKETS.of(net)[nl.NETLINK_GENERIC].release()

    # -- groups -----------------------------------------------------------------

    def _bind(self, net: Net, task: Task, group: int) -> None:
        """Check the task's capabilities and notify the family before a socket joins a group (`genl_bind()`).

        A group that no family uses yet can be joined.
        """
        found = self.registry.find_group(group)
        if found is None:
            return
        family, index = found
        if not all(task.credentials.capable(each) for each in family.groups[index].capabilities):
            raise os_error(EPERM)
        if family.on_join is not None:
            family.on_join(index)

    def _unbind(self, net: Net, group: int) -> None:
        """Notify the family after a socket left a group (`genl_unbind()`)."""
        found = self.registry.find_group(group)
        if found is not None and found[0].on_leave is not None:
            found[0].on_leave(found[1])

    def _release(self, sock: NetlinkSock) -> None:
        """Notify all families that a socket is closed, so that each family can free the socket's data
        (`genl_release()`).
        """
        for family in self.registry:
            if family.on_release is not None:
                family.on_release(sock)

    # -- families -----------------------------------------------------------------

    def register(self, family: Family) -> None:
        """Register a family (`genl_register_family()`). Raise EEXIST if its name is in use."""
        self._add(family)
        if family.groups:
            self.netlink.entries[nl.NETLINK_GENERIC].groups = self.registry.group_count
        self._tell(family, genl.CTRL_CMD_NEWFAMILY, family.description)
        for index in range(len(family.groups)):
            self._tell(family, genl.CTRL_CMD_NEWMCAST_GRP, ctrl.describe_group(family, index))

    def _add(self, family: Family) -> None:
        self.registry.add(family)
        family.description = ctrl.describe(family)

    def unregister(self, family: Family) -> None:
        """Unregister a family and remove the members of its groups (`genl_unregister_family()`)."""
        if self.registry.by_id.get(family.id) is not family:
            raise os_error(ENOENT)
        entry = self.netlink.entries[nl.NETLINK_GENERIC]
        for index in range(len(family.groups)):
            entry.clear_members(family.first_group + index)
        for index in range(len(family.groups)):
            self._tell(family, genl.CTRL_CMD_DELMCAST_GRP, ctrl.describe_group(family, index))
        self.registry.remove(family)
        self._tell(family, genl.CTRL_CMD_DELFAMILY, family.description)

    def _tell(self, family: Family, event: int, attributes: bytes) -> None:
        """Send an event to nlctrl's group (`genl_ctrl_event()`). If the receive queue of a member is full,
        the member misses the event and no error is raised.
        """
        nets = self.netlink.namespaces if family.netnsok else (self.netlink.namespaces.init,)
        data = self.message(self.controller, event, attributes)
        with suppress(OSError):
            self._multicast(data, self.controller.first_group + NOTIFY, nets, exclude=0)

    # -- messages to groups -------------------------------------------------------

    @staticmethod
    def message(family: Family, command: int, attributes: bytes) -> bytes:
        """Return a message that a family sends without a request, for example an event."""
        header = genl.GenlMsgHdr.LAYOUT.pack(command, family.version, 0)
        return nl.message(family.id, header + attributes)

    def multicast(
        self,
        family: Family,
        group: int,
        command: int,
        attributes: bytes,
        *,
        net: Net | None = None,
        exclude: int = 0,
    ) -> None:
        """Send a message to a family's group in the namespace `net` (`genlmsg_multicast()`). If `net` is
        None, send the message in all namespaces.

        `group` is the index among the family's groups. Raise ESRCH if no member received the message, ENOBUFS
        if a member with NETLINK_BROADCAST_ERROR was overrun.
        """
        data = self.message(family, command, attributes)
        nets = self.netlink.namespaces if net is None else (net,)
        if not self._multicast(data, family.first_group + group, nets, exclude):
            raise os_error(ESRCH)

    def has_listeners(self, family: Family, group: int) -> bool:
        """Return True if a family's group has members (`genl_has_listeners()`). `group` is the index among
        the family's groups.
        """
        return bool(self.netlink.entries[nl.NETLINK_GENERIC].members.get(family.first_group + group))

    def notify(self, info: Info, group: int, command: int, attributes: bytes) -> None:
        """Notify a group of a change that a request has made (`genl_notify()`).

        The requester gets the notification too if it set NLM_F_ECHO.
        """
        sock = info.sock
        skb = sock.skb(info.message(command, attributes), allotted=GOODSIZE)
        report = bool(info.flags & nl.NLM_F_ECHO)
        sock.notify(skb, info.portid, info.family.first_group + group, report=report)

    @staticmethod
    def _multicast(data: bytes, group: int, nets: Iterable[Net], exclude: int) -> bool:
        """Send the message `data` to a group in each namespace of `nets` (`genlmsg_mcast()`). Return True if
        a member received the message.
        """
        delivered = False
        for net in nets:
            sock = KERNEL_SOCKETS.of(net)[nl.NETLINK_GENERIC]
            try:
                sock.multicast(sock.skb(data, allotted=GOODSIZE), group, exclude=exclude)
                delivered = True
            except OSError as error:
                if error.errno != ESRCH:
                    raise
        return delivered
