"""A task: one thread of execution, as the scheduler knows it (`struct task_struct`)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, Self

from simkernel.engine import Call
from simkernel.kernel.sched.credentials import Credentials
from simkernel.kernel.sched.scheduler import Cpu, OnWake
from simkernel.kernel.sched.signals import Signals
from simkernel.kernel.sched.wait import BlockedCall, Sleeping, WaitQueue

OnResult = Callable[[Any, BaseException | None], None]


class State(Enum):
    """What a task is doing; the value is what ps(1) calls it."""

    RUNNING = "R"
    SLEEPING = "S"
    UNINTERRUPTIBLE = "D"
    ZOMBIE = "Z"
    DEAD = "X"


class SchedTask:
    """A thread of execution, without the resources of its process (see `kernel/vfs/task.py`).

    A process is a thread group: `pid` is the thread's own number, `tgid` the process's.  `program`
    is the coroutine in user mode, `frame` the one in the kernel while a system call sleeps.  A task
    without a program belongs to ordinary code, which submits one call at a time.  `enter` is where its
    calls enter the kernel (`Runner.enter`), `on_wake` the callback invoked when its sleep ends
    (`Scheduler.waker`).
    """

    __slots__ = (
        "_children",
        "_comm",
        "_state",
        "_track",
        "_wait_child",
        "alive",
        "application",
        "blocked",
        "busy_until",
        "call",
        "cpu",
        "credentials",
        "enter",
        "entered",
        "exit_status",
        "failure",
        "flow",
        "frame",
        "kthread",
        "on_result",
        "on_wake",
        "own_flow",
        "parent",
        "pid",
        "program",
        "receive",
        "signals",
        "sleep",
        "tgid",
    )

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
        self._state = State.RUNNING
        self.alive = True
        self.kthread = False
        self.program: Coroutine[Any, Any, Any] | None = None
        self.frame: Coroutine[Any, Any, Any] | None = None
        self.call: Call[Any] | None = None
        self.entered = 0
        self.sleep: Sleeping | None = None
        self.blocked: BlockedCall | None = None
        self.receive: BlockedCall | None = None
        """With what it last waited to receive; from the same file it does so again."""
        self.on_result: OnResult | None = None
        self.application: object | None = None
        """What whoever runs its program keeps for it."""
        self.flow = 0
        self.own_flow = 0
        self.cpu: Cpu | None = None
        self.busy_until = -(1 << 62)
        self.exit_status = 0
        self.failure: BaseException | None = None

    def __repr__(self) -> str:
        return f"<task {self.track}>"

    @property
    def comm(self) -> str:
        """What it is called, which may change."""
        return self._comm

    @comm.setter
    def comm(self, comm: str) -> None:
        self._track = self.track
        self._comm = comm

    @property
    def track(self) -> str:
        """What traces call it: what it was called first, and its number."""
        return self._track or f"{self._comm}/{self.pid}"

    @property
    def children(self) -> list[SchedTask]:
        """Its children that nobody has waited for.  Most tasks never have any."""
        if self._children is None:
            self._children = []
        return self._children

    @property
    def state(self) -> State:
        """What it is doing."""
        if self.sleep is None:
            return self._state
        return State.SLEEPING if self.sleep.interruptible else State.UNINTERRUPTIBLE

    @state.setter
    def state(self, state: State) -> None:
        self._state = state

    @property
    def wait_child(self) -> WaitQueue:
        """Where it waits for its children to end.  Most tasks never do."""
        if self._wait_child is None:
            self._wait_child = WaitQueue(f"the children of {self.track}")
        return self._wait_child

    def inherit(self, parent: Self) -> None:
        """Take over what a new process inherits from `parent` (`copy_process()`)."""
        self.flow = parent.flow
        self.signals = Signals(parent.signals.handlers)

    def share(self, leader: Self) -> None:
        """Become a thread of `leader`, with the resources of its process (CLONE_THREAD)."""
        self.signals = Signals(leader=leader.signals)

    def release(self) -> bool:
        """Release the task's share of its process's resources.  Return True if another thread uses them."""
        return False

    @property
    def is_leader(self) -> bool:
        """Whether it is the first thread of its process."""
        return self.pid == self.tgid
