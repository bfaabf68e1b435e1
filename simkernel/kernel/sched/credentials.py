"""Who a task is, and what it may do (credentials(7), capabilities(7))."""

from __future__ import annotations

from functools import lru_cache

import attrs

from simkernel.uapi import capability

ALL = frozenset(range(capability.CAP_LAST_CAP + 1))
NONE: frozenset[int] = frozenset()


@attrs.frozen(slots=True)
class Credentials:
    """User, group, effective capabilities, further groups.  Immutable, as `struct cred` is."""

    uid: int = 0
    gid: int = 0
    capabilities: frozenset[int] = ALL
    groups: frozenset[int] = NONE

    def capable(self, number: int) -> bool:
        """Whether the capability is effective (`capable()`, in the initial user namespace)."""
        return number in self.capabilities

    def in_group(self, gid: int) -> bool:
        """Whether the group is its own, or one of the further ones (`in_group_p()`)."""
        return gid == self.gid or gid in self.groups

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, uid: int, gid: int | None = None, capabilities: frozenset[int] | None = None) -> Credentials:
        """What a login as `uid` has: root everything, others nothing, unless told otherwise."""
        if capabilities is None:
            capabilities = ALL if uid == 0 else NONE
        return cls(uid, uid if gid is None else gid, capabilities)


ROOT = Credentials()
