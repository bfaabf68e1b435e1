"""crashes: a module with a bug. It divides by a number that a program sends, which can be 0."""

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
    license="GPL",
    description="Divides by a number from user space",
    aliases=(f"net-pf-16-proto-{NETLINK_DIVISION}",),
)


class Divider:
    """The loaded module: its kernel netlink socket, and the handler that divides."""

    def __init__(self, this: ThisModule) -> None:
        self.socket: KernelSocket = netlink_kernel_create(this, NETLINK_DIVISION, self.receive)

    def receive(self, skb: Skb) -> object:
        """Handle each netlink message of a datagram that a program has sent."""
        return netlink_rcv_skb(self.socket, skb, self.divide)

    def divide(self, request: Request) -> None:
        """Send the quotient to the sender.  The divisor is the first byte of the message.

        The bug: the divisor is not checked, so 0 raises ZeroDivisionError, which is an oops.
        """
        quotient = DIVIDEND // nlmsg_data(request)[0]
        answer = message(DIVIDE, quotient.to_bytes(4, "little"), seq=request.seq)
        nlmsg_unicast(self.socket, answer, request.portid)


def init(this: ThisModule) -> Divider:
    """Register the netlink protocol."""
    return Divider(this)


def exit(this: ThisModule, divider: Divider) -> None:
    """Release the netlink protocol."""
    netlink_kernel_release(divider.socket)
