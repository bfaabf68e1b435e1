"""A file system that can be mounted (`struct super_block`)."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b


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

    @staticmethod
    def number_of(path: str) -> int:
        """A number for an inode that is made anew whenever it is looked up, from where it lies."""
        return int.from_bytes(blake2b(path.encode("utf-8", "surrogateescape"), digest_size=6).digest())

    def next_number(self) -> int:
        """A number for a new inode (`get_next_ino()`)."""
        self._last += 1
        return self._last
