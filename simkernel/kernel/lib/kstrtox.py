"""Conversion of text to integers (lib/kstrtox.c)."""

from __future__ import annotations

import re

from simkernel.uapi.errno import EINVAL, ERANGE, os_error

_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))", re.ASCII)


def kstrtoint(text: str) -> int:
    """Convert text to an integer. A prefix such as 0x or 0 selects base 16 or 8. Raise EINVAL if the text is
    not an integer.
    """
    match = _INTEGER.fullmatch(text)
    if match is None:
        raise os_error(EINVAL)
    sign, hexadecimal, octal, decimal = match.groups()
    value = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    return -value if sign == "-" else value


def kstrtoul(data: bytes) -> int:
    """Convert bytes to an unsigned 64-bit integer. The bytes may end with a newline.

    Raises EINVAL or ERANGE.
    """
    text = data.split(b"\0")[0].decode("latin-1").removesuffix("\n")
    if text.startswith("-"):
        raise os_error(EINVAL)
    value = kstrtoint(text)
    if value >= 2**64:
        raise os_error(ERANGE)
    return value
