"""Output of lines during the simulation. A count replaces the repetitions of a line or a group of lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

MAX_PERIOD: Final = 8
"""Maximum number of lines in a group that is recognized as a repetition."""
MAX_TIMES: Final = 1000
"""Maximum value of the count that replaces the repetitions of a group of lines. The writer writes the count
when it reaches this value, so that output appears even if an endless loop repeats the group.
"""


class Folding:
    """A writer that writes a repeated group of lines once, followed by a count.

    It holds back at most MAX_PERIOD lines, those that may complete a repetition, until `flush`.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._recent: deque[str] = deque(maxlen=MAX_PERIOD)
        self._held: list[str] = []
        self._period = self._times = 0

    def line(self, line: str) -> None:
        """Write a line, or count it if it is a repetition."""
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
        """Write the number of complete repetitions. Then write the lines of a repetition that has begun but
        is not complete.
        """
        if self._times:
            lines = "line" if self._period == 1 else f"{self._period} lines"
            times = "once" if self._times == 1 else f"{self._times} times"
            self._write(f"[last {lines} repeated {times}]\n")
            while len(self._recent) > self._period:
                self._recent.popleft()  # compare later lines only with the repeated group
        self._period = self._times = 0
        for line in self._held:
            self._new(line)
        self._held.clear()

    def _new(self, line: str) -> None:
        self._recent.append(line)
        self._write(f"{line}\n")


class Lines:
    """A text stream that forwards complete lines, so that two streams do not mix within a line."""

    def __init__(self, folding: Folding) -> None:
        self._folding = folding
        self._begun = ""

    def write(self, text: str) -> int:
        """Append text and forward the complete lines. Return the length of the text."""
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            self._folding.line(line)
        return len(text)
