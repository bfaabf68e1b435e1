"""The part of the interpreter's state that differs between the threads of hosted processes: packages and
asyncio's event loop.

Theory of operation.  Several hosted processes run in one Python process.  Each of their threads runs in a
greenlet or is the code of a test.  The interpreter state of a thread is a `ThreadState`, which is
installed while the thread runs.  Each switch of a program's greenlet swaps the installed states, so no
program sees the modules of another.
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

INSTALLED: list[ThreadState] = []
"""The thread states that are installed in the interpreter. If several of them have a package of the same
name, `sys.modules` has the package of the last one.
"""


class HostedRunner:
    """Runs the system calls of a hosted process.  The simulated thread that is running makes each call."""

    def __init__(self, app: App, runner: CallRunner) -> None:
        self._app = app
        self._runner = runner

    @property
    def task(self) -> Task:
        """The task of the running thread."""
        return self._runner.task

    def switch(self, runner: CallRunner) -> None:
        """Use `runner`, the runner of one thread, for all later system calls of the process."""
        self._runner = runner
        self._app.owner = runner.task

    def run(self, awaitable: Awaitable[T], /) -> T:
        """Make a system call, or run a coroutine that makes system calls, and return the result."""
        return self._runner.run(awaitable)

    def end_child(self, error: BaseException | None) -> None:
        """Exit this Python process if it is a forked child (fork.py)."""
        if hasattr(self._runner, "end"):
            self._runner.end(error)


class ThreadState:
    """Interpreter state of one thread of a hosted process.  `own` is the runner of the thread: the object
    that makes the thread's system calls.
    """

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
        """The asyncio policy, the running loop and the async generator hooks of the thread.  While the state
        is installed, this tuple holds the values that the interpreter had before `install`.
        """

    def install(self) -> None:
        """Swap the thread's state with that of the interpreter."""
        self._importer.install()
        self._exchange()
        self._runner.switch(self._own)

    def remove(self) -> None:
        """Restore the interpreter's state that was valid before `install`."""
        self._exchange()
        self._importer.remove()

    def end_child(self, error: BaseException | None = None) -> None:
        """Exit this Python process if it is a forked child."""
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
    """Callback for each switch to or from a greenlet. The code in the greenlet and the code outside have
    different thread states. The callback removes the states of the code that stops, and installs the states
    of the code that continues.
    """

    def __init__(self) -> None:
        self._away: list[ThreadState] = []

    def __call__(self) -> None:
        for each in reversed(INSTALLED):
            each.remove()
        self._away, INSTALLED[:] = INSTALLED[:], self._away
        for each in INSTALLED:
            each.install()


@contextmanager
def installed(state: ThreadState, own: Any) -> Iterator[None]:
    """Install a thread state during a `with` block. `own` is the object that makes the system calls of the
    thread that enters the block.
    """
    exchange = None if not hasattr(own, "swap") or own.swap else Exchange()
    if exchange is not None:
        exchange()
        own.swap = exchange
    state.install()
    INSTALLED.append(state)
    try:
        yield
        state.end_child()
    except BaseException as error:
        state.end_child(error)
        raise
    finally:
        INSTALLED.remove(state)
        state.remove()
        if exchange is not None:
            own.swap = None
            exchange()
