"""What a socket buffer costs in memory: its truesize, which receive queues are charged.

A buffer is a `struct sk_buff` and a head, which holds the data and, at its end, a
`struct skb_shared_info`.  Heads come from the slab allocator in fixed sizes.  All figures are those
of Linux 6.18 on x86-64 (recorded cases exact_truesize.*; SO_MEMINFO shows them one by one).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from simkernel.uapi.errno import ENOBUFS, os_error

PAGE_SIZE: Final = 4096
CACHE_LINE: Final = 64

SKB_STRUCT: Final = 256
"""`struct sk_buff`, in whole cache lines."""
SHARED_INFO: Final = 320
"""`struct skb_shared_info`, in whole cache lines."""
SMALL_HEAD: Final = 576
"""Size of a head from skb_small_head_cache, which takes all that fit it."""
KMALLOC_SIZES: Final = (1024, 2048, 4096, 8192)
"""The kmalloc caches above SMALL_HEAD; beyond the last one it is whole pages, a power of 2 of them."""
SLAB_LARGEST: Final = KMALLOC_SIZES[-1] - SHARED_INFO
"""Bytes of data that the largest of them has room for."""
SLAB_TRUESIZE: Final = KMALLOC_SIZES[-1] + SKB_STRUCT
"""The largest truesize of a buffer that takes no pages of its own."""
KMALLOC_MAX: Final = PAGE_SIZE << 10
"""What the page allocator has in one piece (MAX_PAGE_ORDER)."""

SOCK_MIN_RCVBUF: Final = 2304
"""Least receive buffer: SKB_TRUESIZE(2048), and half of SOCK_MIN_SNDBUF."""
SOCK_MIN_SNDBUF: Final = 4608

GOODSIZE: Final = PAGE_SIZE - SHARED_INFO
"""NLMSG_GOODSIZE: the most data in a buffer whose head is one page."""


def head_size(size: int) -> int:
    """What `size` bytes of data and a `skb_shared_info` take (SKB_HEAD_ALIGN())."""
    return ((size + CACHE_LINE - 1) & -CACHE_LINE) + SHARED_INFO


@lru_cache(maxsize=8192)
def allot(size: int) -> tuple[int, int]:
    """Data bytes that a buffer made for `size` really has, and its truesize (`alloc_skb()`).

    ENOBUFS if the allocator has no piece as large as that.
    """
    head = head_size(size)
    if head <= SMALL_HEAD:
        head = SMALL_HEAD
    elif head <= KMALLOC_SIZES[-1]:
        head = next(cache for cache in KMALLOC_SIZES if head <= cache)
    elif head <= KMALLOC_MAX:
        head = PAGE_SIZE << ((head - 1) // PAGE_SIZE).bit_length()
    else:
        raise os_error(ENOBUFS)
    return head - SHARED_INFO, head + SKB_STRUCT


def trim(room: int, truesize: int, length: int) -> int:
    """The truesize after giving back what a sender does not need (`netlink_trim()`).

    That is done only where at least half of the buffer is unused.
    """
    if (room - length) * 2 < truesize:
        return truesize
    return allot(length)[1]


@lru_cache(maxsize=8192)
def truesize(size: int, length: int) -> int:
    """The truesize of a buffer that the kernel made for `size` bytes at least, with `length` bytes in it."""
    return trim(*allot(max(size, length)), length)


_GOOD = allot(GOODSIZE)
GOOD_TRUESIZES: Final = tuple(trim(*_GOOD, length) for length in range(GOODSIZE + 1))
"""The same for a buffer of GOODSIZE, which most answers are made for, by the bytes that are in it."""


@lru_cache(maxsize=8192)
def user_truesize(length: int, multicast: bool) -> int:
    """The truesize of a message of `length` bytes from a program (`netlink_alloc_large_skb()`).

    A large one to a port id is not rounded up to a slab or to a power of 2 of pages; to a group it is.
    """
    head = head_size(length)
    if head > PAGE_SIZE and not multicast:
        return head + SKB_STRUCT
    return trim(*allot(length), length)
