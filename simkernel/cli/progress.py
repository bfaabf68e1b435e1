"""A progress bar for work that takes longer than a second, on a terminal: simulated time, and how much to go.

A thread looks at the clock now and then; the simulation knows nothing of it and takes the same course.
"""

from __future__ import annotations

import sys
from threading import Event, Thread
from types import TracebackType
from typing import Final

import click

from simkernel.scenario import Run

DELAY: Final = 1.0
PERIOD: Final = 0.1
"""Wall seconds until the bar appears, and between two looks."""


def announce(work: str) -> None:
    """Print on a terminal what begins now."""
    if sys.stderr.isatty():
        click.echo(click.style(work, dim=True), err=True)


class Progress:
    """Within it, the bar is shown if `shown` and standard error is a terminal."""

    def __init__(self, run: Run, *, shown: bool) -> None:
        self._run = run
        self._done = Event()
        self._thread = Thread(target=self._watch, daemon=True) if shown and sys.stderr.isatty() else None

    def __enter__(self) -> None:
        if self._thread is not None:
            self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        if self._done.wait(DELAY):
            return
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[clock]}"),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
            task = bar.add_task(self._run.scenario.name, total=None, clock="")
            while not self._done.wait(PERIOD):
                now, until = self._run.now, self._run.until
                clock = f"{now / 1e9:.3f} s" + ("" if until is None else f" of {until / 1e9:.3f} s")
                bar.update(task, completed=now, total=until, clock=clock, refresh=True)
