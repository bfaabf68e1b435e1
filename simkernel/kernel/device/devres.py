"""Managed resources: what a driver holds for a device goes when the driver does (drivers/base/devres.c)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from simkernel.kernel.sched.wait import maybe

Release = Callable[[], Awaitable[None] | None]


class Devres:
    """The managed resources of one device, released in the reverse of the order in which they came."""

    def __init__(self) -> None:
        self._releases: list[tuple[object, Release]] = []

    def __len__(self) -> int:
        return len(self._releases)

    def add(self, key: object, release: Release) -> None:
        """Call `release` when the device is unbound; `key` is how to find it before (`devres_add()`)."""
        self._releases.append((key, release))

    def remove(self, key: object) -> bool:
        """Forget the latest with this key, which has been released otherwise; whether there was one."""
        for index in reversed(range(len(self._releases))):
            if self._releases[index][0] is key:
                del self._releases[index]
                return True
        return False

    async def release_all(self) -> None:
        """Release everything, the latest first (`devres_release_all()`)."""
        while self._releases:
            _, release = self._releases.pop()
            await maybe(release())
