"""Progress of `simkernel explore`: a bar on a terminal, and a summary at the end."""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import Event
from time import monotonic
from typing import Final

import click

from simkernel.cli.progress import shown_by
from simkernel.explore.pool import Batch
from simkernel.explore.run import Outcome
from simkernel.kernel.lib.fault import POINTS

PERIOD: Final = 0.2
"""Wall seconds between two updates of the bar."""


class Progress:
    """The counters of a search for a run that fails, and the progress bar that shows them.

    runs, seconds   runs of this command, and their CPU time; `before` is the number of earlier runs
    sampled         number of sampled runs, and their distinct `schedules`
    """

    def __init__(self, total: int | None, limit: float | None, before: int = 0) -> None:
        self.runs, self.seconds, self.sampled = 0, 0.0, 0
        self.schedules: set[str] = set()
        self.tracepoints: set[str] = set()
        self.faults: set[str] = set()
        self.stopped = False
        self._before = before
        self._total, self._limit = total, limit
        self._began = monotonic()

    def keep_running(self) -> bool:
        """Return False after a failure or at the time limit."""
        return not self.stopped and (self._limit is None or self.elapsed < self._limit)

    @property
    def elapsed(self) -> float:
        """Wall seconds since the start of the search."""
        return monotonic() - self._began

    def take(self, schedules: list[str], tracepoints: set[str], faults: set[str]) -> None:
        """Add the results of sampled runs: a digest of each run's schedule, and the tracepoints and fault
        points that these runs have reached. Runs that are not sampled do not record these results.
        """
        self.sampled += len(schedules)
        self.schedules.update(schedules)
        self.tracepoints |= tracepoints
        self.faults |= faults

    def add(self, batch: Batch) -> None:
        """Add the results of a batch of seeds. If one of its runs has failed, the search stops."""
        self.runs += len(batch.seeds)
        self.seconds += batch.seconds
        self.take([each for _, each in batch.schedules], {*batch.tracepoints}, {*batch.faults})
        self.stopped |= batch.failure is not None

    def watch(self, number: int, outcome: Outcome) -> None:
        """Add the results of run `number`, which took place in this process. Raise TimeOver if the time limit
        is reached and the run has not failed.
        """
        self.runs = number
        if outcome.places:
            self.take([outcome.order], {*outcome.tracepoints}, {*outcome.hits})
        if outcome.failure is None and not self.keep_running():
            raise TimeOver

    @property
    def rate(self) -> float:
        """Runs per second."""
        return self.runs / max(self.elapsed, 0.001)

    def figures(self) -> str:
        """Return the text of the progress bar: runs per second, distinct schedules, tracepoints and fault
        points.
        """
        return (
            f"{self.rate:4.0f}/s schedules {len(self.schedules)}/{self.sampled} "
            f"trace {len(self.tracepoints)} faults {len(self.faults)}/{len(POINTS)}"
        )

    def summary(self) -> str:
        """Return a line with the number and rate of the runs. If some runs were sampled, add a line with the
        number of schedules, tracepoints and fault points that these runs have reached.
        """
        earlier = f" and {self._before} earlier ones" if self._before else ""
        first = f"{self.runs} runs{earlier} in {self.elapsed:.1f} s, {self.rate:.0f} a second"
        if not self.sampled:
            return first
        return (
            f"{first}\n{self.sampled} of them recorded: {len(self.schedules)} distinct schedules, "
            f"{len(self.tracepoints)} tracepoints, {len(self.faults)} of {len(POINTS)} fault points"
        )

    def bar(self) -> AbstractContextManager[None]:
        """Return a context manager that shows the bar if standard error is a terminal."""
        return shown_by(self._show)

    def _show(self, done: Event) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = TextColumn("{task.fields[runs]}"), BarColumn(5), TextColumn("{task.fields[figures]}")
        with Bar(
            *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True, auto_refresh=False
        ) as bar:
            whole = self._limit if self._total is None else self._total
            task = bar.add_task("", total=whole, runs="", figures="")
            while not done.wait(PERIOD):
                runs = self._before + self.runs
                shown = f"{runs} runs" if self._total is None else f"{runs}/{self._total}"
                completed = self.elapsed if self._total is None else runs
                bar.update(task, completed=completed, runs=shown, figures=self.figures(), refresh=True)


class TimeOver(Exception):
    """The exception that ends a search at its time limit."""


def note(text: str) -> None:
    """Print a note on standard error."""
    click.echo(text, err=True)
