"""Run the machine from ordinary code until a call of that code is done."""

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
"""How much simulated time ordinary code waits for one thing."""


@contextmanager
def outside(engine: Engine, what: object) -> Iterator[None]:
    """Run the body as ordinary code that acts on the machine.

    SimulationError within the simulation, or in another thread than the machine's.
    """
    engine.check_thread()
    if engine.running:
        raise SimulationError(
            f"{what}: a façade drives the clock and cannot be used inside the simulation; "
            "a program makes its calls with its own app"
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
    """Process events until `done()`, or those up to `deadline` ns; to be used within `outside`.

    Without a deadline it raises Deadlock when nothing is left that could happen, and TimeLimit after
    `LIMIT`, unless `task` is what is waited for and it does not wait itself.
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
    """A process of the machine without a program: ordinary code submits its calls, one at a time."""

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
        """The result of a call, or of anything else to await that makes calls.

        An error of a call is raised where the call was awaited, so that whoever awaits can clean up.
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
        # INLINE: simkernel.blocking.sync_runner.outside, 16 % of a blocking call
        engine.running = True
        engine.section()
        try:
            engine.set_run_until(
                NEVER
            )  # a call that does not sleep is done at once, unless others come first
            self._processes.runner.submit(task, call)
            if not results:
                engine.set_run_until(LONG_AGO)
                self._wait(call)
        finally:
            engine.running = False
            engine.set_run_until(LONG_AGO)
            engine.section()
        if not results:
            raise SimulationError(f"{call}: the process {task.track} was killed meanwhile")
        value, error = results.pop()
        if error is not None:
            raise error
        return value

    def _refuse(self, call: Call[Any]) -> NoReturn:
        with outside(self._engine, call):
            raise SimulationError(f"{call}: the process {self.task.track} has ended")

    def _wait(self, call: Call[Any]) -> None:
        """Process events until the call is done.  There is no time limit while its task does not sleep.

        A listener's error is raised after that: to abandon the call would end a task that does not sleep.
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
            results.clear()  # it is not the next call's result
        if failures and isinstance(first := failures[0], OSError):
            text = f"{call}: a listener of the trace, or a function of machine.at, raised {first!r}"
            raise SimulationError(text) from first
        if failures:
            raise failures[0]

    def _is_done(self) -> bool:
        return bool(self._results) or not self.task.alive

    def _release(self) -> None:
        """Abandon the call: the task can make others.  A task that does not sleep is ended instead."""
        task = self.task
        if task.sleep is None:
            self._processes.runner.end(task, SIGKILL)
            return
        self._processes.runner.abandon(task)
        task.call = None

    def make_real(self, fd: int) -> RealDescriptor:
        """A real descriptor for real clients to poll, which follows the simulated `fd`."""
        real = RealDescriptor(self.task.files.get(fd))
        self._real.append(real)
        return real

    def close_real(self, real: RealDescriptor) -> None:
        """Close a real descriptor.  Harmless when the process has ended."""
        if real in self._real:
            self._real.remove(real)
            real.close()

    def end(self, status: int) -> None:
        """End the process with a wait status: closes its descriptors.  Harmless when it has ended."""
        if self.task.alive:
            with outside(self._engine, "exit"):
                self._processes.runner.end(self.task, status)
        while self._real:
            self._real.pop().close()
