"""hello: a module without a device. It answers the messages of a netlink protocol with greetings.

A program opens a socket of netlink protocol 17; the kernel then loads this module by its alias.  The
program sends a HELLO message with its name and receives a HELLO message with a greeting.  Members of
multicast group 1 receive the name of each greeted program.
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
    description="Sends greetings over a netlink protocol",
    parameters=(
        ModuleParameter("greeting", str, "Hello", description="the greeting that precedes the name"),
    ),
    aliases=(f"net-pf-16-proto-{NETLINK_HELLO}",),
)


class Hello:
    """The state of the loaded module: its socket and the number of greetings."""

    def __init__(self, this: ThisModule) -> None:
        self.greeting: str = this.parameters["greeting"]
        self.lock = spin_lock_init(this, "hello")
        """Protects the counter `greeted`, because programs on two CPUs can send at the same time."""
        self.greeted = 0
        self.socket: KernelSocket = netlink_kernel_create(
            this, NETLINK_HELLO, self.receive, groups=GREETED_GROUP, flags=NONROOT_RECV
        )

    def receive(self, skb: Skb) -> object:
        """Handle each netlink message of a datagram that a program has sent."""
        return netlink_rcv_skb(self.socket, skb, self.greet)

    def greet(self, request: Request) -> None:
        """Send a greeting to the sender of a message, and the sender's name to the multicast group.

        Raise EOPNOTSUPP if the message type is not HELLO, EINVAL if the name is empty or longer than
        MAX_NAME.
        """
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
    """Register the netlink protocol."""
    hello = Hello(this)
    pr_info(this, f"serving netlink protocol {NETLINK_HELLO}")
    return hello


def exit(this: ThisModule, hello: Hello) -> None:
    """Release the netlink protocol.

    No program has a socket of the protocol now, because each such socket holds a reference to the module.
    """
    netlink_kernel_release(hello.socket)
    with hello.lock:
        pr_info(this, f"greeted {hello.greeted}")
