"""include/linux/atomic.h: accesses that are atomic for all CPUs."""

from __future__ import annotations

from typing import Any


def xchg(target: object, name: str, value: object) -> Any:
    """Set an attribute atomically and return its previous value."""
    old = getattr(target, name)
    setattr(target, name, value)
    return old
