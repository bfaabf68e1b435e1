"""include/linux/refcount.h: reference counts that several tasks change concurrently without a lock.

users = Refcount()                   # one user
refcount_inc(users)
if refcount_dec_and_test(users):
    ...                              # that was the last one
"""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class Refcount:
    """The number of users of an object, initially 1. The `refcount_` functions change it atomically."""

    count: int = 1


def refcount_read(users: Refcount) -> int:
    """Return the number of users of the object."""
    return users.count


def refcount_inc(users: Refcount) -> None:
    """Count one more user of the object. The caller must be a user itself."""
    users.count += 1


def refcount_dec_and_test(users: Refcount) -> bool:
    """Subtract one user of the object. Return True if it was the last user."""
    users.count -= 1
    return users.count == 0
