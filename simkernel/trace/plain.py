"""Conversion of record fields to JSON that is equal on every host: without addresses, paths and hash
order.
"""

from __future__ import annotations

from collections.abc import Set
from enum import Enum

from simkernel.uapi.structure import Structure


def plain(value: object) -> object:
    """Convert a value that JSON does not support (for the `default` of json.dumps).

    An object that is not data is represented by its name.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": value.hex()}
    if isinstance(value, Set):
        return sorted(value, key=repr)
    if isinstance(value, Structure):
        return {type(value).__name__: [getattr(value, name) for name in value.__match_args__]}
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    name = getattr(value, "__qualname__", None)
    return {"object": name if isinstance(name, str) else type(value).__qualname__}


def brief(value: object, longest: int = 64) -> object:
    """Convert a value as `plain` does. For bytes, return hexadecimal digits. If there are more than `longest`
    bytes, return the first `longest` of them and the total length.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        rest = f"... {len(value)} bytes" if len(value) > longest else ""
        return value[:longest].hex() + rest
    return plain(value)
