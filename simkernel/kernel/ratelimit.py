"""Keeping repeated lines out of the kernel log (lib/ratelimit.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simkernel.engine import SECOND

if TYPE_CHECKING:
    from simkernel.kernel.log import Log

INTERVAL: Final = 5 * SECOND
BURST: Final = 10
"""Ten lines in five seconds (DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST)."""


class Ratelimited:
    """Warnings of one kind, of which those beyond the limit are counted and not logged."""

    __slots__ = ("_begin", "_log", "_missed", "_name", "_printed")

    def __init__(self, log: Log, name: str) -> None:
        self._log = log
        self._name = name
        self._begin: int | None = None
        self._printed = 0
        self._missed = 0

    def warn(self, text: str, now: int) -> None:
        """Log `text`, unless there was too much of it lately (`pr_warn_ratelimited()`)."""
        if self._begin is None or now > self._begin + INTERVAL:
            if self._missed:
                self._log.warn(f"{self._name}: {self._missed} callbacks suppressed")
            self._begin, self._printed, self._missed = now, 0, 0
        if self._printed < BURST:
            self._printed += 1
            self._log.warn(text)
        else:
            self._missed += 1
