"""Error output: one sentence for a wrong use or an internal error of simkernel, a traceback for errors of the
user's code.

A wrong use and an internal error are printed as one sentence with the user's line. An exception of the
user's code is printed with Python's traceback, without the frames of simkernel.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import click

from simkernel.cli.exits import FAILED, ended
from simkernel.engine import InternalError, SimulationError
from simkernel.scenario import Run
from simkernel.shipped import shipped

_OURS = str(Path(__file__).resolve().parents[1])
_SHIPPED = str(shipped("drivers")), str(shipped("scenarios"))
_NOBODYS = "<frozen", "<attrs"
"""Prefixes of the file names that Python reports for code without a file: the import system, and code that
attrs generates.
"""


class Blame:
    """A context manager that prints an exception and ends the process: code 130 for Ctrl-C, else 1."""

    def __init__(self, debug: bool, run: Run | None = None) -> None:
        self._debug = debug
        self._run = run

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyboardInterrupt):
            text, code = ended(error, "" if self._run is None else f" at {self._run.now / 1e9:.9f} s")
            click.echo(text, err=True, nl=False)
            sys.exit(code)
        if error is not None and not isinstance(error, SystemExit | click.ClickException):
            click.echo(explain(error, self._debug), err=True, nl=False)
            sys.exit(FAILED)


def explain(error: BaseException, debug: bool = False) -> str:
    """Return the text to print for `error`; with `debug`, the whole traceback."""
    if debug:
        return "".join(traceback.format_exception(error))
    if isinstance(error, BaseExceptionGroup):
        return "".join(explain(each) for each in error.exceptions)
    told = traceback.TracebackException.from_exception(error)
    if isinstance(error, SimulationError | InternalError):
        frames = _foreign(told.stack)
        place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
        return f"{place}{error}\n"
    if isinstance(error, SyntaxError) and not _foreign(told.stack):
        # the text of a SyntaxError contains the file and the line, so the traceback adds nothing
        return "".join(told.format_exception_only())
    _trim(told)
    return "".join(told.format())


def _trim(told: traceback.TracebackException | None) -> None:
    """Remove the frames of simkernel from a traceback. If all frames are simkernel's, keep them."""
    if told is not None:
        told.stack = traceback.StackSummary.from_list(_foreign(told.stack) or told.stack)
        _trim(told.__cause__)
        _trim(told.__context__)


def _foreign(stack: traceback.StackSummary) -> list[traceback.FrameSummary]:
    return [frame for frame in stack if not _is_ours(frame.filename)]


def _is_ours(filename: str) -> bool:
    return filename.startswith(_NOBODYS) or (filename.startswith(_OURS) and not filename.startswith(_SHIPPED))
