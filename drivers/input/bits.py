"""Bitmaps of event codes, for example of the keys that a device has. Bit N of an int represents code N."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

BITS_PER_LONG: Final = 64


def codes(bits: int, least: int = 0, below: int | None = None) -> Iterator[int]:
    """Yield the number of each set bit, from bit `least` up to but not including bit `below`
    (`for_each_set_bit_from()`).
    """
    rest = bits >> least
    while rest:
        code = least + (rest & -rest).bit_length() - 1
        if below is not None and code >= below:
            return
        yield code
        rest &= rest - 1


def words(max_code: int) -> int:
    """Return the number of longs in a bitmap: BITS_TO_LONGS(max_code).

    Linux rounds up the highest code here, not the number of codes.
    """
    return -(-max_code // BITS_PER_LONG)


def to_bytes(bits: int, max_code: int) -> bytes:
    """Return a bitmap in the byte layout of the evdev ioctls (`bits_to_user()`)."""
    return bits.to_bytes(words(max_code) * BITS_PER_LONG // 8, "little")


def to_text(bits: int) -> str:
    """Return a bitmap as the text in uevents and sysfs: longs in hex, starting with the highest one that is
    not 0.

    The source is `input_print_bitmap()`.
    """
    last = max(bits.bit_length() - 1, 0) // BITS_PER_LONG
    mask = (1 << BITS_PER_LONG) - 1
    return " ".join(f"{bits >> BITS_PER_LONG * word & mask:x}" for word in range(last, -1, -1))
