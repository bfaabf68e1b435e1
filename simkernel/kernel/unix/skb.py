"""A message in the queue of a unix socket: bytes, sender, files; and the cost of its memory in ns."""

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
"""Bytes of a datagram that lie in one piece; the rest is in pages."""
SKB_MAX_HEAD: Final = PAGE_SIZE - SHARED_INFO
"""The same for a part of a stream."""
MAX_STREAM_FRAGS: Final = 32768
"""Bytes in pages that a part of a stream has at most (UNIX_SKB_FRAGS_SZ)."""
ACCOUNTED: Final = (512, 1024)
"""The kmalloc caches that are used where small heads have one of their own."""
MAX_FRAGS: Final = 17
"""Pieces of pages that a buffer has at most (MAX_SKB_FRAGS)."""
MAX_SLAB_OBJECT: Final = KMALLOC_SIZES[-1]
MAX_STOCK_OBJECT: Final = 2048
"""Largest slab object, in bytes, that a CPU's stock of charged bytes covers (`consume_obj_stock()`)."""
MAX_PIECE_PAGES: Final = 8
"""Pages that lie in one piece at most (PAGE_ALLOC_COSTLY_ORDER)."""
NO_CREDS: Final[Creds] = (0, 65534, 65534)
"""Whose a message is that bears no credentials: no process, overflowuid, overflowgid."""


def end_of_file(flags: int) -> Received:
    """The end of file, for a receive with these MSG_ flags."""
    return b"", 0, (), flags & MSG_CMSG_CLOEXEC, b""


class Sender(Protocol):
    """The socket that sent a message."""

    @property
    def name(self) -> bytes | None:
        """Its whole address, None without one."""

    @property
    def messages(self) -> deque[UnixSkb]:
        """Its own receive queue."""

    @property
    def scm_fds(self) -> int:
        """Files in flight to it."""

    def memory_freed(self, truesize: int) -> None:
        """Reduce its send memory."""

    def release(self, *, embryo: bool = False) -> None:
        """Close it; `embryo`: a connection that was never accepted."""


@attrs.define(eq=False, repr=False)
class UnixSkb:
    """A message, or a part of a stream (`struct unix_skb_parms` beside it).

    `creds` are None unless somebody asked for them, or the sender said them.  `offset` is how much of a
    part is read.  The memory is the sender's until it is freed.
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
        """What there is left to be read (`unix_skb_len()`)."""
        return len(self.data) - self.offset

    def free(self) -> None:
        """Release the sender's memory, and the files that no receiver took."""
        files, self.files = self.files, ()
        release_files(files)
        self.sender.memory_freed(self.truesize)


def release_files(files: Iterable[OpenFile]) -> None:
    """Drop a message's references to its files."""
    for file in files:
        file.put()


def datagram_pages(length: int) -> int:
    """Bytes in pages of a datagram (`unix_dgram_sendmsg()`)."""
    if length <= SKB_MAX_ALLOC:
        return 0
    return page_align(min(length - SKB_MAX_ALLOC, MAX_FRAGS * PAGE_SIZE))


def stream_pages(length: int) -> int:
    """Bytes in pages of a part of a stream (`unix_stream_sendmsg()`)."""
    return min(length, page_align(max(0, length - SKB_MAX_HEAD)))


def truesize(length: int, pages: int) -> int:
    """What a buffer with `length` bytes, `pages` of them in pages, costs (`alloc_skb_with_frags()`).

    Its memory is charged to the sender's memcg (GFP_KERNEL_ACCOUNT), which the cache of small heads does
    not take: they come from kmalloc.
    """
    needed = head_size(length - pages)
    head = next((cache for cache in ACCOUNTED if needed <= cache), None)
    return (allot(length - pages)[1] if head is None else head + SKB_STRUCT) + page_align(pages)


def allocation(costs: CostModel, truesize: int, pages: int) -> int:
    """A buffer of `truesize`, with `pages` bytes of it in pages (`alloc_skb_with_frags()`).

    The buffer, its head and each piece of pages are charged to the sender's memcg.  Each piece is copied by
    itself, in and out.
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
    """Pieces, each a power of 2 of pages and as large as can be, that so many pages come in."""
    return count // MAX_PIECE_PAGES + (count % MAX_PIECE_PAGES).bit_count()
