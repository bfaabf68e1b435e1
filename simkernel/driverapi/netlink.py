"""include/linux/netlink.h: a netlink protocol of a module's own.

    def receive(skb: Skb) -> object:                       # in the context of the program that sends
        return netlink_rcv_skb(sock, skb, handle)

    def handle(request: Request) -> None:                  # for each message; OSError is its answer
        nlmsg_unicast(sock, message(HELLO, b"...", seq=request.seq), request.portid)

    sock = netlink_kernel_create(this, 17, receive)
    netlink_kernel_release(sock)

Messages are bytes with a header of their own: see `simkernel.uapi.netlink`.
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
    """The kernel's end of a protocol, as a module holds it."""

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
    """Serve `protocol` (0 to 31) in the initial network namespace; `receive` takes what programs send.

    It has `groups` multicast groups (32 at least).  With NONROOT_RECV anybody may join them, with
    NONROOT_SEND send to them; otherwise that takes CAP_NET_ADMIN.  A program's socket of the
    protocol holds the module.  ENOMEM if somebody serves it already.
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
        raise os_error(ENOMEM) from None  # Linux returns no socket, and drivers make this of it
    resource = kernel.resources.add(module, "netlink protocol", str(protocol), sock.release)
    return KernelSocket(this, sock, resource)


def netlink_kernel_release(sock: KernelSocket) -> None:
    """Serve the protocol no longer."""
    kernel_of(sock.this).resources.remove(sock.resource)
    sock.socket.release()


def netlink_rcv_skb(sock: KernelSocket, skb: Skb, handle: Callable[[Request], object]) -> object:
    """Hand each message of a datagram to `handle`, and acknowledge those that ask for it.

    An OSError of `handle` goes back as NLMSG_ERROR.  To be returned by who receives: it is awaitable if
    `handle` is `async def`.
    """
    wrapped = kernel_of(sock.this).oopses.wrap(module_of(sock.this), "netlink request", handle)
    return Receiver(sock.socket, wrapped, Request).receive(skb)


def nlmsg_data(request: Request) -> bytes:
    """What follows a message's header."""
    return request.data[request.start + NLMSG_HDRLEN : request.end]


def nlmsg_unicast(sock: KernelSocket, data: bytes, portid: int) -> None:
    """Send to one program.  ECONNREFUSED if it is gone, EAGAIN if its queue is full."""
    sock.socket.send(data, portid)


def nlmsg_multicast(sock: KernelSocket, data: bytes, group: int, *, exclude: int = 0) -> None:
    """Send to a group, the port id `exclude` left out.  ESRCH if nobody is in it, ENOBUFS if some lost it."""
    sock.socket.multicast(sock.socket.skb(data), group, exclude=exclude)


def netlink_has_listeners(sock: KernelSocket, group: int) -> bool:
    """Whether anybody is in `group`."""
    return sock.socket.has_listeners(group)
