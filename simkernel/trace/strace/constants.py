"""Names of numeric constants, looked up in the modules of simkernel.uapi."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType

Names = Mapping[int, str]


def names(module: ModuleType, prefix: str, *without: str) -> Names:
    """Return a mapping from numbers to the names of constants of `module`. The names begin with `prefix`, but
    not with one of the prefixes in `without`.

    If two constants have the same number, the first one is used.
    """
    found: dict[int, str] = {}
    for name, value in vars(module).items():
        if name.startswith(prefix) and isinstance(value, int) and not name.startswith(without):
            found.setdefault(value, name)
    return found


def pick(module: ModuleType, prefix: str, words: str) -> Names:
    """Return the constants PREFIX + WORD of `module`, in the order of `words`."""
    return {getattr(module, prefix + word): prefix + word for word in words.split()}


def number(value: int, known: Names, unknown: str) -> str:
    """Format a constant as strace does: `ENOENT`, or `0x4d /* CTRL_CMD_??? */` if it is unknown."""
    name = known.get(value)
    return name if name is not None else f"{hexadecimal(value)} /* {unknown}_??? */"


def flags(value: int, known: Names) -> str:
    """Format a set of bits as strace does: `NLM_F_REQUEST|NLM_F_ACK`, and unknown bits in hexadecimal."""
    parts = []
    for bits, name in known.items():
        if bits and value & bits == bits:
            parts.append(name)
            value &= ~bits
    if value or not parts:
        parts.append(hexadecimal(value))
    return "|".join(parts)


def hexadecimal(value: int) -> str:
    """Format a number in hexadecimal, such as `0x1f`, but zero as `0`."""
    return f"{value:#x}" if value else "0"


def one_of(module: ModuleType, prefix: str, *without: str) -> Callable[[int], str]:
    """Return a printer of a single constant. The arguments are those of the function `names`."""
    known = names(module, prefix, *without)
    return lambda value: number(value, known, prefix.rstrip("_"))


def set_of(known: Names) -> Callable[[int], str]:
    """Return a printer of a set of bits."""
    return lambda value: flags(value, known)
