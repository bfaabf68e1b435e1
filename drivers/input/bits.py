"""Bitmaps: which codes a device has, and which of its keys are held.  Bit `code` of an int."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

BITS_PER_LONG: Final = 64


def codes(bits: int, least: int = 0, below: int | None = None) -> Iterator[int]:
    """The numbers of the bits that are set, from `least` on (`for_each_set_bit_from()`)."""
    rest = bits >> least
    while rest:
        code = least + (rest & -rest).bit_length() - 1
        if below is not None and code >= below:
            return
        yield code
        rest &= rest - 1


def words(max_code: int) -> int:
    """How many longs a bitmap has: BITS_TO_LONGS of its highest code, as Linux counts it here."""
    return -(-max_code // BITS_PER_LONG)


def to_bytes(bits: int, max_code: int) -> bytes:
    """A bitmap as programs see it (`bits_to_user()`)."""
    return bits.to_bytes(words(max_code) * BITS_PER_LONG // 8, "little")


def to_text(bits: int) -> str:
    """A bitmap as a uevent and sysfs show it: longs in hex, the highest that is not 0 first
    (`input_print_bitmap()`)."""
    last = max(bits.bit_length() - 1, 0) // BITS_PER_LONG
    mask = (1 << BITS_PER_LONG) - 1
    return " ".join(f"{bits >> BITS_PER_LONG * word & mask:x}" for word in range(last, -1, -1))
