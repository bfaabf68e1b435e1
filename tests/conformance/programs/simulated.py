"""Programs on a simkernel machine. Each is a task without application code. The case submits its system
calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from simkernel import Machine
from simkernel.application.caller import Caller
from simkernel.blocking.sync_runner import outside
from simkernel.engine import SimulationError, millis
from simkernel.kernel.sched.credentials import ALL, Credentials
from simkernel.kernel.vfs.task import Task
from simkernel.kernel.vfs.tmpfs import Tmpfs
from simkernel.uapi.capability import CAP_SYS_RESOURCE
from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.resource import RLIMIT_NOFILE
from simkernel.uapi.signal import SIG_IGN, SIGPIPE
from simkernel.uapi.stat import S_IFCHR, makedev
from tests.conformance.programs.calls import CALLS, Composed, Request
from tests.conformance.programs.interface import (
    COMM,
    DEVICES,
    FOLDER,
    LIMITS,
    MNT,
    PROC,
    RECORD,
    BlockedForever,
    Program,
    named,
)

REST: Final = millis(1)
"""Virtual time in ns. If a call has not ended after this time, it counts as blocked."""
FILE_SYSTEM: Final = 99
"""Minor device number of the tmpfs that contains the programs' directory."""
MAX_EVENTS: Final = 10_000
NOTHING: Final = object()


class SimulatedPending:
    """A call that a simulated task makes."""

    def __init__(self, program: SimulatedProgram, made: Request | Composed) -> None:
        self._program = program
        self._made = made
        self._request: Request | None = None
        self.value: Any = NOTHING
        self.error: BaseException | None = None
        self.ended = False

    def proceed(self, value: Any = None, error: BaseException | None = None) -> None:
        """Continue a call after one of its system calls has returned. If the call consists of further system
        calls, submit the next one. Otherwise store the result or error of the call.
        """
        request = self._request
        if error is None and request is not None and request.convert is not None:
            value = request.convert(value)
        if isinstance(self._made, Request):
            if request is not None:
                self._finish(value, error)
                return
            following = self._made
        else:
            try:
                following = self._made.send(value) if error is None else self._made.throw(error)
            except StopIteration as stop:
                self._finish(stop.value, None)
                return
            except (OSError, SimulationError) as raised:
                self._finish(None, raised)
                return
        self._request = following
        self._program.submit(following)

    def _finish(self, value: Any, error: BaseException | None) -> None:
        self.value, self.error, self.ended = value, error, True
        self._program.pending = None

    def done(self) -> bool:
        """Return True if the call or its program has ended."""
        self._program.programs.settle()
        return self.ended or not self._program.task.alive

    def result(self) -> Any:
        """Wait for the end of the call. Return its result or raise its error."""
        self._program.programs.wait_for(self)
        if self.error is not None:
            raise self.error
        if not self.ended:
            raise ProcessLookupError(3, f"program {self._program.name} has ended")
        return named(self.value, self._program.programs.names)


@attrs.frozen
class Child:
    """Application of a forked task. It makes no calls, because the case submits them."""

    programs: SimulatedPrograms
    comm: str = COMM

    def begin(self, task: Task) -> Any:
        """Suspend the task until the case submits a call."""
        self.programs.adopt(task)
        return None


class SimulatedProgram(Program):
    """A task that makes calls for a case."""

    def __init__(self, programs: SimulatedPrograms, name: str, task: Task) -> None:
        self.programs = programs
        self.name = name
        self.task = task
        self.pid = task.pid
        self.pending: SimulatedPending | None = None
        self._caught: list[int] = []
        self._app = programs.machine.app(task)
        task.on_result = self._on_result

    def _on_result(self, value: Any, error: BaseException | None) -> None:
        if self.pending is not None:
            self.pending.proceed(value, error)

    def record(self, number: int) -> None:
        """Handle a signal: record its number for `caught()`."""
        self._caught.append(number)

    def submit(self, request: Request) -> None:
        """Submit a system call to the kernel."""
        call = Caller.request(self._app, request.name, request.arguments)
        self.programs.machine.kernel.processes.runner.submit(self.task, call)

    def begin(self, call: str, *arguments: Any) -> SimulatedPending:
        """Start a call that can block. Return when it has ended or blocks."""
        assert self.pending is None, f"program {self.name} is in a call"
        if call == "signal":
            made: Request | Composed = self._signal_request(*arguments)
        else:
            made = CALLS[call](*arguments)
        self.pending = pending = SimulatedPending(self, made)
        self.programs.act(pending.proceed)
        return pending

    def _signal_request(self, number: int, handler: int | str) -> Request:
        return Request(
            "rt_sigaction",
            (number, self.record if handler == RECORD else handler),
            lambda old: RECORD if callable(old) else int(old),
        )

    def fork(self) -> SimulatedProgram:
        """Fork a child process, which inherits the descriptors."""
        self.pending = SimulatedPending(self, Request("fork", (Child(self.programs),)))
        pending = self.pending
        self.programs.act(pending.proceed)
        pid = pending.result()
        return next(each for each in self.programs.all if each.pid == pid)

    def end(self, status: int = 0) -> None:
        """End the process."""
        self.pending = SimulatedPending(self, Request("exit", (status,)))
        self.programs.act(self.pending.proceed)

    def alive(self) -> bool:
        """Return True if the process has not ended."""
        self.programs.settle()
        return self.task.alive

    def caught(self) -> list[int]:
        """Return the recorded signals and clear the record."""
        self.programs.settle()
        caught = list(self._caught)
        self._caught.clear()
        return caught

    def deliver_signals(self) -> bool:
        """If the program is idle and has pending signals, submit a getpid(), so that the kernel runs the
        handlers. Return True if a getpid() was submitted.
        """
        if self.pending is None and self.task.alive and self.task.signals.pending:
            self.pending = SimulatedPending(self, Request("getpid", ()))
            self.pending.proceed()
            return True
        return False


