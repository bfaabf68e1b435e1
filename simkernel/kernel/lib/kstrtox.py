"""Integers in text, as the kernel reads them (lib/kstrtox.c)."""

from __future__ import annotations

import re

from simkernel.uapi.errno import EINVAL, ERANGE, os_error

_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))", re.ASCII)


def kstrtoint(text: str) -> int:
    """Return an integer in base 16, 8 or 10, as its prefix says.  EINVAL."""
    match = _INTEGER.fullmatch(text)
    if match is None:
        raise os_error(EINVAL)
    sign, hexadecimal, octal, decimal = match.groups()
    value = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    return -value if sign == "-" else value


def kstrtoul(data: bytes) -> int:
    """Return a number of 64 bits, which may end with a newline.  EINVAL, ERANGE."""
    text = data.split(b"\0")[0].decode("latin-1").removesuffix("\n")
    if text.startswith("-"):
        raise os_error(EINVAL)
    value = kstrtoint(text)
    if value >= 2**64:
        raise os_error(ERANGE)
    return value
