"""A netlink protocol with asynchronous replies: a request is queued, and a work item answers it.

The reply to N is N squared, with the sequence number of the request.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from simkernel.driverapi.delay import fsleep
from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.netlink import (
    NONROOT_RECV,
    Request,
    Skb,
    netlink_kernel_create,
    netlink_kernel_release,
    netlink_rcv_skb,
    nlmsg_data,
    nlmsg_unicast,
)
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.workqueue import Work, cancel_work_sync, init_work, schedule_work
from simkernel.uapi.errno import ECONNREFUSED
from simkernel.uapi.netlink import NLMSG_MIN_TYPE, message

MODULE = Module(license="GPL", aliases=("net-pf-16-proto-18",))

NETLINK_ORACLE: Final = 18
ASK: Final = NLMSG_MIN_TYPE
THINKING_US: Final = 500


class Oracle:
    """State of the loaded module. `lock` protects the queue of requests: port id, sequence number and the
    number to square.
    """

    def __init__(self, this: ThisModule) -> None:
        self.this = this
        self.lock = spin_lock_init(this, "oracle")
        self.queue: deque[tuple[int, int, int]] = deque()
        self.work = init_work(this, self.answer)
        self.socket = netlink_kernel_create(this, NETLINK_ORACLE, self.receive, flags=NONROOT_RECV)

    def receive(self, skb: Skb) -> object:
        """Queue each request of a datagram."""
        return netlink_rcv_skb(self.socket, skb, self.ask)

    def ask(self, request: Request) -> None:
        """Queue one request and schedule the work item."""
        with self.lock:
            self.queue.append((request.portid, request.seq, int(nlmsg_data(request))))
        schedule_work(self.work)

    async def answer(self, work: Work) -> None:
        """Answer the queued requests in order."""
        while True:
            with self.lock:
                if not self.queue:
                    return
                portid, sequence, number = self.queue.popleft()
            await fsleep(self.this, THINKING_US)
            try:
                nlmsg_unicast(self.socket, message(ASK, str(number**2).encode(), seq=sequence), portid)
            except OSError as error:
                if error.errno != ECONNREFUSED:
                    raise


def init(this: ThisModule) -> Oracle:
    """Register the netlink protocol."""
    return Oracle(this)


async def exit(this: ThisModule, oracle: Oracle) -> None:
    """Unregister the netlink protocol."""
    await cancel_work_sync(oracle.work)
    netlink_kernel_release(oracle.socket)
