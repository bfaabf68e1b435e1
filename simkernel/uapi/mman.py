"""Constants of mmap(2) and related calls.

Sources: include/uapi/asm-generic/mman-common.h, mman.h, linux/memfd.h.
"""

from __future__ import annotations

from typing import Final

PROT_NONE: Final = 0x0
PROT_READ: Final = 0x1
PROT_WRITE: Final = 0x2
PROT_EXEC: Final = 0x4

MAP_SHARED: Final = 0x01
MAP_PRIVATE: Final = 0x02
MAP_SHARED_VALIDATE: Final = 0x03
MAP_TYPE: Final = 0x0F
MAP_FIXED: Final = 0x10
MAP_ANONYMOUS: Final = 0x20
MAP_DENYWRITE: Final = 0x0800
MAP_LOCKED: Final = 0x2000
MAP_NORESERVE: Final = 0x4000
MAP_POPULATE: Final = 0x8000
MAP_FIXED_NOREPLACE: Final = 0x100000

MS_ASYNC: Final = 1
MS_INVALIDATE: Final = 2
MS_SYNC: Final = 4

MFD_CLOEXEC: Final = 0x1
MFD_ALLOW_SEALING: Final = 0x2
MFD_HUGETLB: Final = 0x4
MFD_NOEXEC_SEAL: Final = 0x8
MFD_EXEC: Final = 0x10

PAGE_SHIFT: Final = 12
PAGE_SIZE: Final = 1 << PAGE_SHIFT


def page_align(size: int) -> int:
    """Return `size` rounded up to a multiple of the page size."""
    return -(-size >> PAGE_SHIFT) << PAGE_SHIFT
