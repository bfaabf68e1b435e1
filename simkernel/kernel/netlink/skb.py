"""Socket buffers, which hold datagrams in receive queues."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.net.creds import Creds

KERNEL_ADDRESS: Final = (0, 0)


class Skb:
    """A datagram with its netlink control block (`struct sk_buff`, `struct netlink_skb_parms`).

    A buffer does not change after it is sent, so many receivers can share it. `address` is the source
    address that receivers get: the sender's port id and the mask of the group. `nsid` identifies the
    sender's namespace for a receiver in another namespace.
    """

    # INLINE: simkernel.kernel.netlink.skb.Skb.__init__, saves 2.0 % of round-trip
    __slots__ = ("address", "creds", "data", "dst_group", "flow", "nsid", "truesize")

    address: tuple[int, int]
    creds: Creds
    data: bytes
    dst_group: int
    flow: int
    nsid: int | None
    truesize: int

    def copy(self, nsid: int | None = None) -> Skb:
        """Return a copy of the buffer with another `nsid`. Both buffers share the data (`skb_clone()`)."""
        return make_skb(self.data, self.truesize, self.address, self.dst_group, self.creds, self.flow, nsid)

    def shortened(self, length: int) -> Skb:
        """Return a buffer that contains only the first `length` bytes. Its truesize is unchanged
        (`pskb_trim()`).
        """
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
    """Create a buffer. Assigning the attributes here is faster than in a method `Skb.__init__`."""
    skb = Skb()
    skb.data = data
    skb.truesize = truesize
    skb.address = address
    skb.dst_group = dst_group
    skb.creds = creds
    skb.flow = flow
    skb.nsid = nsid
    return skb
