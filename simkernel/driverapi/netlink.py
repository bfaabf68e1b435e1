"""include/linux/netlink.h: a netlink protocol that a module implements.

    def receive(skb: Skb) -> object:                       # in the context of the program that sends
        return netlink_rcv_skb(sock, skb, handle)

    def handle(request: Request) -> None:                  # called for each message; OSError is its answer
        nlmsg_unicast(sock, message(HELLO, b"...", seq=request.seq), request.portid)

    sock = netlink_kernel_create(this, 17, receive)
    netlink_kernel_release(sock)

Messages are bytes that include the header: see `simkernel.uapi.netlink`.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from simkernel.driverapi.context import kernel_of, module_of
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.module.resources import Resource
from simkernel.kernel.netlink import kernel_socket
from simkernel.kernel.netlink.message import Receiver
from simkernel.kernel.netlink.message import Request as Request
from simkernel.kernel.netlink.sock import NONROOT_RECV as NONROOT_RECV
from simkernel.kernel.netlink.sock import NONROOT_SEND as NONROOT_SEND
from simkernel.kernel.netlink.sock import Inbound
from simkernel.uapi.errno import ENOMEM, os_error
from simkernel.uapi.netlink import NLMSG_HDRLEN

Skb = Inbound


@attrs.frozen(eq=False)
class KernelSocket:
    """The kernel socket of a netlink protocol. The module that created the socket passes it to the other
    functions of this file.
    """

    this: ThisModule
    socket: kernel_socket.KernelSocket
    resource: Resource


def netlink_kernel_create(
    this: ThisModule,
    protocol: int,
    receive: Callable[[Skb], object],
    *,
    groups: int = 0,
    flags: int = 0,
) -> KernelSocket:
    """Serve `protocol` (0 to 31) in the initial network namespace. The kernel calls `receive` with each
    datagram that a program sends to the kernel.

    The protocol has at least `groups` multicast groups, and at least 32. With NONROOT_RECV a program
    without CAP_NET_ADMIN can join them, with NONROOT_SEND it can send to them. An open socket of the
    protocol prevents unloading of the module. Raise ENOMEM if the protocol already has a kernel socket.
    """
    kernel, module = kernel_of(this), module_of(this)
    kernel.resources.allocate(module, "netlink protocol")
    guarded = kernel.oopses.wrap(module, f"netlink protocol {protocol}", receive)
    try:
        sock = kernel_socket.create(
            kernel.netlink,
            kernel.net,
            protocol,
            input=lambda _: guarded,
            groups=groups,
            flags=flags,
            owner=module,
        )
    except OSError:
        raise os_error(ENOMEM) from None  # Linux returns NULL, and its drivers then return ENOMEM
    resource = kernel.resources.add(module, "netlink protocol", str(protocol), sock.release)
    return KernelSocket(this, sock, resource)


def netlink_kernel_release(sock: KernelSocket) -> None:
    """Close the kernel socket of the protocol."""
    kernel_of(sock.this).resources.remove(sock.resource)
    sock.socket.release()


def netlink_rcv_skb(sock: KernelSocket, skb: Skb, handle: Callable[[Request], object]) -> object:
    """Call `handle` for each message of a datagram. Acknowledge each message that has NLM_F_ACK.

    An OSError raised by `handle` is sent as NLMSG_ERROR. The receive function must return the result,
    which is awaitable if `handle` is a coroutine function.
    """
    wrapped = kernel_of(sock.this).oopses.wrap(module_of(sock.this), "netlink request", handle)
    return Receiver(sock.socket, wrapped, Request).receive(skb)


def nlmsg_data(request: Request) -> bytes:
    """Return the payload of a message."""
    return request.data[request.start + NLMSG_HDRLEN : request.end]


def nlmsg_unicast(sock: KernelSocket, data: bytes, portid: int) -> None:
    """Send a message to the socket with port id `portid`. Raise ECONNREFUSED if no socket has this port id,
    EAGAIN if the socket's receive queue is full.
    """
    sock.socket.send(data, portid)


def nlmsg_multicast(sock: KernelSocket, data: bytes, group: int, *, exclude: int = 0) -> None:
    """Send a message to the members of a group, except the socket with port id `exclude`. Raise ESRCH if the
    group has no members, ENOBUFS if a member's receive queue was full.
    """
    sock.socket.multicast(sock.socket.skb(data), group, exclude=exclude)


def netlink_has_listeners(sock: KernelSocket, group: int) -> bool:
    """Return True if `group` has members."""
    return sock.socket.has_listeners(group)
