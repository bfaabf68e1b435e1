"""A uevent monitor: what `udevadm monitor --kernel` shows."""

from __future__ import annotations

from simkernel.application.caller import Caller
from simkernel.application.lazy import lazy
from simkernel.application.socket import NetlinkSocket, netlink_socket
from simkernel.uapi.netlink import NETLINK_KOBJECT_UEVENT
from simkernel.uapi.socket import SOCK_RAW
from simkernel.uapi.structure import Malformed
from simkernel.uapi.uevent import Uevent

KERNEL_GROUP = 1
"""The one group of the protocol (lib/kobject_uevent.c)."""

BUFFER = 8192
"""Larger than any uevent (UEVENT_BUFFER_SIZE is 2048)."""


class UeventMonitor:
    """An asynchronous iterator over uevents.

    Guarantees: in the order of their SEQNUM, none twice.  When the socket overruns, `__anext__` raises
    OSError (ENOBUFS) once: events are missing, and the next one goes on after the gap.
    """

    def __init__(self, app: Caller, sock: NetlinkSocket) -> None:
        self._app = app
        self.sock = sock

    def __repr__(self) -> str:
        return f"<UeventMonitor on {self.sock}>"

    @classmethod
    async def open(cls, app: Caller) -> UeventMonitor:
        """A monitor that hears every uevent from now on."""
        sock = await netlink_socket(app, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
        await sock.bind((0, KERNEL_GROUP))
        return cls(app, sock)

    def __aiter__(self) -> UeventMonitor:
        return self

    async def __anext__(self) -> Uevent:
        """The next event.

        Passed over, as udev does, is what others than the kernel send to the group, and what is no
        event: root may have the kernel announce any bytes (`uevent_net_rcv_skb()`).
        """
        while True:
            data, sender = await self.sock.recvfrom(BUFFER)
            if sender[0] == 0:
                try:
                    return Uevent.unpack(data)
                except Malformed:
                    continue

    @lazy
    async def close(self) -> None:
        """Stop listening."""
        await self.sock.close()
