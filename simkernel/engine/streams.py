"""Random streams, which are all determined by one seed.  Each component uses the stream that has the
component's name.

The numbers of a stream depend only on the seed and the stream's name.  So a new device does not change the
numbers that another device draws.
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
        """Return the random stream called `name`.  Repeated calls return the same `Random` object."""
        stream = self._streams.get(name)
        if stream is None:
            digest = hashlib.sha256(f"{self.seed}:{name}".encode()).digest()
            stream = self._streams[name] = Random(int.from_bytes(digest[:16], "big"))
        return stream
