"""Rate limits for messages in the kernel log (lib/ratelimit.c)."""

from __future__ import annotations

from typing import Final

from simkernel.engine import SECOND
from simkernel.kernel.lib.log import Log

INTERVAL: Final = 5 * SECOND
"""Length of an interval in ns (DEFAULT_RATELIMIT_INTERVAL)."""
BURST: Final = 10
"""Maximum number of messages in an interval (DEFAULT_RATELIMIT_BURST)."""


class RateLimit:
    """The state of a rate limit (`struct ratelimit_state`).

    `missed` is the number of suppressed messages.
    """

    __slots__ = ("_begin", "_printed", "missed")

    def __init__(self) -> None:
        self._begin: int | None = None
        self._printed = 0
        self.missed = 0

    def begin_interval(self, now: int) -> bool:
        """Start an interval at `now` ns if none is active.  Return True if it was started."""
        if self._begin is not None and now <= self._begin + INTERVAL:
            return False
        self._begin, self._printed = now, 0
        return True

    def allow(self) -> bool:
        """Count a message.  Return False if it exceeds the limit (`___ratelimit()`)."""
        if self._printed < BURST:
            self._printed += 1
            return True
        self.missed += 1
        return False


class Ratelimited:
    """Rate-limited warnings of one kind. Warnings above the limit are counted but not logged."""

    __slots__ = ("_limit", "_log", "_name")

    def __init__(self, log: Log, name: str) -> None:
        self._log = log
        self._name = name
        self._limit = RateLimit()

    def warn(self, text: str, now: int) -> None:
        """Log `text` unless the limit is exceeded (`pr_warn_ratelimited()`).  `now` is in ns."""
        limit = self._limit
        if limit.begin_interval(now) and limit.missed:
            self._log.warn(f"{self._name}: {limit.missed} callbacks suppressed")
            limit.missed = 0
        if limit.allow():
            self._log.warn(text)
