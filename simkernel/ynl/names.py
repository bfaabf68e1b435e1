"""Names of enum values and flags.  Callers pass and get these names instead of the integers in attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from simkernel.ynl.errors import choose
from simkernel.ynl.model import Attribute, Enumeration

Conversion: TypeAlias = Callable[[Any], Any]


def to_number(attribute: Attribute) -> Conversion | None:
    """Return the function that converts a caller's value to the attribute's integer.

    It returns an integer unchanged.  It raises ValueError for a name that is not in the enum.  Without an
    enum, return None.
    """
    if attribute.enum is None:
        return None
    return _from_flags(attribute.enum) if attribute.as_flags else _from_name(attribute.enum)


def from_number(attribute: Attribute) -> Conversion | None:
    """Return the function that converts the attribute's integer to a name, or to a tuple of names if the enum
    has flags.

    Return None if the attribute has no enum.
    """
    if attribute.enum is None:
        return None
    return _to_flags(attribute.enum) if attribute.as_flags else _to_name(attribute.enum)


def _from_name(enum: Enumeration) -> Conversion:
    numbers = enum.numbers
    return lambda value: _lookup(enum, numbers, value) if isinstance(value, str) else value


def _to_name(enum: Enumeration) -> Conversion:
    """Return a function from number to name.  It returns an unknown number unchanged, because a newer kernel
    may send one.
    """
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
    """Return a function from a mask to a tuple with the names of its bits.  Bits without a name are added as
    one number.
    """
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
