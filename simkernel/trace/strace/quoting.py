"""Quoted strings in the format of strace."""

from __future__ import annotations

from typing import Final

from simkernel.uapi.structure import Buffer

MAX_STRING: Final = 32
"""Maximum number of bytes of a string, and of elements of an array, to print (strace -s)."""

_ESCAPES: Final = {ord(char): f"\\{name}" for char, name in zip('"\\\t\n\v\f\r', '"\\tnvfr', strict=True)}


def hexadecimal_string(data: Buffer) -> str:
    r"""Quote bytes as `\xNN`, as strace prints data that it cannot decode."""
    return _quoted("".join(f"\\x{byte:02x}" for byte in data[:MAX_STRING]), data)


def c_string(data: Buffer, longest: int = MAX_STRING) -> str:
    """Quote bytes as a C string, with the shortest octal escape that does not absorb a following digit."""
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
