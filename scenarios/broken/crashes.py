"""crashes: serves a netlink protocol and divides by what it is sent, which may be 0."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.netlink import (
    KernelSocket,
    Request,
    Skb,
    netlink_kernel_create,
    netlink_kernel_release,
    netlink_rcv_skb,
    nlmsg_data,
    nlmsg_unicast,
)
from simkernel.uapi.netlink import NLMSG_MIN_TYPE, message

NETLINK_DIVISION = 21
DIVIDE = NLMSG_MIN_TYPE
DIVIDEND = 840

MODULE = Module(
    license="GPL", description="Divides by 0 if asked to", aliases=(f"net-pf-16-proto-{NETLINK_DIVISION}",)
)


class Divider:
    """The module while it is loaded."""

    def __init__(self, this: ThisModule) -> None:
        self.socket: KernelSocket = netlink_kernel_create(this, NETLINK_DIVISION, self.receive)

    def receive(self, skb: Skb) -> object:
        """Take apart what a program has sent."""
        return netlink_rcv_skb(self.socket, skb, self.divide)

    def divide(self, request: Request) -> None:
        """Answer one message: its first byte says what to divide by.  It is not checked: that is the bug."""
        quotient = DIVIDEND // nlmsg_data(request)[0]
        answer = message(DIVIDE, quotient.to_bytes(4, "little"), seq=request.seq)
        nlmsg_unicast(self.socket, answer, request.portid)


def init(this: ThisModule) -> Divider:
    """Begin to serve the protocol."""
    return Divider(this)


def exit(this: ThisModule, divider: Divider) -> None:
    """Serve it no longer."""
    netlink_kernel_release(divider.socket)
