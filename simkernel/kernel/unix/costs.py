"""What the memory of a message between unix sockets costs to allocate and to free, in ns."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.net.truesize import KMALLOC_SIZES, PAGE_SIZE, SKB_STRUCT
from simkernel.uapi.mman import page_align

SLAB_LARGEST: Final = KMALLOC_SIZES[-1]
IN_STOCK: Final = 1024
"""What a piece of a slab may have for a CPU's stock of charged bytes to cover it (`consume_obj_stock()`)."""
PIECE_PAGES: Final = 8
"""Pages that lie in one piece at most (PAGE_ALLOC_COSTLY_ORDER)."""


def allocation(costs: CostModel, truesize: int, pages: int) -> int:
    """A buffer of `truesize`, with `pages` bytes of it in pages (`alloc_skb_with_frags()`).

    The buffer and its head are charged to the sender's memcg, and each piece of pages is.
    """
    price = costs.skb_alloc + 2 * costs.memory_charge
    pages = page_align(pages)
    head = truesize - SKB_STRUCT - pages
    if head > SLAB_LARGEST:
        price += costs.page_alloc + costs.memory_charge
    elif head > IN_STOCK:
        price += costs.memory_charge
    if pages:
        price += _pieces(pages // PAGE_SIZE) * (costs.page_alloc + costs.memory_charge)
    return price


def _pieces(count: int) -> int:
    """Pieces, each a power of 2 of pages and as large as can be, that so many pages come in."""
    return count // PIECE_PAGES + (count % PIECE_PAGES).bit_count()
