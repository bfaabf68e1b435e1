"""Blocking calls for ordinary code: the same names, and each drives the clock until it is done.

A `Blocking` is a process of the machine without a program.  Its sockets look like `socket.socket`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from simkernel.application.app import App
from simkernel.engine import Call, Deadlock, Engine, SimulationError, TimeLimit, seconds
from simkernel.testing.socket import BlockingSocket
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

if TYPE_CHECKING:
    from simkernel.kernel.task.process import Processes
    from simkernel.kernel.task.task import Task

T = TypeVar("T")

LIMIT = seconds(60)
"""How much simulated time one blocking call may take."""


class Driver:
    """Carries out one awaitable after the other as a given task, by letting the machine run."""

    def __init__(self, engine: Engine, processes: Processes, limit: int = LIMIT) -> None:
        self._engine = engine
        self._processes = processes
        self._limit = limit
        self._results: list[tuple[Any, BaseException | None]] = []

    def on_result(self, value: Any, error: BaseException | None) -> None:
        """The task has what its call came to."""
        self._results.append((value, error))

    def run(self, task: Task, awaitable: Awaitable[T]) -> T:
        """The result of a call, or of a coroutine that makes calls."""
        if isinstance(awaitable, Call):
            return self._call(task, awaitable)  # type: ignore[no-any-return]
        if not inspect.iscoroutine(awaitable):
            raise SimulationError(f"{awaitable!r} is neither a call nor a coroutine")
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                call = awaitable.send(value) if error is None else awaitable.throw(error)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            value, error = None, None
            try:
                value = self._call(task, call)
            except OSError as raised:
                error = raised

    def _call(self, task: Task, call: Call[Any]) -> Any:
        engine = self._engine
        if engine.running:
            raise SimulationError(
                f"{call!r}: a blocking call cannot be made inside the simulation; a program awaits"
            )
        if not task.alive:
            raise SimulationError(f"{call!r}: the process {task.track} has ended")
        engine.running = True
        try:
            engine.section()
            self._processes.runner.submit(task, call)
            self._until_done(task, call)
        finally:
            engine.running = False
            engine.section()
        value, error = self._results.pop()
        if error is not None:
            raise error
        return value

    def _until_done(self, task: Task, call: Call[Any]) -> None:
        engine = self._engine
        limit = engine.now + self._limit
        while not self._results:
            following = engine.next_time()
            if following is None:
                self._give_up(task)
                raise Deadlock(
                    f"{call!r} can never return: nothing is scheduled any more; {self._sleepers()}"
                )
            if following > limit:
                self._give_up(task)
                raise TimeLimit(
                    f"{call!r} took more than {self._limit / 1e9:g} simulated seconds; {self._sleepers()}"
                )
            engine.step()
            if not task.alive:
                raise SimulationError(f"{call!r}: the process {task.track} was killed meanwhile")

    def _give_up(self, task: Task) -> None:
        """Let go of what the task waits for, so that it can make other calls."""
        if task.sleep is not None:
            task.sleep.leave()
            task.sleep = None
        frame, task.frame = task.frame, None
        if frame is not None:
            frame.close()
        task.call = None

    def _sleepers(self) -> str:
        asleep = [f"{each.track} in {each.call.name if each.call else each.comm} on {each.sleep.where}"
                  for each in self._processes if each.sleep is not None]  # fmt: skip
        return "asleep: " + ("; ".join(asleep) or "nobody")


class Blocking:
    """One process of a machine, for ordinary code: `app`'s names, each call returning its result."""

    def __init__(self, app: App, task: Task, driver: Driver) -> None:
        self.app = app
        self.task = task
        self._driver = driver

    def run(self, awaitable: Awaitable[T]) -> T:
        """Carry out any call or coroutine of `self.app`, and give its result."""
        return self._driver.run(self.task, awaitable)

    def socket(
        self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0, fileno: int | None = None
    ) -> BlockingSocket:
        """As `socket.socket`."""
        return BlockingSocket(
            self.run, self.task.files, self.run(self.app.socket(family, type, proto, fileno))
        )

    def poll(
        self, watched: Iterable[tuple[BlockingSocket | int, int]], timeout: float | None = None
    ) -> list[tuple[int, int]]:
        """(descriptor, events) of those that are ready; waits up to `timeout` milliseconds, None for ever."""
        pairs = [(what if isinstance(what, int) else what.descriptor, events) for what, events in watched]
        return self.run(self.app.poll(pairs, timeout))

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.run(self.app.sleep(seconds))

    def getpid(self) -> int:
        """The process's number."""
        return self.run(self.app.getpid())

    def kill(self, pid: int, signal: int) -> None:
        """Send a signal."""
        self.run(self.app.kill(pid, signal))

    def genetlink(self, family: str) -> BlockingClient:
        """A client of a generic netlink family."""
        return BlockingClient(self, self.run(self.app.genetlink(family)))

    def modprobe(self, name: str, **parameters: Any) -> None:
        """Load a module by name or alias, its dependencies first."""
        self.run(self.app.modprobe(name, **parameters))

    def insmod(self, path: str, **parameters: Any) -> None:
        """Load one module."""
        self.run(self.app.insmod(path, **parameters))

    def rmmod(self, name: str) -> None:
        """Unload a module."""
        self.run(self.app.rmmod(name))

    def lsmod(self) -> list[Mapping[str, Any]]:
        """The loaded modules."""
        return self.run(self.app.lsmod())


class BlockingClient:
    """A generic netlink client whose calls return their results."""

    def __init__(self, owner: Blocking, client: Any) -> None:
        self._run = owner.run
        self.client = client

    def join(self, group: str) -> None:
        """Join a multicast group."""
        self._run(self.client.join(group))

    def leave(self, group: str) -> None:
        """Leave a multicast group."""
        self._run(self.client.leave(group))

    def do(self, operation: str, **attributes: Any) -> Any:
        """One request; its reply's attributes, None without a reply."""
        return self._run(self.client.do(operation, **attributes))

    def dump(self, operation: str, **attributes: Any) -> list[Any]:
        """A dump; the attributes of each message."""
        return self._run(self.client.dump(operation, **attributes))

    def next_event(self) -> Any:
        """The next event of the groups that were joined."""
        return self._run(anext(self.client.events()))

    def close(self) -> None:
        """Close its sockets."""
        self._run(self.client.close())
