"""Bytes between quotes as strace prints them."""

from __future__ import annotations

from typing import Final

from simkernel.uapi.structure import Buffer

MAX_STRING: Final = 32
"""Bytes shown of a string, and elements of an array (strace -s)."""

_ESCAPES: Final = {ord(char): f"\\{name}" for char, name in zip('"\\\t\n\v\f\r', '"\\tnvfr', strict=True)}


def hexadecimal_string(data: Buffer) -> str:
    """Every byte as `\\xNN`: how strace shows what it cannot decode."""
    return _quoted("".join(f"\\x{byte:02x}" for byte in data[:MAX_STRING]), data)


def c_string(data: Buffer, longest: int = MAX_STRING) -> str:
    """As C writes it, what is not printable in the shortest octal that the next byte cannot be read into."""
    shown = bytes(data[:longest])
    parts = []
    for byte, following in zip(shown, (shown + b"\0")[1:], strict=True):
        if byte in _ESCAPES:
            parts.append(_ESCAPES[byte])
        elif 0x20 <= byte < 0x7F:
            parts.append(chr(byte))
        else:
            parts.append(f"\\{byte:03o}" if chr(following).isdigit() else f"\\{byte:o}")
    return _quoted("".join(parts), data, longest)


def _quoted(text: str, data: Buffer, longest: int = MAX_STRING) -> str:
    return f'"{text}"' + ("..." if len(data) > longest else "")
