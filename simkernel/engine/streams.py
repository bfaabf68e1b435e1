"""All chance comes from one seed, through streams that are named after who draws.

A stream's draws depend on the seed and its name only, so that a new device does not shift
another's.
"""

from __future__ import annotations

import hashlib
from random import Random


class Streams:
    """The random streams of one machine."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, Random] = {}

    def __repr__(self) -> str:
        return f"<Streams of seed {self.seed}>"

    def __call__(self, name: str) -> Random:
        """The stream called `name`, at the point where its last user left it."""
        stream = self._streams.get(name)
        if stream is None:
            digest = hashlib.sha256(f"{self.seed}:{name}".encode()).digest()
            stream = self._streams[name] = Random(int.from_bytes(digest[:16], "big"))
        return stream
