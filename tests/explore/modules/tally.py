"""A netlink protocol whose module counts requests without a lock, so that two CPUs can lose a count."""

from __future__ import annotations

from typing import Any

from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.netlink import (
    Request,
    Skb,
    netlink_kernel_create,
    netlink_kernel_release,
    netlink_rcv_skb,
    nlmsg_unicast,
)
from simkernel.uapi.netlink import message

PROTOCOL = 25
MODULE = Module(license="GPL", aliases=(f"net-pf-16-proto-{PROTOCOL}",))


class Tally:
    """State of the module: the number of counted requests, and the netlink socket."""

    def __init__(self, this: ThisModule) -> None:
        self.count = 0
        self.socket: Any = netlink_kernel_create(this, PROTOCOL, self.receive)

    def receive(self, skb: Skb) -> object:
        """Count the requests of a datagram."""
        return netlink_rcv_skb(self.socket, skb, self.add)

    def add(self, request: Request) -> None:
        """Increase the count of requests by one, and reply with the new count."""
        self.count += 1
        nlmsg_unicast(self.socket, message(16, bytes([self.count]), seq=request.seq), request.portid)


def init(this: ThisModule) -> Tally:
    """Register the protocol."""
    return Tally(this)


def exit(this: ThisModule, tally: Tally) -> None:
    """Unregister the protocol."""
    netlink_kernel_release(tally.socket)
