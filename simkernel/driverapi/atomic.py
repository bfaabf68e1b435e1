"""include/linux/atomic.h: accesses that are one step for all CPUs."""

from __future__ import annotations

from typing import Any


def xchg(target: object, name: str, value: object) -> Any:
    """Set an attribute and return the value that it had.  No other access comes between."""
    old = getattr(target, name)
    setattr(target, name, value)
    return old
