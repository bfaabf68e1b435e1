"""A message in the queue of a unix socket: its bytes, sender and files, and the cost in ns of allocating
it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol

import attrs

from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.net.creds import Creds
from simkernel.kernel.net.truesize import KMALLOC_SIZES, PAGE_SIZE, SHARED_INFO, SKB_STRUCT, allot, head_size
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.socket import Received
from simkernel.uapi.mman import page_align
from simkernel.uapi.socket import MSG_CMSG_CLOEXEC

SKB_MAX_ALLOC: Final = (PAGE_SIZE << 2) - SHARED_INFO
"""If a datagram has at most this number of bytes, all bytes are in the linear part of its buffer. Further
bytes, rounded up to whole pages, are stored in at most MAX_FRAGS pages.
"""
SKB_MAX_HEAD: Final = PAGE_SIZE - SHARED_INFO
"""Maximum number of bytes in the linear part of a buffer that a stream socket sends."""
MAX_STREAM_FRAGS: Final = 32768
"""Maximum number of bytes in the pages of a buffer that a stream socket sends (UNIX_SKB_FRAGS_SZ)."""
ACCOUNTED: Final = (512, 1024)
"""Sizes in bytes of the kmalloc caches for the linear part of a small buffer. Linux charges buffers of unix
sockets to a memcg. It therefore does not take them from `skb_small_head_cache`, whose memory is not charged.
"""
MAX_FRAGS: Final = 17
"""Maximum number of page fragments of a buffer (MAX_SKB_FRAGS)."""
MAX_SLAB_OBJECT: Final = KMALLOC_SIZES[-1]
MAX_STOCK_OBJECT: Final = 2048
"""Each CPU has a stock: memory that is already charged to a memcg. This is the maximum size in bytes of a
slab object for which a CPU can use its stock (`consume_obj_stock()`).
"""
MAX_PIECE_PAGES: Final = 8
"""Maximum number of pages in a fragment (2**PAGE_ALLOC_COSTLY_ORDER)."""
NO_CREDS: Final[Creds] = (0, 65534, 65534)
"""Credentials that a receiver gets for a message without credentials: pid 0, overflowuid, overflowgid."""


def end_of_file(flags: int) -> Received:
    """Return the result of a receive at the end of file: no data. `flags` are the MSG_ flags of the call."""
    return b"", 0, (), flags & MSG_CMSG_CLOEXEC, b""


class Sender(Protocol):
    """The socket that has sent a message: the attributes and methods that the code of the message uses."""

    @property
    def name(self) -> bytes | None:
        """The socket's whole address, or None if it has no name."""

    @property
    def messages(self) -> deque[UnixSkb]:
        """The socket's own receive queue."""

    @property
    def scm_fds(self) -> int:
        """Number of files in flight to the socket."""

    def memory_freed(self, truesize: int) -> None:
        """Subtract the size of a freed buffer from the socket's send memory."""

    def release(self, *, embryo: bool = False) -> None:
        """Close the socket. `embryo` is true for a connection that was never accepted."""


@attrs.define(eq=False, repr=False)
class UnixSkb:
    """A buffer in the queue of a unix socket: one datagram, or a part of a stream (`struct sk_buff` with
    `struct unix_skb_parms`).

    `creds` is None unless the sender passed credentials or one of the sockets asked for them.  `offset` is
    the number of bytes already read.  The memory is charged to the sender until the message is freed.
    """

    sender: Sender
    data: bytes
    truesize: int
    creds: Creds | None
    files: tuple[OpenFile, ...]
    flow: int
    offset: int = 0

    @property
    def length(self) -> int:
        """Number of bytes that are not read yet (`unix_skb_len()`)."""
        return len(self.data) - self.offset

    def free(self) -> None:
        """Drop the references to the files that no receiver took, and subtract the size of the message from
        the sender's send memory.
        """
        files, self.files = self.files, ()
        release_files(files)
        self.sender.memory_freed(self.truesize)


def release_files(files: Iterable[OpenFile]) -> None:
    """Drop a message's references to its files."""
    for file in files:
        file.put()


def datagram_pages(length: int) -> int:
    """Return how many bytes of a datagram of `length` bytes are stored in pages (`unix_dgram_sendmsg()`)."""
    if length <= SKB_MAX_ALLOC:
        return 0
    return page_align(min(length - SKB_MAX_ALLOC, MAX_FRAGS * PAGE_SIZE))


def stream_pages(length: int) -> int:
    """Return the number of bytes that a buffer of a stream socket stores in pages. `length` is the number of
    all bytes in the buffer (`unix_stream_sendmsg()`).
    """
    return min(length, page_align(max(0, length - SKB_MAX_HEAD)))


def truesize(length: int, pages: int) -> int:
    """Return the memory in bytes that a buffer with `length` bytes of data uses. `pages` is the number of
    these bytes that are stored in pages (`alloc_skb_with_frags()`).

    The head of the buffer comes from kmalloc, because it is charged to the sender's memcg
    (GFP_KERNEL_ACCOUNT). The cache of small heads does not account.
    """
    needed = head_size(length - pages)
    head = next((cache for cache in ACCOUNTED if needed <= cache), None)
    return (allot(length - pages)[1] if head is None else head + SKB_STRUCT) + page_align(pages)


def allocation(costs: CostModel, truesize: int, pages: int) -> int:
    """Return the cost in ns of allocating a buffer. `pages` is the number of its bytes that are stored in
    pages (`alloc_skb_with_frags()`).

    The buffer, its head and each fragment are charged to the sender's memcg.  Each fragment is copied
    separately, in and out.
    """
    cost = costs.skb_alloc + 2 * costs.memory_charge
    pages = page_align(pages)
    head = truesize - SKB_STRUCT - pages
    if head > MAX_SLAB_OBJECT:
        cost += costs.page_alloc + costs.memory_charge
    elif head > MAX_STOCK_OBJECT:
        cost += costs.memory_charge
    if pages:
        cost += _pieces(pages // PAGE_SIZE) * (costs.page_alloc + costs.memory_charge + 2 * costs.copy_begin)
    return cost


def _pieces(count: int) -> int:
    """Return the number of fragments that hold `count` pages. The size of each fragment is a power of 2, at
    most 8 pages.
    """
    return count // MAX_PIECE_PAGES + (count % MAX_PIECE_PAGES).bit_count()
