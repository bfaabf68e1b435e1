"""Keeping repeated lines out of the kernel log (lib/ratelimit.c)."""

from __future__ import annotations

from typing import Final

from simkernel.engine import SECOND
from simkernel.kernel.lib.log import Log

INTERVAL: Final = 5 * SECOND
BURST: Final = 10
"""Ten lines in five seconds (DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST)."""


class RateLimit:
    """How much there was lately (`struct ratelimit_state`).  `missed` counts what was too much."""

    __slots__ = ("_begin", "_printed", "missed")

    def __init__(self) -> None:
        self._begin: int | None = None
        self._printed = 0
        self.missed = 0

    def begin_interval(self, now: int) -> bool:
        """Whether an interval is over, or none has begun; then another begins."""
        if self._begin is not None and now <= self._begin + INTERVAL:
            return False
        self._begin, self._printed = now, 0
        return True

    def allow(self) -> bool:
        """Whether one more is not too much; it is counted (`___ratelimit()`)."""
        if self._printed < BURST:
            self._printed += 1
            return True
        self.missed += 1
        return False


class Ratelimited:
    """Warnings of one kind, of which those beyond the limit are counted and not logged."""

    __slots__ = ("_limit", "_log", "_name")

    def __init__(self, log: Log, name: str) -> None:
        self._log = log
        self._name = name
        self._limit = RateLimit()

    def warn(self, text: str, now: int) -> None:
        """Log `text`, unless there was too much of it lately (`pr_warn_ratelimited()`)."""
        limit = self._limit
        if limit.begin_interval(now) and limit.missed:
            self._log.warn(f"{self._name}: {limit.missed} callbacks suppressed")
            limit.missed = 0
        if limit.allow():
            self._log.warn(text)
