"""Truesize: the memory that a socket buffer occupies, which counts against the limit of a receive queue.

A buffer is a `struct sk_buff` and a head, which holds the data and, at its end, a `struct
skb_shared_info`. Heads come from the slab allocator in fixed sizes. All sizes are those of Linux 6.18 on
x86-64 (recorded cases exact_truesize.*, which read SO_MEMINFO).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from simkernel.uapi.errno import ENOBUFS, os_error

PAGE_SIZE: Final = 4096
CACHE_LINE: Final = 64

SKB_STRUCT: Final = 256
"""Size of `struct sk_buff` in bytes, rounded up to cache lines."""
SHARED_INFO: Final = 320
"""Size of `struct skb_shared_info` in bytes, rounded up to cache lines."""
SMALL_HEAD: Final = 576
"""Size of the heads in skb_small_head_cache, in bytes. A buffer whose head needs at most this size gets its
head from this cache.
"""
KMALLOC_SIZES: Final = (1024, 2048, 4096, 8192)
"""Sizes of the kmalloc caches, in bytes, for heads larger than SMALL_HEAD. A head that is larger than the
last of these sizes takes 2^n whole pages.
"""
SLAB_LARGEST: Final = KMALLOC_SIZES[-1] - SHARED_INFO
"""Maximum bytes of data in a head from the largest kmalloc cache."""
SLAB_TRUESIZE: Final = KMALLOC_SIZES[-1] + SKB_STRUCT
"""Maximum truesize of a buffer whose head comes from a kmalloc cache."""
KMALLOC_MAX: Final = PAGE_SIZE << 10
"""Maximum size of one allocation in bytes (MAX_PAGE_ORDER)."""

SOCK_MIN_RCVBUF: Final = 2304
"""Minimum size of a receive buffer in bytes: SKB_TRUESIZE(2048), half of SOCK_MIN_SNDBUF."""
SOCK_MIN_SNDBUF: Final = 4608

GOODSIZE: Final = PAGE_SIZE - SHARED_INFO
"""Maximum bytes of data in a buffer whose head is one page (NLMSG_GOODSIZE)."""


def head_size(size: int) -> int:
    """Return the size of the head of a buffer for `size` bytes of data (SKB_HEAD_ALIGN()). The allocator can
    round this size up.
    """
    return ((size + CACHE_LINE - 1) & -CACHE_LINE) + SHARED_INFO


@lru_cache(maxsize=8192)
def allot(size: int) -> tuple[int, int]:
    """Return the number of usable bytes and the truesize of a buffer allocated for `size` bytes
    (`alloc_skb()`).

    Raise ENOBUFS if `size` exceeds the largest allocation.
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


def trim(usable: int, truesize: int, length: int) -> int:
    """Return the truesize after the kernel has freed the unused part of a buffer (`netlink_trim()`).

    The buffer is reallocated only if at least half of it is unused.
    """
    if (usable - length) * 2 < truesize:
        return truesize
    return allot(length)[1]


@lru_cache(maxsize=8192)
def truesize(size: int, length: int) -> int:
    """Return the truesize of a message from the kernel. The message has `length` bytes, and its buffer was
    allocated for at least `size` bytes.
    """
    return trim(*allot(max(size, length)), length)


_GOOD = allot(GOODSIZE)
GOOD_TRUESIZES: Final = tuple(trim(*_GOOD, length) for length in range(GOODSIZE + 1))
"""Truesizes of buffers that are allocated for GOODSIZE bytes, by length of the message in the buffer. The
kernel uses these buffers for most answers.
"""


@lru_cache(maxsize=8192)
def user_truesize(length: int, multicast: bool) -> int:
    """Return the truesize of a message of `length` bytes that a program sends (`netlink_alloc_large_skb()`).

    The head of a large unicast message is allocated with vmalloc, so its size is not rounded up.
    """
    head = head_size(length)
    if head > PAGE_SIZE and not multicast:
        return head + SKB_STRUCT
    return trim(*allot(length), length)
