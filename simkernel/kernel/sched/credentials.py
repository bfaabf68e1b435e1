"""Credentials of a task: user, groups and capabilities (credentials(7), capabilities(7))."""

from __future__ import annotations

from functools import lru_cache

import attrs

from simkernel.uapi import capability

ALL = frozenset(range(capability.CAP_LAST_CAP + 1))
NONE: frozenset[int] = frozenset()


@attrs.frozen(slots=True)
class Credentials:
    """User id, group id, effective capabilities and supplementary groups.  Immutable like `struct cred`."""

    uid: int = 0
    gid: int = 0
    capabilities: frozenset[int] = ALL
    groups: frozenset[int] = NONE

    def capable(self, number: int) -> bool:
        """Return True if the capability is effective (`capable()` in the initial user namespace)."""
        return number in self.capabilities

    def in_group(self, gid: int) -> bool:
        """Return True if `gid` is the group or a supplementary group (`in_group_p()`)."""
        return gid == self.gid or gid in self.groups

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, uid: int, gid: int | None = None, capabilities: frozenset[int] | None = None) -> Credentials:
        """Return new credentials of the user `uid`, without supplementary groups.

        By default root has all capabilities, other users have none.
        """
        if capabilities is None:
            capabilities = ALL if uid == 0 else NONE
        return cls(uid, uid if gid is None else gid, capabilities)


ROOT = Credentials()
