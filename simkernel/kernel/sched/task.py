"""A task: one thread of execution, as the scheduler sees it (`struct task_struct`)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, Protocol, Self

from simkernel.engine import Call
from simkernel.kernel.sched.credentials import Credentials
from simkernel.kernel.sched.run_state import RunState
from simkernel.kernel.sched.scheduler import Cpu, OnWake
from simkernel.kernel.sched.signals import Signals
from simkernel.kernel.sched.wait import BlockedCall, Sleeping, WaitQueue


class Program(Protocol):
    """The code that a task runs in user mode: a coroutine, or the greenlet of a plain function."""

    def send(self, value: Any, /) -> Any:
        """Run the program until a call blocks, and return that call.  Raise StopIteration when the program
        ends.
        """

    def throw(self, error: Any, /) -> Any:
        """Raise an error in the program at the call that blocks it, and continue as `send` does."""


OnResult = Callable[[Any, BaseException | None], None]


class TaskState(Enum):
    """A state of a task as ps(1) shows it."""

    RUNNING = "R"
    SLEEPING = "S"
    UNINTERRUPTIBLE = "D"
    IDLE = "I"
    ZOMBIE = "Z"
    DEAD = "X"


class SchedTask:
    """A thread of execution, without the resources of its process (see `kernel/vfs/task.py`).

    A process is a thread group; its first thread is the leader.  A task without a program belongs to
    ordinary code, which submits one call at a time.
    """

    __slots__ = {  # noqa: RUF023 - ordered by topic
        # identity
        "pid": "thread id",
        "tgid": "process id",
        "_comm": "the current name of the task",
        "_track": "the name in traces if `comm` has changed, else None",
        "kthread": "True for a kernel thread",
        "credentials": "user, groups and capabilities",
        # parent and children
        "parent": "the process that waits for this one",
        "_children": "the children that are not reaped",
        "_wait_child": "the wait queue for the end of a child",
        # state of the runner; `run_state` is computed from the next five attributes and `alive`
        "program": "the program in user mode: a coroutine or a plain function",
        "frame": "the coroutine of the current system call, or None",
        "call": "the system call in progress, if it does not end at once",
        "blocked": "the blocked call that is retried after each wake-up, or None",
        "sleep": "the current sleep, or None",
        "receive": "the blocked call of the last receive, reused for the same file",
        "enter": "callback with which a program enters a system call (`Runner.enter`)",
        "on_wake": "callback invoked when a sleep ends (`Scheduler.waker`)",
        "on_result": "callback that gets the result of a call of ordinary code",
        "application": "the `App` of the program",
        "signals": "pending signals and dispositions",
        # scheduling
        "cpu": "the CPU that the task holds, or None with unlimited CPUs",
        "busy_until": "time (ns) until which the CPU is busy with the task",
        # tracing
        "flow": "id of the flow to which the task belongs now",
        "own_flow": "id of the flow of the request that the task sent last",
        "entered": "time (ns) of the last system call's entry",
        # end
        "alive": "False once the task has ended",
        "_state": "running, zombie or dead",
        "exit_status": "wait status",
        "failure": "the exception that ended the program",
    }

    def __init__(
        self,
        pid: int,
        tgid: int,
        comm: str,
        *,
        credentials: Credentials,
        parent: SchedTask | None,
        enter: Callable[[Call[Any]], Any],
        on_wake: OnWake,
    ) -> None:
        self.pid = pid
        self.tgid = tgid
        self._comm = comm
        self._track: str | None = None
        self.credentials = credentials
        self.parent = parent
        self.enter = enter
        self.on_wake = on_wake
        self._children: list[SchedTask] | None = None
        self._wait_child: WaitQueue | None = None
        self.signals = Signals()
        self._state = TaskState.RUNNING
        self.alive = True
        self.kthread = False
        self.program: Program | None = None
        self.frame: Coroutine[Any, Any, Any] | None = None
        self.call: Call[Any] | None = None
        self.entered = 0
        self.sleep: Sleeping | None = None
        self.blocked: BlockedCall | None = None
        self.receive: BlockedCall | None = None
        self.on_result: OnResult | None = None
        self.application: object | None = None
        self.flow = 0
        self.own_flow = 0
        self.cpu: Cpu | None = None
        self.busy_until = -(1 << 62)
        self.exit_status = 0
        self.failure: BaseException | None = None

    def __repr__(self) -> str:
        call = "" if self.call is None else f" in {self.call.name}"
        return f"<task {self.track} {self.run_state.name}{call}>"

    @property
    def comm(self) -> str:
        """The name of the task, which the program may change."""
        return self._comm

    @comm.setter
    def comm(self, comm: str) -> None:
        self._track = self.track
        self._comm = comm

    @property
    def track(self) -> str:
        """The name of the task in traces: its initial name and its pid."""
        return self._track or f"{self._comm}/{self.pid}"

    @property
    def children(self) -> list[SchedTask]:
        """The children that are not reaped yet. The list is created at first use, because few tasks have
        any.
        """
        if self._children is None:
            self._children = []
        return self._children

    @property
    def run_state(self) -> RunState:
        """The state of the task in the runner."""
        if not self.alive:
            return RunState.ENDED
        if self.blocked is not None:
            return RunState.RETRYING if self.sleep is None else RunState.BLOCKED
        if self.sleep is not None:
            return RunState.SLEEPING
        if self.frame is not None:
            return RunState.KERNEL
        if self.call is not None:
            return RunState.RETURNING
        return RunState.IDLE if self.program is None else RunState.USER

    @property
    def state(self) -> TaskState:
        """The state that ps(1) shows."""
        if self.sleep is None:
            return self._state
        if self.sleep.idle:
            return TaskState.IDLE
        return TaskState.SLEEPING if self.sleep.interruptible else TaskState.UNINTERRUPTIBLE

    @state.setter
    def state(self, state: TaskState) -> None:
        self._state = state

    @property
    def wait_child(self) -> WaitQueue:
        """The wait queue for the end of a child, created at first use. Few tasks need one."""
        if self._wait_child is None:
            self._wait_child = WaitQueue(f"the children of {self.track}")
        return self._wait_child

    def inherit(self, parent: Self) -> None:
        """Copy the attributes that a new process inherits from `parent` (`copy_process()`)."""
        self.flow = parent.flow
        self.signals = Signals(parent.signals.handlers, limits=parent.signals.limits)

    def share(self, leader: Self) -> None:
        """Become a thread of `leader` and share the resources of its process (CLONE_THREAD)."""
        self.signals = Signals(leader=leader.signals)

    def release(self) -> bool:
        """Release the task's share of the resources of its process. Return True if another thread of the
        process still uses them.
        """
        return False

    @property
    def is_leader(self) -> bool:
        """True for the first thread of a process."""
        return self.pid == self.tgid
