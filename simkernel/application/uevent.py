"""A monitor of kernel uevents, like `udevadm monitor --kernel`."""

from __future__ import annotations

from simkernel.application.caller import Caller
from simkernel.application.lazy import lazy
from simkernel.application.socket import NetlinkSocket, netlink_socket
from simkernel.uapi.netlink import NETLINK_KOBJECT_UEVENT
from simkernel.uapi.socket import SOCK_RAW
from simkernel.uapi.structure import Malformed
from simkernel.uapi.uevent import Uevent

KERNEL_GROUP = 1
"""The multicast group of kernel uevents, the only one in NETLINK_KOBJECT_UEVENT (lib/kobject_uevent.c)."""

BUFFER = 8192
"""Receive buffer in bytes.  The largest uevent has 2048 bytes (UEVENT_BUFFER_SIZE)."""


class UeventMonitor:
    """An asynchronous iterator over uevents.

    Events arrive in the order of SEQNUM, each at most once.  If the socket's buffer overflows, `__anext__`
    raises OSError (ENOBUFS) once.  Events are lost then; the next `__anext__` returns the first event
    after the gap.
    """

    def __init__(self, app: Caller, sock: NetlinkSocket) -> None:
        self._app = app
        self.sock = sock

    def __repr__(self) -> str:
        return f"<UeventMonitor on {self.sock}>"

    @classmethod
    async def open(cls, app: Caller) -> UeventMonitor:
        """Join the multicast group of kernel uevents and return a monitor of all later uevents."""
        sock = await netlink_socket(app, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
        await sock.bind((0, KERNEL_GROUP))
        return cls(app, sock)

    def __aiter__(self) -> UeventMonitor:
        return self

    async def __anext__(self) -> Uevent:
        """Wait for the next uevent that the kernel sends, and return it.

        As in udev, messages of senders other than the kernel are ignored.  So are malformed messages: root
        can make the kernel broadcast any bytes (`uevent_net_rcv_skb()`).
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
        """Close the monitor's socket."""
        await self.sock.close()
