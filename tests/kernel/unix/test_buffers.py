"""Memory and cost of the buffers of unix sockets (`alloc_skb_with_frags()`)."""

from __future__ import annotations

import pytest

from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.unix import skb

COSTS = CostModel(
    skb_alloc=1_000_000, memory_charge=10_000, page_alloc=100, copy_begin=1
)  # each cost has its own decimal digits, so a sum shows which costs it contains
PAGE = 4096
OF_A_BUFFER = 1_020_000

ALLOCATIONS = [
    # bytes in the buffer's head, bytes in its pages, cost of the allocation with COSTS
    (512, 0, OF_A_BUFFER),
    (2048, 0, OF_A_BUFFER),
    (2049, 0, OF_A_BUFFER + 10_000),
    (8192, 0, OF_A_BUFFER + 10_000),
    (8193, 0, OF_A_BUFFER + 10_100),
    (512, 1, OF_A_BUFFER + 10_102),
    (512, PAGE, OF_A_BUFFER + 10_102),
    (512, PAGE + 1, OF_A_BUFFER + 10_102),
    (512, 3 * PAGE, OF_A_BUFFER + 2 * 10_102),
    (512, 8 * PAGE, OF_A_BUFFER + 10_102),
    (512, 9 * PAGE, OF_A_BUFFER + 2 * 10_102),
    (512, 15 * PAGE, OF_A_BUFFER + 4 * 10_102),
    (512, 16 * PAGE, OF_A_BUFFER + 2 * 10_102),
]


@pytest.mark.parametrize(("head", "pages", "expected"), ALLOCATIONS)
def test_cost_of_an_allocation(head: int, pages: int, expected: int) -> None:
    truesize = head + skb.SKB_STRUCT + -(-pages // PAGE) * PAGE
    assert skb.allocation(COSTS, truesize, pages) == expected


PAGES = [
    # length of the data; bytes in the pages of a datagram's buffer; bytes in the pages of a stream's buffer
    (0, 0, 0),
    (1, 0, 0),
    (skb.SKB_MAX_HEAD, 0, 0),
    (skb.SKB_MAX_HEAD + 1, 0, PAGE),
    (skb.SKB_MAX_HEAD + PAGE, 0, PAGE),
    (skb.SKB_MAX_HEAD + PAGE + 1, 0, 2 * PAGE),
    (skb.SKB_MAX_ALLOC, 0, None),
    (skb.SKB_MAX_ALLOC + 1, PAGE, None),
    (skb.SKB_MAX_ALLOC + PAGE, PAGE, None),
    (skb.SKB_MAX_ALLOC + PAGE + 1, 2 * PAGE, None),
    (1 << 20, 17 * PAGE, None),
]


@pytest.mark.parametrize(("length", "datagram", "stream"), PAGES)
def test_bytes_in_pages(length: int, datagram: int, stream: int | None) -> None:
    """The buffer of a datagram has at most 17 pages (MAX_SKB_FRAGS). For a stream, the number of bytes in
    pages is at most the length of the data.
    """
    assert skb.datagram_pages(length) == datagram
    if stream is not None:
        assert skb.stream_pages(length) == min(stream, length)
