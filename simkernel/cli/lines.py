"""Lines of text that are printed while the simulation runs: whole, and those that repeat folded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

MAX_PERIOD: Final = 8
"""Lines that may repeat together."""
MAX_TIMES: Final = 1000
"""Repetitions after which a count is written: an endless loop shows that it runs."""


class Folding:
    """Writes lines; lines that repeat are written once, followed by a count.

    A line is held back while it may complete a repetition: at most MAX_PERIOD lines, until `flush`.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._recent: deque[str] = deque(maxlen=MAX_PERIOD)
        self._held: list[str] = []
        self._period = self._times = 0

    def line(self, line: str) -> None:
        """Write a line, or count it."""
        recent = self._recent
        if self._period and recent[len(self._held) - self._period] != line:
            self.flush()
        if not self._period:
            self._period = next((n for n in range(1, len(recent) + 1) if recent[-n] == line), 0)
        if not self._period:
            self._new(line)
            return
        self._held.append(line)
        if len(self._held) == self._period:
            self._held.clear()
            self._times += 1
            if self._times == MAX_TIMES:
                self.flush()

    def flush(self) -> None:
        """Write what is held back."""
        if self._times:
            lines = "line" if self._period == 1 else f"{self._period} lines"
            times = "once" if self._times == 1 else f"{self._times} times"
            self._write(f"[last {lines} repeated {times}]\n")
            while len(self._recent) > self._period:
                self._recent.popleft()  # a reader of the count sees no line before those
        self._period = self._times = 0
        for line in self._held:
            self._new(line)
        self._held.clear()

    def _new(self, line: str) -> None:
        self._recent.append(line)
        self._write(f"{line}\n")


class Lines:
    """Hands text on by whole lines, so that two writers do not break each other's."""

    def __init__(self, folding: Folding) -> None:
        self._folding = folding
        self._begun = ""

    def write(self, text: str) -> int:
        """Hand on the lines that are whole now."""
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            self._folding.line(line)
        return len(text)
