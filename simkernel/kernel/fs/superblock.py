"""A file system that can be mounted (`struct super_block`)."""

from __future__ import annotations

from collections.abc import Callable


class SuperBlock:
    """One file system: its type's name, its device number (st_dev), its inodes' numbers, the time.

    `now` is the realtime clock, in ns, of which its files' times are.
    """

    __slots__ = ("_last", "device", "name", "now")

    def __init__(self, name: str, device: int, now: Callable[[], int]) -> None:
        self.name = name
        self.device = device
        self.now = now
        self._last = 0

    def next_number(self) -> int:
        """A number for a new inode (`get_next_ino()`)."""
        self._last += 1
        return self._last
