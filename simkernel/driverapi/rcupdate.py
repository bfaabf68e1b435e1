"""include/linux/rcupdate.h: a pointer that readers dereference without a lock.

    with evdev.client_lock:                                        # writers exclude each other
        rcu_assign_pointer(evdev, "clients", (*evdev.clients, client))
    for client in rcu_dereference(evdev.clients): ...              # in interrupt context

The object is complete when a reader gets it, and is never changed in place. Python keeps it alive while a
reader uses it, so no function waits for a grace period.
"""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def rcu_dereference(value: T) -> T:
    """Return `value` unchanged. The caller has read it from an attribute that `rcu_assign_pointer` sets."""
    return value


def rcu_assign_pointer(target: object, name: str, value: object) -> None:
    """Set an attribute. A reader that gets the value also sees all earlier writes of the caller."""
    setattr(target, name, value)
