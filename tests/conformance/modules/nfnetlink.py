"""nfnetlink: a module that registers netlink protocol 12. Its receive function drops all messages."""

from __future__ import annotations

from typing import Final

from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.netlink import KernelSocket, Skb, netlink_kernel_create, netlink_kernel_release

NETLINK_NETFILTER: Final = 12
GROUPS: Final = 9

MODULE = Module(license="GPL", aliases=(f"net-pf-16-proto-{NETLINK_NETFILTER}",))


def receive(skb: Skb) -> None:
    """Drop a message."""


def init(this: ThisModule) -> KernelSocket:
    """Register the protocol."""
    return netlink_kernel_create(this, NETLINK_NETFILTER, receive, groups=GROUPS)


def exit(this: ThisModule, socket: KernelSocket) -> None:
    """Unregister the protocol."""
    netlink_kernel_release(socket)
