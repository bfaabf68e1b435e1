"""Progress bar on a terminal for a run of more than a second. It shows the simulated time and an estimate of
the remaining time.

A thread reads the clock periodically. It does not influence the simulation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from threading import Event, Thread
from typing import Final

import click

from simkernel.scenario import Run

DELAY: Final = 1.0
PERIOD: Final = 0.1
"""Wall seconds until the bar appears, and between two updates."""


def announce(work: str) -> None:
    """Print the name of the work that begins, if standard error is a terminal."""
    if sys.stderr.isatty():
        click.echo(click.style(work, dim=True), err=True)


def progress(run: Run, *, shown: bool) -> AbstractContextManager[None]:
    """Return a context manager that shows the bar if `shown` is True and standard error is a terminal."""
    return shown_by(partial(_watch, run), shown=shown)


@contextmanager
def shown_by(show: Callable[[Event], object], *, shown: bool = True) -> Iterator[None]:
    """Return a context manager. If `shown` is True and standard error is a terminal, it runs `show(done)` in
    a thread during the `with` block. The end of the block sets the event `done`, so that the thread ends.
    """
    done = Event()
    thread = Thread(target=show, args=(done,), daemon=True)
    if shown and sys.stderr.isatty():
        thread.start()
    try:
        yield
    finally:
        done.set()
        if thread.is_alive():
            thread.join()


def _watch(run: Run, done: Event) -> None:
    if done.wait(DELAY):
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    clock = TextColumn("{task.fields[clock]}")
    columns = TextColumn("{task.description}"), BarColumn(), clock, TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(run.scenario.name, total=None, clock="")
        while not done.wait(PERIOD):
            now, until = run.now, run.until
            text = f"{now / 1e9:.3f} s" + ("" if until is None else f" of {until / 1e9:.3f} s")
            bar.update(task, completed=now, total=until, clock=text, refresh=True)
