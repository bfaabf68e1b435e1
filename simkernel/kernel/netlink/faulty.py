"""A netlink socket that drops messages at the fault point `netlink.deliver`."""

from __future__ import annotations

from simkernel.kernel.netlink import receive
from simkernel.kernel.netlink.context import NetlinkContext
from simkernel.kernel.netlink.sock import PortTable, ProtocolEntry
from simkernel.kernel.netlink.socket import NetlinkSocket
from simkernel.kernel.vfs.socket import Received
from simkernel.kernel.vfs.task import Task


class FaultySocket(NetlinkSocket):
    """A netlink socket for fault injection. A fault can drop a message before it is queued, or make a receive
    fail and lose the message.

    The multicast fast path never delivers to it, because a message must pass the fault point first. `task`
    opened the socket; a dropped message is attributed to that task.
    """

    __slots__ = ("task",)

    lossy = True

    def __init__(
        self, netlink: NetlinkContext, ports: PortTable, entry: ProtocolEntry, type: int, task: Task
    ) -> None:
        self.task = task
        super().__init__(netlink, ports, entry, type, task)

    def changed(self) -> None:
        super().changed()
        self.fast_net = None

    def loses(self, group: int) -> bool:
        faults = self.netlink.faults
        return faults is not None and faults.hit_for(
            self.task, "netlink.deliver", protocol=self.protocol, group=group
        )

    def recvmsg(self, task: Task, size: int, controllen: int = 0, flags: int = 0) -> Received | None:
        """Receive a datagram. If it was dequeued but could not be copied to the program, it is lost.

        The steps that follow a receive are done nevertheless: resume a dump, wake blocked senders.
        """
        waiting = len(self.queue or ())
        try:
            return super().recvmsg(task, size, controllen, flags)
        except OSError:
            if len(self.queue or ()) < waiting:
                receive.after_failed_copy(self)
            raise
