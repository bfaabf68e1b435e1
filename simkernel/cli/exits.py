"""Exit codes, and the signals that end a command.  The library click defines code 2, for a wrong command
line.
"""

from __future__ import annotations

import errno
import signal
from typing import Final

FAILED: Final = 1
SIGNALLED: Final = 128
"""Offset of exit codes for signals: a shell reports 128 plus the signal's number."""
SIGPIPE: Final = 13
"""Number of SIGPIPE. A writer receives this signal if its pipe has no readers. Python ignores the signal, and
on Windows Python has no constant for it.
"""


class Stopped(KeyboardInterrupt):
    """Raised to end a command after a signal. `number` is the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def stop(number: int, frame: object) -> None:
    """Raise Stopped. This function is a signal handler."""
    raise Stopped(number)


def ended(error: KeyboardInterrupt | OSError, when: str = "") -> tuple[str, int]:
    """Return the text to print and the exit code for a signal or an error of standard output."""
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        return f"Error: cannot write standard output: {error.strerror}\n", FAILED
    number: int = SIGPIPE if isinstance(error, OSError) else getattr(error, "number", signal.SIGINT)
    texts: dict[int, str] = {signal.SIGINT: f"interrupted{when}\n", signal.SIGTERM: f"terminated{when}\n"}
    return texts.get(number, ""), SIGNALLED + number
