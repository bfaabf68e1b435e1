"""A situation that a test requests: its trigger, the program that it concerns, and the number of times it has
happened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterator
from typing import Any, Final, Self

from simkernel.application.app import App
from simkernel.blocking.process import Blocking
from simkernel.engine import Record
from simkernel.kernel.netlink.sock import NetlinkSock
from simkernel.kernel.vfs.task import Task
from simkernel.machine import Machine, Process
from simkernel.testing.situations.registry import SITUATIONS

Program = str | int | Process | App | Blocking | None
"""The program that a situation concerns: a name, a pid, a process, an `app`, or a `Blocking` object.

None means all programs except daemons.
"""

Fields = dict[str, Any]

SENDS: Final = frozenset({"sendto", "sendmsg", "write", "writev"})
RECEIVES: Final = frozenset({"recvfrom", "recvmsg", "read", "readv"})
JOINS: Final = frozenset({"bind", "setsockopt"})


class Occurrence:
    """A situation that a test requests. The attribute `happened` counts how often it has happened. The
    argument `times` is the maximum of this count.

    A `with` block disarms it at its end. It raises AssertionError if the situation has never happened,
    because the test would prove nothing. Actions run in separate sections, before any program resumes.
    """

    def __init__(self, machine: Machine, name: str, times: int = 1) -> None:
        self.machine = machine
        self.name = name
        self.happened = 0
        self.armed = True
        self._times = times
        self._undo: list[Callable[[], object]] = []

    def __repr__(self) -> str:
        return f"<{self.name}: happened {self.happened} times>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.disarm()
        if kind is None and not self.happened:
            needs = SITUATIONS[self.name].needs
            raise AssertionError(f"the situation {self.name} has not happened: it needs {needs}")

    def disarm(self) -> None:
        """Disarm the situation, so that it does not happen again. A second call has no effect."""
        self.armed = False
        while self._undo:
            self._undo.pop()()

    def count(self) -> None:
        """Count an occurrence of the situation. Disarm the situation when the maximum number of occurrences
        is reached.
        """
        self.happened += 1
        if self.happened >= self._times:
            self.disarm()

    def soon(self, action: Callable[..., object], *arguments: Any) -> None:
        """Call `action` at the current simulated time, as soon as the code that runs now has finished. Do not
        call it if the situation is disarmed by then.
        """
        self.machine.at(self.machine.now, self._act, action, arguments)

    def _act(self, action: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if self.armed:
            action(*arguments)

    def on(self, names: Collection[str], action: Callable[[Record], object]) -> None:
        """Call `action` with each trace record whose name is in `names`."""

        def listener(record: Record) -> None:
            if record.name in names:
                action(record)

        self._undo.append(self.machine.trace.subscribe(listener))

    def on_call(
        self, event: str, calls: Collection[str], program: Program, action: Callable[[Task, Fields], object]
    ) -> None:
        """Call `action` each time `program` enters (`event` is "sys_enter") or leaves ("sys_exit") a system
        call in `calls`.
        """
        concerned, find = concerns(self.machine, program), self.machine.kernel.processes.find

        def called(record: Record) -> None:
            if record.fields["call"] in calls and concerned(task := find(record.fields["pid"])):
                action(task, record.fields)

        self.on({event}, called)

    def after(
        self,
        calls: Collection[str],
        program: Program,
        action: Callable[[Task], object],
        *,
        hold: int = 0,
        when: Callable[[Task, Fields], object] = lambda task, fields: True,
    ) -> None:
        """Call `action` after each system call in `calls` that `program` makes, before the program resumes.

        The program is not scheduled for `hold` ns after the call, as if a task of higher priority had its
        CPU.  `when` selects the calls.
        """

        def leave(task: Task, fields: Fields) -> None:
            if when(task, fields):
                self.machine.engine.charge(hold)
                self.soon(action, task)

        self.on_call("sys_exit", calls, program, leave)

    def run(self, program: Callable[[App], Coroutine[Any, Any, None]]) -> None:
        """Run a program as root. When the program ends, count an occurrence of the situation.

        If no simulation runs, run the machine until the program has ended.
        """
        machine = self.machine

        async def counted(app: App) -> None:
            await program(app)
            self.count()

        process = machine.spawn(counted, name=self.name, daemon=True)
        while not machine.engine.running and process.alive:
            machine.run(until=(machine.engine.next_time() or machine.now) + 1)

    def replace(self, owner: object, name: str, other: object) -> Any:
        """Replace an attribute of a kernel object. When the situation is disarmed, the attribute gets its
        previous value back.

        Return the previous value.
        """
        original = getattr(owner, name)
        setattr(owner, name, other)
        self._undo.append(lambda: setattr(owner, name, original))
        return original


def concerns(machine: Machine, program: Program) -> Callable[[Task], bool]:
    """Return a predicate that is true for a task of `program`, the program that a situation concerns."""
    if isinstance(program, str):
        return lambda task: task.comm == program
    if program is not None:
        pid = _pid(program)
        return lambda task: task.tgid == pid
    processes = machine.kernel.processes
    others = (processes.init, processes.kthreadd)
    return lambda task: not (task.kthread or task in others or task in processes.daemons)


def _pid(program: int | Process | App | Blocking) -> int:
    if isinstance(program, int):
        return program
    if isinstance(program, Process):
        return program.pid
    task: Any = program.owner if isinstance(program, App) else program.task
    return int(task.tgid)


def netlink_sockets(machine: Machine, program: Program) -> Iterator[NetlinkSock]:
    """Yield the netlink sockets of `program`, the program that a situation concerns."""
    concerned = concerns(machine, program)
    for task in machine.kernel.processes:
        if task.pid == task.tgid and concerned(task):
            yield from sockets_of(task)


def sockets_of(task: Task) -> Iterator[NetlinkSock]:
    """Yield the netlink sockets that a task has open."""
    for _, file in task.files.items():
        if isinstance(file.socket, NetlinkSock):
            yield file.socket
