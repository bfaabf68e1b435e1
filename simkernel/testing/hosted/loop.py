"""asyncio inside a hosted program: its loops wait for the machine's descriptors, on the machine's time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

from simkernel.machine import Machine


class HostedEventLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop over a selector of the machine's descriptors.

    It has no pipe to itself: nothing but its own thread wakes it.
    """

    _ssock: Any
    _csock: Any

    def __init__(self, machine: Machine, selector: selectors.BaseSelector) -> None:
        self._machine = machine
        super().__init__(selector)

    def time(self) -> float:
        """Simulated seconds."""
        return self._machine.now / 1e9

    def _make_self_pipe(self) -> None:
        self._ssock = self._csock = None

    def _close_self_pipe(self) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


class HostedPolicy(asyncio.DefaultEventLoopPolicy):
    """Lets `asyncio.run()` and `asyncio.new_event_loop()` make such loops."""

    def __init__(self, make: Callable[[], asyncio.AbstractEventLoop]) -> None:
        super().__init__()
        self._make = make

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A loop of the hosted program's."""
        return self._make()
