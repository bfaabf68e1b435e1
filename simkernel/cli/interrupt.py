"""SIGINT and SIGTERM: end the simulation between two events, so that its output files are complete."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from threading import Timer
from types import FrameType
from typing import Final

from simkernel.cli.exits import Stopped, ended
from simkernel.cli.exporters import Exporters
from simkernel.scenario import Run

GRACE: Final = 2.0
"""SIGTERM or a second SIGINT stops the run immediately. If the run still continues after this number of
wall-clock seconds, the process exits.
"""
NOTICE: Final = "stopping before the next event; press Ctrl-C again to stop at once\n"


class Interruptible:
    """A context manager in which a first SIGINT raises KeyboardInterrupt before the next event.

    A second SIGINT and SIGTERM raise it at once.  If the `with` block catches it and does not end within
    GRACE, the process exits.
    """

    def __init__(self, run: Run, exporters: Exporters) -> None:
        self._run = run
        self._exporters = exporters
        self._asked = False
        self._ending = False
        self._late: int | None = None
        self._watchdog: Timer | None = None

    def __enter__(self) -> None:
        self._before = {
            each: signal.signal(each, self._on_signal) for each in (signal.SIGINT, signal.SIGTERM)
        }

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        """Restore the signal handlers. After a signal, ignore further ones while the files are completed."""
        self._ending = True
        if self._watchdog is not None:
            self._watchdog.cancel()
        ignored = kind is not None and issubclass(kind, KeyboardInterrupt)
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_IGN if ignored else before)
        if self._late is not None and not ignored:
            signal.raise_signal(self._late)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Python can call this handler in __exit__, before the first line of __exit__ is executed. An
        # exception would then leave this handler installed, and the next signal would stop the report.
        if self._ending or (frame is not None and frame.f_code is Interruptible.__exit__.__code__):
            self._late = number
            return
        if number == signal.SIGINT and not self._asked and self._run.interrupt(KeyboardInterrupt()):
            self._asked = True
            _say("\n" * os.isatty(2) + NOTICE)
            return
        if self._watchdog is None:
            self._watchdog = Timer(GRACE, self._give_up, (number,))
            self._watchdog.daemon = True
            self._watchdog.start()
        if self._exporters.busy:
            self._exporters.pending = Stopped(number)
        else:
            raise Stopped(number)

    def _give_up(self, number: int) -> None:
        """End the process if a program or the scenario has caught the signal's exception and continues."""
        self._exporters.discard()
        text, code = ended(Stopped(number))
        _say(text)
        os._exit(code)


def _say(text: str) -> None:
    """Print `text` in a signal handler. Write to file descriptor 2, because the interrupted code may be
    writing to the buffer of sys.stderr.
    """
    if sys.stderr is not None:
        with suppress(OSError):
            os.write(2, text.encode())
