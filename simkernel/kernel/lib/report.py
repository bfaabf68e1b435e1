"""Reports of the checkers, about bugs of modules and of the kernel."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from simkernel.engine import Engine
from simkernel.kernel.lib.log import Log
from simkernel.kernel.lib.stack import position
from simkernel.kernel.lib.taint import Taint, Taints

CHECKERS: Final = ("lockdep", "hung", "references", "sockets", "memory", "races")
"""The names of checkers that `Machine(checks=...)` accepts."""
KIT: Final = CHECKERS[:-1]
"""The checkers that every machine of `simkernel.testing` enables."""
MAX_KEPT: Final = 64
"""Maximum number of reports that `Reports` keeps. A further report replaces the oldest one. `Reports.count`
and the kernel log still include the replaced report.
"""


@attrs.frozen
class Report:
    """A bug that a checker has found.

    `title` is its first line, and `text` its whole entry in the log.  `time` is in ns.  `places` are the
    lines of code involved, as `file:line`, the latest first.
    """

    checker: str
    title: str
    text: str
    time: int
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text


class Reports:
    """The reports of a machine, oldest first."""

    def __init__(self, engine: Engine, log: Log, taints: Taints) -> None:
        self._engine = engine
        self._log = log
        self._taints = taints
        self._kept: deque[Report] = deque(maxlen=MAX_KEPT)
        self.count = 0

    def __iter__(self) -> Iterator[Report]:
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def add(
        self,
        checker: str,
        title: str,
        lines: Sequence[str] = (),
        trace: Iterable[str] = (),
        rule: str = "",
    ) -> None:
        """Log a bug, taint the kernel with W, and keep the report.

        `trace` lists the lines of code involved.  `rule` is the character of the separator lines above and
        below.
        """
        self.count += 1
        edge = [rule * len(title)] if rule else []
        text = "\n".join([*edge, title, *lines, *edge])
        places = tuple(position(line) for line in trace)
        self._kept.append(Report(checker, title, text, self._engine.time(), places))
        self._taints.add(Taint.WARN)
        for line in text.splitlines():
            self._log.err(line)

    def take(self) -> list[Report]:
        """Return the reports and remove them, for a test that expects them."""
        taken = list(self._kept)
        self._kept.clear()
        return taken
