"""Socket buffers: the datagrams that lie in receive queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from simkernel.kernel.netlink.socket import NetlinkSocket
    from simkernel.kernel.task.task import Task


Creds = tuple[int, int, int]
"""Process, user and group of a sender (`struct scm_creds`)."""

KERNEL_CREDS: Final[Creds] = (0, 0, 0)
"""The kernel is process 0, as root."""


class Skb:
    """A datagram with what netlink keeps beside it (`struct sk_buff`, `struct netlink_skb_parms`).

    It does not change once it is sent, so that many receivers may hold the same one.
    `addressed` tells that its sender named a destination (NETLINK_SKB_DST).  `sender` and `task`
    are there while the kernel reads a request: the socket it came from and who is calling.
    """

    __slots__ = (
        "addressed",
        "creds",
        "data",
        "dst_group",
        "flow",
        "nsid",
        "portid",
        "sender",
        "task",
        "truesize",
    )

    def __init__(
        self, data: bytes, truesize: int, portid: int, dst_group: int, creds: Creds, flow: int
    ) -> None:
        self.data = data
        self.truesize = truesize
        self.portid = portid
        self.dst_group = dst_group
        self.creds = creds
        self.flow = flow
        self.nsid: int | None = None
        self.addressed = False
        self.sender: NetlinkSocket | None = None
        self.task: Task | None = None

    def copy(self) -> Skb:
        """Another buffer over the same data (`skb_clone()`)."""
        clone = Skb(self.data, self.truesize, self.portid, self.dst_group, self.creds, self.flow)
        clone.nsid = self.nsid
        clone.addressed = self.addressed
        return clone

    def shortened(self, length: int) -> Skb:
        """A buffer with the first `length` bytes only, which costs the same (`pskb_trim()`)."""
        if length >= len(self.data):
            return self
        clone = self.copy()
        clone.data = self.data[:length]
        return clone
