"""Numbers back to the names that C has for them, found among the contract's own constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType

Names = Mapping[int, str]


def names(module: ModuleType, prefix: str, *without: str) -> Names:
    """The constants of `module` that begin with `prefix` but not with any of `without`, in order.

    Of two with the same number the first counts.
    """
    found: dict[int, str] = {}
    for name, value in vars(module).items():
        if name.startswith(prefix) and isinstance(value, int) and not name.startswith(without):
            found.setdefault(value, name)
    return found


def pick(module: ModuleType, prefix: str, words: str) -> Names:
    """The constants of `module` that are `prefix` and one of `words`, in that order."""
    return {getattr(module, prefix + word): prefix + word for word in words.split()}


def number(value: int, known: Names, unknown: str) -> str:
    """One of many, as strace prints it: `ENOENT`, or `0x4d /* CTRL_CMD_??? */`."""
    name = known.get(value)
    return name if name is not None else f"{hexadecimal(value)} /* {unknown}_??? */"


def flags(value: int, known: Names) -> str:
    """A set of bits, as strace prints it: `NLM_F_REQUEST|NLM_F_ACK`, and the nameless ones in hexadecimal."""
    parts = []
    for bits, name in known.items():
        if bits and value & bits == bits:
            parts.append(name)
            value &= ~bits
    if value or not parts:
        parts.append(hexadecimal(value))
    return "|".join(parts)


def hexadecimal(value: int) -> str:
    """`0x1f`, and `0` for nothing."""
    return f"{value:#x}" if value else "0"


def one_of(module: ModuleType, prefix: str, *without: str) -> Callable[[int], str]:
    """A printer of one of the constants that `names` finds."""
    known = names(module, prefix, *without)
    return lambda value: number(value, known, prefix.rstrip("_"))


def set_of(known: Names) -> Callable[[int], str]:
    """A printer of a set of bits."""
    return lambda value: flags(value, known)
