"""Socket buffers: datagrams in receive queues."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.net.creds import Creds

KERNEL_ADDRESS: Final = (0, 0)


class Skb:
    """A datagram with its netlink control block (`struct sk_buff`, `struct netlink_skb_parms`).

    It does not change once it is sent, so that many receivers may hold the same one.  `address` is
    what receivers see: the sender's port id and the group as a mask.  `nsid` is where it comes from,
    for a receiver in another namespace.
    """

    # INLINE: simkernel.kernel.netlink.skb.Skb.__init__, 2.0 % of round-trip
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
    """Make a buffer."""
    skb = Skb()
    skb.data = data
    skb.truesize = truesize
    skb.address = address
    skb.dst_group = dst_group
    skb.creds = creds
    skb.flow = flow
    skb.nsid = nsid
    return skb
