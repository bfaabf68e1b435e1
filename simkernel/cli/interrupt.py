"""Ctrl-C: the simulation ends between two events, so that what was traced is whole."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from simkernel.scenario import Run


class Interruptible:
    """Within it, a first SIGINT raises KeyboardInterrupt before the next event, a second one at once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._asked = False
        self._before: Any = None

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGINT, self._on_signal)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """After a Ctrl-C, no further one is heard: files are being finished."""
        signal.signal(signal.SIGINT, signal.SIG_IGN if kind is KeyboardInterrupt else self._before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._asked or not self._run.interrupt(KeyboardInterrupt()):
            raise KeyboardInterrupt
        self._asked = True
