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

    It does not change once it is sent, so that many receivers may hold the same one.  `nsid` is
    where it comes from, for a receiver in another namespace.

    `addressed` is there in what programs send: whether they named a destination (NETLINK_SKB_DST).
    `sender` and `task` are there once the kernel reads it: the socket it came from and who is calling.
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

    addressed: bool
    sender: NetlinkSocket
    task: Task

    def __init__(
        self,
        data: bytes,
        truesize: int,
        portid: int,
        dst_group: int,
        creds: Creds,
        flow: int,
        nsid: int | None = None,
    ) -> None:
        self.data = data
        self.truesize = truesize
        self.portid = portid
        self.dst_group = dst_group
        self.creds = creds
        self.flow = flow
        self.nsid = nsid

    def copy(self, nsid: int | None = None) -> Skb:
        """Another buffer over the same data, for a receiver elsewhere (`skb_clone()`)."""
        return Skb(self.data, self.truesize, self.portid, self.dst_group, self.creds, self.flow, nsid)

    def shortened(self, length: int) -> Skb:
        """A buffer with the first `length` bytes only, which costs the same (`pskb_trim()`)."""
        if length >= len(self.data):
            return self
        data = self.data[:length]
        return Skb(data, self.truesize, self.portid, self.dst_group, self.creds, self.flow, self.nsid)
