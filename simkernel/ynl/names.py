"""Names for numbers and bits: what callers write and read instead of an attribute's integer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from simkernel.ynl.errors import choose
from simkernel.ynl.model import Attribute, Enumeration

Conversion: TypeAlias = Callable[[Any], Any]


def to_number(attribute: Attribute) -> Conversion | None:
    """What makes the attribute's integer of what a caller gives; None if that is the integer itself.

    Numbers are taken as they are.  The conversion raises ValueError at a name that the enum has not.
    """
    if attribute.enum is None:
        return None
    return _from_flags(attribute.enum) if attribute.as_flags else _from_name(attribute.enum)


def from_number(attribute: Attribute) -> Conversion | None:
    """What makes the name, or of flags the tuple of names, of the attribute's integer; None for none."""
    if attribute.enum is None:
        return None
    return _to_flags(attribute.enum) if attribute.as_flags else _to_name(attribute.enum)


def _from_name(enum: Enumeration) -> Conversion:
    numbers = enum.numbers
    return lambda value: _lookup(enum, numbers, value) if isinstance(value, str) else value


def _to_name(enum: Enumeration) -> Conversion:
    """A number without a name, as a newer kernel may send it, stays a number."""
    names = {number: name for name, number in enum.numbers.items()}
    return lambda value: names.get(value, value)


def _from_flags(enum: Enumeration) -> Conversion:
    bits = enum.bits

    def convert(value: Any) -> int:
        if isinstance(value, int):
            return value
        mask = 0
        for each in (value,) if isinstance(value, str) else value:
            mask |= each if isinstance(each, int) else _lookup(enum, bits, each)
        return mask

    return convert


def _to_flags(enum: Enumeration) -> Conversion:
    """The names of the bits that are set; bits without a name come last, as one number."""
    bits = enum.bits

    @lru_cache(maxsize=64)
    def convert(value: int) -> tuple[str | int, ...]:
        names = [name for name, bit in bits.items() if value & bit]
        rest = value & ~sum(bits.values())
        return (*names, rest) if rest else tuple(names)

    return convert


def _lookup(enum: Enumeration, numbers: Mapping[str, int], name: Any) -> int:
    if name not in numbers:
        raise ValueError(f"unknown name {name!r} of {enum.name}; {choose(name, numbers)}")
    return numbers[name]
