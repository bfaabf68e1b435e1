"""Field values of records as JSON, the same on every host: no addresses, no paths, no hash order."""

from __future__ import annotations

from collections.abc import Set
from enum import Enum

from simkernel.uapi.structure import Structure


def plain(value: object) -> object:
    """JSON for a value that JSON does not know (the `default` of json.dumps).

    Of an object that is not data only the name is told.
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
    """The same for readers: bytes as hexadecimal digits, those of the first `longest` bytes."""
    if isinstance(value, bytes | bytearray | memoryview):
        rest = f"... {len(value)} bytes" if len(value) > longest else ""
        return value[:longest].hex() + rest
    return plain(value)
