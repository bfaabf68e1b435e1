"""The interpreter's state that belongs to a hosted process: its packages in `sys.modules`, its event loops.

Theory of operation.  Several hosted processes run in one Python.  Each of their threads runs in a greenlet or
is the code of a test.  Its state is a `Presence`, which is installed while the thread runs.  A program
exchanges what is installed at every switch of its greenlet: so it never meets the modules of another.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.events import _get_running_loop, _set_running_loop
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from simkernel.application.app import App
from simkernel.blocking.methods import CallRunner
from simkernel.hosted.importing import Importer

if TYPE_CHECKING:
    from simkernel.kernel.vfs.task import Task

T = TypeVar("T")

INSTALLED: list[Presence] = []
"""What is installed now; of several that host the same package the last one counts."""


class HostedRunner:
    """Runs the calls of a hosted process, as calls of whichever of its threads is running."""

    def __init__(self, app: App, runner: CallRunner) -> None:
        self._app = app
        self._runner = runner

    @property
    def task(self) -> Task:
        """The running thread's task."""
        return self._runner.task

    def switch(self, runner: CallRunner) -> None:
        """Let `runner`'s thread make the calls from now on."""
        self._runner = runner
        self._app.owner = runner.task

    def run(self, awaitable: Awaitable[T], /) -> T:
        """The result of a call, or of a coroutine that makes calls."""
        return self._runner.run(awaitable)


class Presence:
    """The state of one thread of a hosted process: `own` runs the calls of that thread."""

    def __init__(
        self,
        importer: Importer,
        policy: asyncio.AbstractEventLoopPolicy,
        runner: HostedRunner,
        own: CallRunner,
    ) -> None:
        self._importer = importer
        self._runner = runner
        self._own = own
        self._asyncio: tuple[Any, ...] = (policy, None, (None, None))
        """What asyncio has in this thread; in exchange, what it has outside while this is installed."""

    def install(self) -> None:
        """Let the thread's code find its state."""
        self._importer.install()
        self._exchange()
        self._runner.switch(self._own)

    def remove(self) -> None:
        """Restore what was there before."""
        self._exchange()
        self._importer.remove()

    def _exchange(self) -> None:
        (policy, loop, hooks), self._asyncio = (
            self._asyncio,
            (asyncio.get_event_loop_policy(), _get_running_loop(), sys.get_asyncgen_hooks()),
        )
        asyncio.set_event_loop_policy(policy)
        _set_running_loop(loop)
        sys.set_asyncgen_hooks(*hooks)


class Exchange:
    """What a greenlet does at each switch: install its own presences for all others, and the reverse."""

    def __init__(self) -> None:
        self._away: list[Presence] = []

    def __call__(self) -> None:
        for each in reversed(INSTALLED):
            each.remove()
        self._away, INSTALLED[:] = INSTALLED[:], self._away
        for each in INSTALLED:
            each.install()


@contextmanager
def present(presence: Presence, own: Any) -> Iterator[None]:
    """Install a presence for a block of code of the thread whose calls `own` runs."""
    exchange = None if not hasattr(own, "swap") or own.swap else Exchange()
    if exchange is not None:
        exchange()
        own.swap = exchange
    presence.install()
    INSTALLED.append(presence)
    try:
        yield
    finally:
        INSTALLED.remove(presence)
        presence.remove()
        if exchange is not None:
            own.swap = None
            exchange()
