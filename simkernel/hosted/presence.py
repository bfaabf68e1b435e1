"""Interpreter state of a hosted process: its packages in `sys.modules` and its event loops.

Theory of operation.  Several hosted processes run in one Python.  Each of their threads runs in a greenlet or
is the code of a test.  The state of a thread is a `Presence`, which is installed while the thread runs.
Every switch of a program's greenlet swaps the installed presences, so no program sees the modules of another.
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
"""The installed presences.  If several host the same package, that of the last one is in `sys.modules`."""


class HostedRunner:
    """A runner of a hosted process's calls, which makes them in the thread that is running."""

    def __init__(self, app: App, runner: CallRunner) -> None:
        self._app = app
        self._runner = runner

    @property
    def task(self) -> Task:
        """The running thread's task."""
        return self._runner.task

    def switch(self, runner: CallRunner) -> None:
        """Make the following calls in the thread of `runner`."""
        self._runner = runner
        self._app.owner = runner.task

    def run(self, awaitable: Awaitable[T], /) -> T:
        """Return the result of a call, or of a coroutine that makes calls."""
        return self._runner.run(awaitable)

    def end_child(self, error: BaseException | None) -> None:
        """End the process of the host if the program runs in a forked child (fork.py)."""
        if hasattr(self._runner, "end"):
            self._runner.end(error)


class Presence:
    """The interpreter state of one thread of a hosted process.  `own` runs the calls of that thread."""

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
        """asyncio's policy, running loop and hooks: the thread's, or while it is installed the others'."""

    def install(self) -> None:
        """Make the thread's state that of the interpreter."""
        self._importer.install()
        self._exchange()
        self._runner.switch(self._own)

    def remove(self) -> None:
        """Restore the state before `install`."""
        self._exchange()
        self._importer.remove()

    def end_child(self, error: BaseException | None = None) -> None:
        """End the process of the host if the thread runs in a forked child."""
        self._runner.end_child(error)

    def _exchange(self) -> None:
        (policy, loop, hooks), self._asyncio = (
            self._asyncio,
            (asyncio.get_event_loop_policy(), _get_running_loop(), sys.get_asyncgen_hooks()),
        )
        asyncio.set_event_loop_policy(policy)
        _set_running_loop(loop)
        sys.set_asyncgen_hooks(*hooks)


class Exchange:
    """A callback for each switch of a greenlet: swap the greenlet's presences with the installed ones."""

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
    """Install a presence during the block, which is code of the thread whose calls `own` runs."""
    exchange = None if not hasattr(own, "swap") or own.swap else Exchange()
    if exchange is not None:
        exchange()
        own.swap = exchange
    presence.install()
    INSTALLED.append(presence)
    try:
        yield
        presence.end_child()
    except BaseException as error:
        presence.end_child(error)
        raise
    finally:
        INSTALLED.remove(presence)
        presence.remove()
        if exchange is not None:
            own.swap = None
            exchange()
