"""A file system that can be mounted (`struct super_block`)."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b


class SuperBlock:
    """A file system: the name of its type, its device number (st_dev) and its inode numbers.

    `now` returns the realtime clock in ns, for the time stamps of its files.
    """

    __slots__ = ("_last", "device", "name", "now")

    def __init__(self, name: str, device: int, now: Callable[[], int]) -> None:
        self.name = name
        self.device = device
        self.now = now
        self._last = 0

    @staticmethod
    def number_of(path: str) -> int:
        """Return an inode number computed from the path. A file in /proc or sysfs keeps this number,
        although each lookup creates a new inode for it.
        """
        return int.from_bytes(blake2b(path.encode("utf-8", "surrogateescape"), digest_size=6).digest())

    def next_number(self) -> int:
        """Return the number of a new inode (`get_next_ino()`)."""
        self._last += 1
        return self._last
