"""Managed resources: they are released when the driver is unbound from the device (drivers/base/devres.c)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from simkernel.kernel.sched.wait import maybe

Release = Callable[[], Awaitable[None] | None]


class Devres:
    """The managed resources of one device.  They are released in the reverse order of their allocation."""

    def __init__(self) -> None:
        self._releases: list[tuple[object, Release]] = []

    def __len__(self) -> int:
        return len(self._releases)

    def add(self, key: object, release: Release) -> None:
        """Call `release` when the driver is unbound from the device (`devres_add()`). With `key`, `remove`
        can find this resource.
        """
        self._releases.append((key, release))

    def remove(self, key: object) -> bool:
        """Forget the latest resource with this key, without calling its release function.  Return False if
        none has the key.
        """
        for index in reversed(range(len(self._releases))):
            if self._releases[index][0] is key:
                del self._releases[index]
                return True
        return False

    async def release_all(self) -> None:
        """Release all resources in reverse order: the last one is released first (`devres_release_all()`)."""
        while self._releases:
            _, release = self._releases.pop()
            await maybe(release())
