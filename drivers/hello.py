"""hello: a module that drives no device, and greets whoever asks over a netlink protocol of its own.

A program opens a socket of protocol 17 (which loads this module, by its alias), sends a HELLO message
with its name, and gets a HELLO message with a greeting.  Whoever is in group 1 hears who was greeted.
"""

from __future__ import annotations

from typing import Final

from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.netlink import (
    NONROOT_RECV,
    KernelSocket,
    Request,
    Skb,
    netlink_has_listeners,
    netlink_kernel_create,
    netlink_kernel_release,
    netlink_rcv_skb,
    nlmsg_data,
    nlmsg_multicast,
    nlmsg_unicast,
)
from simkernel.driverapi.printk import pr_info
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.uapi.errno import EINVAL, EOPNOTSUPP, os_error
from simkernel.uapi.netlink import NLMSG_MIN_TYPE, message

NETLINK_HELLO: Final = 17
HELLO: Final = NLMSG_MIN_TYPE
GREETED_GROUP: Final = 1
MAX_NAME: Final = 64

MODULE = Module(
    license="GPL",
    version="1.0",
    description="Greets whoever asks, over a netlink protocol of its own",
    parameters=(ModuleParameter("greeting", str, "Hello", description="what to say before the name"),),
    aliases=(f"net-pf-16-proto-{NETLINK_HELLO}",),
)


class Hello:
    """The module while it is loaded: its socket, and how many it has greeted."""

    def __init__(self, this: ThisModule) -> None:
        self.greeting: str = this.parameters["greeting"]
        self.lock = spin_lock_init(this, "hello")
        """Protects `greeted`: programs on two CPUs send at the same time."""
        self.greeted = 0
        self.socket: KernelSocket = netlink_kernel_create(
            this, NETLINK_HELLO, self.receive, groups=GREETED_GROUP, flags=NONROOT_RECV
        )

    def receive(self, skb: Skb) -> object:
        """Take apart what a program has sent: there may be several messages in it."""
        return netlink_rcv_skb(self.socket, skb, self.greet)

    def greet(self, request: Request) -> None:
        """Answer one message.  EOPNOTSUPP if it is no HELLO, EINVAL if it bears no name."""
        if request.type != HELLO:
            raise os_error(EOPNOTSUPP)
        name = nlmsg_data(request).rstrip(b"\0")
        if not 0 < len(name) <= MAX_NAME:
            raise os_error(EINVAL)
        with self.lock:
            self.greeted += 1
        text = self.greeting.encode() + b", " + name + b"!"
        nlmsg_unicast(self.socket, message(HELLO, text, seq=request.seq), request.portid)
        if netlink_has_listeners(self.socket, GREETED_GROUP):
            nlmsg_multicast(self.socket, message(HELLO, name), GREETED_GROUP)


def init(this: ThisModule) -> Hello:
    """Begin to serve the protocol."""
    hello = Hello(this)
    pr_info(this, f"serving netlink protocol {NETLINK_HELLO}")
    return hello


def exit(this: ThisModule, hello: Hello) -> None:
    """Serve it no longer.  No program has a socket of it now: each holds the module."""
    netlink_kernel_release(hello.socket)
    with hello.lock:
        pr_info(this, f"greeted {hello.greeted}")
