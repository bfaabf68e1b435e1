"""include/linux/rcupdate.h: a pointer that readers follow without a lock.

    with evdev.client_lock:                                        # writers exclude each other
        rcu_assign_pointer(evdev, "clients", (*evdev.clients, client))
    for client in rcu_dereference(evdev.clients): ...              # in interrupt context

What the pointer leads to is complete when a reader gets it, and is not changed in place.  Python keeps it
while a reader has it, so nothing waits for a grace period.
"""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def rcu_dereference(value: T) -> T:
    """Return `value`, an attribute that `rcu_assign_pointer` sets."""
    return value


def rcu_assign_pointer(target: object, name: str, value: object) -> None:
    """Set an attribute: a reader that gets the value comes after all that was done before."""
    setattr(target, name, value)