class SimulatedPrograms:
    """The programs of a case on a simkernel machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.names: dict[int, str] = {1: "init"}
        self.all: list[SimulatedProgram] = []
        root = machine.blocking()
        root.mkdir(MNT)
        fs = machine.kernel.fs
        shared = fs.lookup(root.task, "/dev/shm").inode.superblock
        assert isinstance(shared, Tmpfs)
        memory = Tmpfs(FILE_SYSTEM, shared.now, shared.special, shared.unmodelled)
        fs.mount(memory.root, fs.lookup(root.task, MNT))
        root.mkdir(FOLDER)
        root.chmod(FOLDER, 0o777)
        root.mkdir(PROC)
        fs.bind(fs.lookup(root.task, "/proc"), fs.lookup(root.task, PROC))
        for name, minor in DEVICES.items():
            root.mknod(f"{MNT}/{name}", S_IFCHR | 0o666, makedev(1, minor))
            root.chmod(f"{MNT}/{name}", 0o666)
        self._null = root.task.files.get(root.open(f"{MNT}/null", O_RDWR))

    def adopt(self, task: Task) -> SimulatedProgram:
        """Create and register a `SimulatedProgram` for a task. Return the `SimulatedProgram`."""
        program = SimulatedProgram(self, chr(ord("a") + len(self.all)), task)
        for number, handler in task.signals.handlers.items():
            if callable(handler):  # The task has inherited a handler that records signals for its parent.
                task.signals.set_handler(number, program.record)
        self.names[task.pid] = program.name
        self.all.append(program)
        return program

    def start(
        self, uid: int = 0, gid: int = 0, groups: Sequence[int] = (), root: str = "/"
    ) -> SimulatedProgram:
        """Start a process for a user. Return a `SimulatedProgram`, through which the case controls the
        process.
        """
        credentials = attrs.evolve(
            Credentials.of(uid, gid, None if uid else ALL - {CAP_SYS_RESOURCE}), groups=frozenset(groups)
        )
        task = self.machine.kernel.processes.serve(COMM, credentials, _ignore)
        task.signals.set_handler(SIGPIPE, SIG_IGN)
        program = self.adopt(task)
        task.credentials = Credentials.of(0)
        program.begin("setrlimit", RLIMIT_NOFILE, LIMITS).result()
        program.begin("chdir", FOLDER).result()
        for standard in range(3):
            task.files.install_at(standard, self._null)
        program.begin("chroot", root).result()
        task.credentials = credentials
        return program

    def act(self, function: Any) -> None:
        """Start a call of a program, and run the machine until every program is idle or blocked."""
        with outside(self.machine.engine, "a program"):
            function()
        self.settle()

    def settle(self) -> None:
        """Run the machine until each program is idle or blocked in its call."""
        engine = self.machine.engine
        while True:
            engine.settle(engine.now + REST)
            with outside(engine, "a program"):
                if not sum(program.deliver_signals() for program in self.all):
                    return

    def wait_for(self, pending: SimulatedPending) -> None:
        """Run the machine until a call or its program has ended."""
        engine = self.machine.engine
        program = pending._program
        for _ in range(MAX_EVENTS):
            if pending.ended or not program.task.alive:
                return
            if engine.next_time() is None:
                break
            engine.settle(engine.next_time() + REST)
        raise BlockedForever(f"the call of program {program.name} has not ended")

    def close(self) -> None:
        """Do nothing, because the machine ends its tasks."""


def _ignore(value: Any, error: BaseException | None) -> None:
    """Ignore the result of a system call that a task makes before a program is registered for the task."""
