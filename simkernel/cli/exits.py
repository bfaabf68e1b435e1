"""Exit codes, and the signals that end a command.  Code 2 for a wrong command line is click's."""

from __future__ import annotations

import errno
import signal
from typing import Final

FAILED: Final = 1
SIGNALLED: Final = 128
"""The number that a shell adds to that of the signal that ended a command."""
SIGPIPE: Final = 13
"""Sent to the writer of a pipe without readers.  A number, since Windows lacks it.  Python ignores it."""


class Stopped(KeyboardInterrupt):
    """The signal `number` ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def stop(number: int, frame: object) -> None:
    """Raise Stopped: the handler of a signal that ends the command."""
    raise Stopped(number)


def ended(error: KeyboardInterrupt | OSError, when: str = "") -> tuple[str, int]:
    """Return the text to print for a signal or an error of standard output, and the exit code."""
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        return f"Error: cannot write standard output: {error.strerror}\n", FAILED
    number: int = SIGPIPE if isinstance(error, OSError) else getattr(error, "number", signal.SIGINT)
    texts: dict[int, str] = {signal.SIGINT: f"interrupted{when}\n", signal.SIGTERM: f"terminated{when}\n"}
    return texts.get(number, ""), SIGNALLED + number
