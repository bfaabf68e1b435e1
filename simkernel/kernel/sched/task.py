"""A task: one thread of execution with what it may do and what it holds (`struct task_struct`)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import TYPE_CHECKING, Any

from simkernel.engine import Call
from simkernel.kernel.mm.address_space import AddressSpace
from simkernel.kernel.sched.credentials import Credentials
from simkernel.kernel.sched.signals import Signals
from simkernel.kernel.sched.wait import BlockedCall, Sleeping, WaitQueue
from simkernel.kernel.vfs.context import FsContext
from simkernel.kernel.vfs.fdtable import FileTable

if TYPE_CHECKING:
    from simkernel.kernel.mm.uaccess import UserMemory
    from simkernel.kernel.net.namespace import Net
    from simkernel.kernel.sched.scheduler import Cpu
    from simkernel.kernel.syscall.socket import BlockedReceive

OnResult = Callable[[Any, BaseException | None], None]


class State(Enum):
    """What a task is doing; the value is what ps(1) calls it."""

    RUNNING = "R"
    SLEEPING = "S"
    UNINTERRUPTIBLE = "D"
    ZOMBIE = "Z"
    DEAD = "X"


class Task:
    """A thread of execution.

    A process is a thread group: `pid` is the thread's own number, `tgid` the process's.  `program`
    is the coroutine in user mode, `frame` the one in the kernel while a system call sleeps.  A task
    without a program belongs to ordinary code, which submits one call at a time.  `enter` is where its
    calls enter the kernel (`Runner.enter`), `woken` who is told that its sleep has ended, by a wake-up or
    not, or by an error (`Scheduler.woken`).
    """

    __slots__ = (
        "_children",
        "_comm",
        "_fs",
        "_mm",
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
        "files",
        "flow",
        "frame",
        "kthread",
        "net",
        "on_result",
        "own_flow",
        "parent",
        "pid",
        "program",
        "receive",
        "signals",
        "sleep",
        "tgid",
        "woken",
    )

    enter: Callable[[Call[Any]], Any]
    woken: Callable[[Task, bool, BaseException | None], None]

    def __init__(
        self,
        pid: int,
        tgid: int,
        comm: str,
        *,
        credentials: Credentials,
        files: FileTable,
        net: Net,
        parent: Task | None,
    ) -> None:
        self.pid = pid
        self.tgid = tgid
        self._comm = comm
        self._track: str | None = None
        self.credentials = credentials
        self.files = files
        self.net = net
        self.parent = parent
        self._children: list[Task] | None = None
        self._wait_child: WaitQueue | None = None
        self._mm: UserMemory | None = None
        self._fs: FsContext | None = None
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
        self.receive: BlockedReceive | None = None
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
    def children(self) -> list[Task]:
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

    @property
    def mm(self) -> UserMemory:
        """The process's memory, which its threads share.  Most tasks never show it to the kernel."""
        if self._mm is None:
            self._mm = AddressSpace()
        return self._mm

    @mm.setter
    def mm(self, mm: UserMemory) -> None:
        self._mm = mm

    @property
    def fs(self) -> FsContext:
        """Where the process is in the tree of paths, and its umask."""
        if self._fs is None:
            self._fs = FsContext()
        return self._fs

    def exit_mm(self) -> None:
        """Give back what is mapped: no thread of the process is left."""
        if isinstance(self._mm, AddressSpace):
            self._mm.clear()

    def inherit_fs(self, parent: Task) -> None:
        """Begin where `parent` is (fork(2))."""
        if parent._fs is not None:
            self._fs = parent._fs.copy()

    def share(self, leader: Task) -> None:
        """Be a thread of `leader`: memory and place are the process's (CLONE_VM, CLONE_FS)."""
        self._mm = leader.mm
        self._fs = leader.fs

    @property
    def is_leader(self) -> bool:
        """Whether it is the first thread of its process."""
        return self.pid == self.tgid
