"""Socket buffers: datagrams in receive queues, and those that the kernel reads at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from simkernel.kernel.netlink.socket import NetlinkSocket
    from simkernel.kernel.vfs.task import Task


Creds = tuple[int, int, int]
"""Process, user and group of a sender (`struct scm_creds`)."""

KERNEL_ADDRESS: Final = (0, 0)
KERNEL_CREDS: Final[Creds] = (0, 0, 0)
"""The kernel is process 0, as root."""


def own_creds(task: Task) -> Creds:
    """What a message of `task` bears, unless it claims something else."""
    credentials = task.credentials
    return task.tgid, credentials.uid, credentials.gid


class Skb:
    """A datagram with what netlink keeps beside it (`struct sk_buff`, `struct netlink_skb_parms`).

    It does not change once it is sent, so that many receivers may hold the same one.  `address` is
    what receivers see: the sender's port id and the group as a mask.  `nsid` is where it comes from,
    for a receiver in another namespace.  There is no constructor: `make_skb()` fills it in, or who is in a
    hurry.
    """

    __slots__ = ("address", "creds", "data", "dst_group", "flow", "nsid", "truesize")

    address: tuple[int, int]
    creds: Creds
    data: bytes
    dst_group: int
    flow: int
    nsid: int | None
    truesize: int

    def copy(self, nsid: int | None = None) -> Skb:
        """Another buffer over the same data, for a receiver elsewhere (`skb_clone()`)."""
        return make_skb(self.data, self.truesize, self.address, self.dst_group, self.creds, self.flow, nsid)

    def shortened(self, length: int) -> Skb:
        """A buffer with the first `length` bytes only, which costs the same (`pskb_trim()`)."""
        if length >= len(self.data):
            return self
        data = self.data[:length]
        return make_skb(data, self.truesize, self.address, self.dst_group, self.creds, self.flow, self.nsid)


def make_skb(
    data: bytes,
    truesize: int,
    address: tuple[int, int],
    dst_group: int,
    creds: Creds,
    flow: int,
    nsid: int | None = None,
) -> Skb:
    """A buffer with all that it has."""
    skb = Skb()
    skb.data = data
    skb.truesize = truesize
    skb.address = address
    skb.dst_group = dst_group
    skb.creds = creds
    skb.flow = flow
    skb.nsid = nsid
    return skb


class Inbound:
    """A datagram from a program to the kernel, which reads it at once and in that program's context.

    `sender` is the socket it was sent from and `task` who is calling.  `claim` is whose credentials
    it bears if not the task's own; `addressed` tells that a destination was named (NETLINK_SKB_DST).
    There is no constructor: `sendmsg()` makes it and fills it in, in half the time.
    """

    __slots__ = ("addressed", "claim", "data", "sender", "task")

    addressed: bool
    claim: Creds | None
    data: bytes
    sender: NetlinkSocket
    task: Task

    @property
    def portid(self) -> int:
        """Port id of the sender."""
        return self.sender.portid

    @property
    def creds(self) -> Creds:
        """The credentials that it bears."""
        return self.claim or own_creds(self.task)
