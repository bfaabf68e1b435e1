"""`os.fork` of a hosted program: the child is a real process, but its system calls run in the machine.

Theory of operation.  fork(2) of the host copies this Python process with the program's memory.  The
program's task in the machine forks, too.  The forked Python process sends each system call over a socket
to the original process.  There the simulated child makes the call and sends back the result and the clock.
The machine pauses until the forked process sends its next call.  So a run is as repeatable as without a
fork.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from simkernel.application.app import App
from simkernel.application.program import Image
from simkernel.engine import Call, Compute, NotModelled, SimulationError, drive
from simkernel.hosted.calls import ProcessCalls

if TYPE_CHECKING:
    from simkernel.hosted import Hosted

T = TypeVar("T")


class ForkedTask:
    """Proxy of the child's task in the forked process.  `enter` sends a call to the original process."""

    alive = True

    def __init__(self, host: Hosted, connection: Connection) -> None:
        self._engine = host.machine.engine
        self._connection = connection
        self.comm = host.process.task.comm
        self.pid, self.track = self._receive()

    def enter(self, call: Call[Any]) -> Any:
        """Make a system call in the original process, and return its result or raise its error."""
        call.owner = None
        try:
            self._connection.send((call.name, call.arguments))
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            raise NotModelled(f"{call.name} in a forked process: {error}") from None
        value, raised, arguments, self._engine.now = self._receive()
        self._engine.charged = 0
        for mine, theirs in zip(call.arguments, arguments, strict=True):
            if isinstance(mine, bytearray):
                mine[:] = theirs
        if raised is not None:
            raise raised
        return value if call.convert is None else call.convert(value)

    def _receive(self) -> Any:
        try:
            return self._connection.receive()
        except (EOFError, OSError):  # the simulated process has ended
            os._exit(0)


class ForkedRunner:
    """Makes the system calls of a forked process: sends each call to the original process with
    `ForkedTask.enter`.
    """

    def __init__(self, app: App, task: ForkedTask) -> None:
        self._app = app
        self.task: Any = task

    def run(self, awaitable: Awaitable[T]) -> T:
        """Make a system call, or run a coroutine that makes system calls, and return the result."""
        return drive(awaitable, self._perform)

    def _perform(self, call: Call[Any]) -> Any:
        if isinstance(call, Compute):
            return self.task.enter(call)
        raise SimulationError(f"{call!r} was awaited twice: make the call anew each time")

    def end(self, error: BaseException | None) -> None:
        """Exit the child after its program has returned (status 0) or raised an exception (status 1)."""
        if error is not None and not isinstance(error, SystemExit):
            sys.excepthook(type(error), error, error.__traceback__)
        self.run(self._app.exit(error is not None))


class Connection:
    """One end of the socket between a forked child and the original process, which runs the machine.

    `pid` is the child's pid on the host, or 0 in the child itself.
    """

    def __init__(self, wrapped: socket.socket, pid: int = 0) -> None:
        self._socket = wrapped
        self._file = wrapped.makefile("rwb")
        self._pid = pid

    def send(self, message: object) -> None:
        self._file.write(pickle.dumps(message))
        self._file.flush()

    def receive(self) -> Any:
        """Receive a message.  Raise EOFError if the other process has closed the connection."""
        return pickle.load(self._file)

    def close(self) -> None:
        """Close the connection.  In the original process, also wait until the child has exited.

        shutdown(2) also affects copies of the socket in other children.
        """
        with suppress(OSError):  # already closed
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._file.close()
        pid, self._pid = self._pid, 0
        if pid:
            os.waitpid(pid, 0)

    __del__ = close


async def _child(app: App, connection: Connection) -> None:
    """Program of the simulated child: receive system calls from the forked process, make them, and send back
    the results.
    """
    try:
        connection.send((await app.getpid(), app.owner.track))
        while True:
            name, arguments = connection.receive()
            call: Call[Any] = app.compute(*arguments) if name == "compute" else app.request(name, arguments)
            value = error = None
            try:
                value = await call
            except Exception as raised:  # noqa: BLE001 - sent to the child, which may handle it
                error = raised
            connection.send((value, error, arguments, app.monotonic_ns()))
    except EOFError:
        await app.exit(1)
    finally:
        connection.close()


def fork_function(host: Hosted, call: ProcessCalls, hooks: list[dict[str, Callable[[], None]]]) -> Any:
    """Return `os.fork` for a hosted program.  `hooks` has the functions of `os.register_at_fork`."""

    def run_hooks(when: str) -> None:
        for each in hooks[:: -1 if when == "before" else 1]:
            each.get(when, lambda: None)()

    def fork() -> int:
        run_hooks("before")
        ours, theirs = socket.socketpair()
        if not (pid := os.fork()):
            ours.close()
            task = ForkedTask(host, Connection(theirs))
            host.runner.switch(ForkedRunner(host.process.app, task))
            run_hooks("after_in_child")
            return 0
        theirs.close()
        app = host.process.app
        image = Image(host.machine, _child, (Connection(ours, pid),), {}, host.process.task.comm)
        child: int = call.run(app.call("fork", image))
        run_hooks("after_in_parent")
        return child

    return fork
