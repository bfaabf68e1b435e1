"""NETLINK_KOBJECT_UEVENT: broadcasts of device events from the kernel and from programs
(kobject_uevent.c).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from simkernel.kernel.net.namespace import Net
from simkernel.kernel.net.truesize import truesize
from simkernel.kernel.netlink import kernel_socket
from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS, KernelSocket
from simkernel.kernel.netlink.message import Receiver, Request
from simkernel.kernel.netlink.netlink import Netlink
from simkernel.kernel.netlink.skb import Skb
from simkernel.kernel.netlink.sock import NONROOT_RECV
from simkernel.kernel.vfs.task import NetNamespace
from simkernel.uapi.capability import CAP_SYS_ADMIN
from simkernel.uapi.errno import EINVAL, ENOBUFS, EPERM, ESRCH, os_error
from simkernel.uapi.netlink import NETLINK_KOBJECT_UEVENT, NLMSG_HDRLEN
from simkernel.uapi.uevent import UEVENT_GROUP, Uevent

BUFFER_SIZE: Final = 2048
"""Maximum length of an event that a program sends, in bytes (UEVENT_BUFFER_SIZE)."""


class UeventSockets:
    """The kernel's uevent sockets, one per namespace. `next_sequence` returns the SEQNUM of the next
    event.
    """

    def __init__(self, netlink: Netlink, next_sequence: Callable[[], int]) -> None:
        self._netlink = netlink
        self._next_sequence = next_sequence
        netlink.namespaces.register_pernet(self._enter, self._leave)

    def _enter(self, net: Net) -> None:
        """Create the uevent socket of a new namespace (`uevent_net_init()`)."""
        kernel_socket.create(
            self._netlink,
            net,
            NETLINK_KOBJECT_UEVENT,
            input=lambda sock: Receiver(sock, self._handle, Request).receive,
            groups=1,
            flags=NONROOT_RECV,
        )

    def _leave(self, net: Net) -> None:
        KERNEL_SOCKETS.of(net)[NETLINK_KOBJECT_UEVENT].release()

    def broadcast(self, event: Uevent, only: NetNamespace | None = None) -> None:
        """Send an event to the listeners in all namespaces (`kobject_uevent_net_broadcast()`). If `only` is
        not None, send the event only to the listeners in this namespace.
        """
        data = event.pack()
        for net in self._netlink.namespaces:
            if only not in (None, net):
                continue
            sock = KERNEL_SOCKETS.of(net)[NETLINK_KOBJECT_UEVENT]
            if sock.has_listeners(UEVENT_GROUP):
                with suppress(OSError):  # Linux ignores the error if the socket buffer cannot be allocated
                    _send(sock, sock.skb(data), shared=True)

    def _handle(self, request: Request) -> None:
        """Broadcast an event from a program to the listeners of its namespace (`uevent_net_rcv_skb()`).

        Raise EPERM without CAP_SYS_ADMIN, EINVAL if the event is too long.
        """
        if not request.capable(CAP_SYS_ADMIN):
            request.extack.message = "missing CAP_SYS_ADMIN capability"
            raise os_error(EPERM)
        # Later messages of the datagram are part of the uevent, because Linux does not divide the datagram.
        rest = request.data[request.start :]
        tail = f"SEQNUM={self._next_sequence()}\0".encode()
        if len(rest) + len(tail) > BUFFER_SIZE:
            request.extack.message = "uevent message too big"
            raise os_error(EINVAL)
        data = rest[NLMSG_HDRLEN:] + tail
        skb = request.sock.skb(data, creds=request.inbound.creds)
        # the removed netlink header still takes buffer space
        skb.truesize = truesize(0, NLMSG_HDRLEN + len(data))
        _send(request.sock, skb, shared=False)


def _send(sock: KernelSocket, skb: Skb, *, shared: bool) -> None:
    """Multicast an event. The sender gets no error, even if a member's queue is full or the group has no
    members.
    """
    try:
        sock.multicast(skb, UEVENT_GROUP, shared=shared)
    except OSError as error:
        if error.errno not in (ENOBUFS, ESRCH):
            raise
