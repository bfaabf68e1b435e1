"""Taint flags, which record events that make later reports of a kernel less trustworthy.

The flags are those of Documentation/admin-guide/tainted-kernels.rst that can occur in simkernel.
"""

from __future__ import annotations

from enum import IntEnum

import attrs


@attrs.frozen
class _Flag:
    letter: str
    meaning: str


class Taint(IntEnum):
    """A taint flag. The value is its bit number."""

    PROPRIETARY_MODULE = 0
    FORCED_MODULE = 1
    DIE = 7
    WARN = 9
    CRAP = 10
    OOT_MODULE = 12


FLAGS = {
    Taint.PROPRIETARY_MODULE: _Flag("P", "PROPRIETARY_MODULE"),
    Taint.FORCED_MODULE: _Flag("F", "FORCED_MODULE"),
    Taint.DIE: _Flag("D", "DIE"),
    Taint.WARN: _Flag("W", "WARN"),
    Taint.CRAP: _Flag("C", "CRAP"),
    Taint.OOT_MODULE: _Flag("O", "OOT_MODULE"),
}
"""Letter and name of each taint flag (`taint_flags` in kernel/panic.c)."""


class Taints:
    """A set of taint flags of a kernel or of a module."""

    def __init__(self) -> None:
        self.mask = 0
        """The set flags as a bit mask, as in /proc/sys/kernel/tainted."""

    def add(self, flag: Taint) -> None:
        """Set a flag, which is never cleared (`add_taint()`)."""
        self.mask |= 1 << flag

    def __contains__(self, flag: Taint) -> bool:
        return bool(self.mask >> flag & 1)

    @property
    def letters(self) -> str:
        """The letters of the set flags, as in /proc/modules."""
        return "".join(flag.letter for bit, flag in FLAGS.items() if bit in self)

    def __str__(self) -> str:
        """Return the flags as an oops prints them (`print_tainted_verbose()`)."""
        if not self.mask:
            return "Not tainted"
        return "Tainted: " + ", ".join(
            f"[{flag.letter}]={flag.meaning}" for bit, flag in FLAGS.items() if bit in self
        )
