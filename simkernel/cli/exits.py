"""Exit codes, and the signals that end a command; code 2, for a wrong command line, is click's."""

from __future__ import annotations

import errno
import signal
from typing import Final

FAILED: Final = 1
SIGNALLED: Final = 128
"""What a shell adds to the number of the signal that has ended a command."""
SIGPIPE: Final = 13
"""The signal of a reader that has gone.  Python ignores it, and Windows has none."""


class Stopped(KeyboardInterrupt):
    """A signal ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def stop(number: int, frame: object) -> None:
    """Handle a signal."""
    raise Stopped(number)


def ended(error: KeyboardInterrupt | OSError, when: str = "") -> tuple[str, int]:
    """Return what to print of a signal or of an error of standard output, and the exit code."""
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        return f"Error: cannot write standard output: {error.strerror}\n", FAILED
    number: int = SIGPIPE if isinstance(error, OSError) else getattr(error, "number", signal.SIGINT)
    texts: dict[int, str] = {signal.SIGINT: f"interrupted{when}\n", signal.SIGTERM: f"terminated{when}\n"}
    return texts.get(number, ""), SIGNALLED + number
