"""Blocking system calls for code outside the simulation. Each call runs the machine until the call ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from simkernel.blocking.descriptor import RealDescriptor
from simkernel.engine import Call, Deadlock, Engine, SimulationError, TimeLimit, drive, seconds
from simkernel.engine.engine import LONG_AGO, NEVER
from simkernel.kernel.sched.sleepers import explained
from simkernel.uapi.signal import SIGKILL

if TYPE_CHECKING:
    from simkernel.kernel.sched.credentials import Credentials
    from simkernel.kernel.sched.process import Processes
    from simkernel.kernel.vfs.task import Task

T = TypeVar("T")

LIMIT = seconds(60)
"""Simulated time in ns after which a blocking call from outside the simulation raises TimeLimit."""


@contextmanager
def outside(engine: Engine, what: object) -> Iterator[None]:
    """Return a context manager. Code outside the simulation must use it to run or change the machine. In its
    `with` block, the machine is marked as running.

    Raise SimulationError if a program calls this, or a thread that did not make the machine.
    """
    engine.check_thread()
    if engine.running:
        raise SimulationError(
            f"{what}: a blocking call advances the clock, so it cannot be made inside the simulation; "
            "a program must make its calls with its own app object"
        )
    engine.running = True
    engine.section()
    try:
        yield
    finally:
        engine.running = False
        engine.section()


def run_until(
    engine: Engine,
    processes: Processes[Task],
    done: Callable[[], object],
    what: object,
    *,
    task: Task | None = None,
    deadline: int | None = None,
) -> None:
    """Process events until `done()` is true.

    Stop at `deadline` ns, if it is given.  Call this within `outside`.

    Without a deadline, raise Deadlock if no event is scheduled, and TimeLimit after `LIMIT`.  The limit
    does not apply while `task`, the task to wait for, is not sleeping.
    """
    limit = engine.now + LIMIT if deadline is None else deadline
    while not done():
        following = engine.next_time()
        if following is not None and (following <= limit or (task is not None and task.sleep is None)):
            engine.step()
        elif deadline is not None:
            return
        elif following is None:
            text = f"{what} blocks for ever: no event is scheduled"
            raise explained(Deadlock, text, processes, processes.failures)
        else:
            text = f"{what} took more than {LIMIT / 1e9:g} simulated seconds"
            raise explained(TimeLimit, text, processes, processes.failures)


class SyncRunner:
    """A simulated process that runs no program.  Code outside the simulation makes its system calls,
    one at a time.
    """

    def __init__(self, engine: Engine, processes: Processes[Task], credentials: Credentials) -> None:
        self._engine = engine
        self._processes = processes
        self._results: list[tuple[Any, BaseException | None]] = []
        self._real: list[RealDescriptor] = []
        self.task = processes.serve("blocking", credentials, self._on_result)

    def __repr__(self) -> str:
        return f"<SyncRunner of {self.task.track}>"

    def _on_result(self, value: Any, error: BaseException | None) -> None:
        self._results.append((value, error))

    def run(self, awaitable: Awaitable[T]) -> T:
        """Perform a system call, or run a coroutine that makes system calls.  Return the result.

        If a call of a coroutine fails, the error is raised at its `await`, so that the coroutine can clean
        up.
        """
        try:
            if isinstance(awaitable, Call):
                result: T = self._call(awaitable)
                return result
            return drive(awaitable, self._call)
        finally:
            for real in self._real:
                real.update()

    def _call(self, call: Call[Any]) -> Any:
        engine, task, results = self._engine, self.task, self._results
        engine.check_thread()
        if engine.running or not task.alive:
            self._refuse(call)
        # INLINE: simkernel.blocking.sync_runner.outside, saves 16 % of a blocking call
        engine.running = True
        engine.section()
        try:
            # If the call does not block and no other event is due first, `submit` completes the call.
            engine.set_run_until(NEVER)
            self._processes.runner.submit(task, call)
            if not results:
                engine.set_run_until(LONG_AGO)
                self._wait(call)
        finally:
            engine.running = False
            engine.set_run_until(LONG_AGO)
            engine.section()
        if not results:
            raise SimulationError(f"{call}: the process {self.task.track} was killed during the call")
        value, error = results.pop()
        if error is not None:
            raise error
        return value

    def _refuse(self, call: Call[Any]) -> NoReturn:
        with outside(self._engine, call):
            raise SimulationError(f"{call}: the process {self.task.track} has ended")

    def _wait(self, call: Call[Any]) -> None:
        """Process events until the task's system call is done. The time limit is checked only while the task
        sleeps.

        An error of a trace listener is raised after the call: raising it earlier would have to end a
        running task.
        """
        engine, task, results = self._engine, self.task, self._results
        failures, engine.failures = engine.failures, []
        engine.trace.on_error = failures.append
        try:
            while task.sleep is None and task.alive and not results and engine.next_time() is not None:
                engine.step()
            if not results:
                run_until(engine, self._processes, self._is_done, call, task=task)
        except BaseException as error:  # noqa: BLE001 - raised below
            self._release()
            failures.insert(0, error)
        finally:
            engine.trace.on_error = engine.interrupt
        for other in failures[1:]:
            engine.interrupt(other)
        if failures:
            # an exception is raised instead of the result: drop the result, or the next call would return it
            results.clear()
        if failures and isinstance(first := failures[0], OSError):
            text = f"{call}: a trace listener or a function of machine.at raised {first!r}"
            raise SimulationError(text) from first
        if failures:
            raise failures[0]

    def _is_done(self) -> bool:
        return bool(self._results) or not self.task.alive

    def _release(self) -> None:
        """If the task sleeps, abandon its system call, so that the task can make another one.  Otherwise end
        the task.
        """
        task = self.task
        if task.sleep is None:
            self._processes.runner.end(task, SIGKILL)
            return
        self._processes.runner.abandon(task)
        task.call = None

    def make_real(self, fd: int) -> RealDescriptor:
        """Return a host descriptor that is readable while the simulated descriptor `fd` is readable. Event
        loops of the host can poll the host descriptor.
        """
        real = RealDescriptor(self.task.files.get(fd))
        self._real.append(real)
        return real

    def close_real(self, real: RealDescriptor) -> None:
        """Close a host descriptor.  No effect if the process has ended."""
        if real in self._real:
            self._real.remove(real)
            real.close()

    def end(self, status: int) -> None:
        """End the process with a wait status and close its descriptors.  No effect if it has ended."""
        if self.task.alive:
            with outside(self._engine, "exit"):
                self._processes.runner.end(self.task, status)
        while self._real:
            self._real.pop().close()
