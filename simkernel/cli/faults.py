"""Report of module faults after a run: oopses, and modules that failed to load."""

from __future__ import annotations

import traceback
from textwrap import shorten
from typing import Final

import click

from simkernel.scenario import Run

WIDTH: Final = 80
MAX_SHOWN: Final = 5
"""Maximum number of oopses that are printed. `--log` prints all of them."""


def report_faults(run: Run) -> bool:
    """Print the run's faults to standard error; return True if one of them makes the run a failure.

    A module that failed to load is a failure if a program requested it, and a warning otherwise.
    """
    broken = run.broken_modules
    for text, error in broken.items():
        _print(text, error.__cause__)
    oopses = run.oopses
    for oops in oopses[:MAX_SHOWN]:
        place = next((line for line in oops.trace if line.endswith(f"[{oops.module}]")), "")
        _print(f"oops in {oops.module}, {oops.where}{place and f': {place}'}", oops.error)
    if len(oopses) > MAX_SHOWN:
        _print(f"and {len(oopses) - MAX_SHOWN} more oopses: --log prints them")
    return bool(oopses) or any(error.requested for error in broken.values())


def _print(text: str, error: BaseException | None = None) -> None:
    click.echo(shorten(text, WIDTH, placeholder=" ..."), err=True)
    if error is not None:
        reason = "".join(traceback.format_exception_only(error))
        click.echo(f"    {shorten(reason, WIDTH - 4, placeholder=' ...')}", err=True)
