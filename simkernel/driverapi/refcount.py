"""include/linux/refcount.h: counts of users that several tasks change at a time without a lock.

users = Refcount()                   # one user
refcount_inc(users)
if refcount_dec_and_test(users):
    ...                              # that was the last one
"""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class Refcount:
    """A count of users, 1 at first.  Each function below is atomic."""

    count: int = 1


def refcount_read(users: Refcount) -> int:
    """Return the number of users."""
    return users.count


def refcount_inc(users: Refcount) -> None:
    """Add a user.  The caller is one."""
    users.count += 1


def refcount_dec_and_test(users: Refcount) -> bool:
    """Remove a user.  Return True if it was the last one."""
    users.count -= 1
    return users.count == 0
