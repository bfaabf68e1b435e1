"""CPUs and the tasks that hold them.

With `Machine(cpus=None)` each task has its own CPU and never waits for one (`UnlimitedCpus`).

With `Machine(cpus=N)` (`RunQueue`) a woken task waits in one run queue, first come, first served. It gets
a CPU when another task sleeps, exits, or ends a call after its time slice.  A call is never interrupted:
kernel code is not preempted, and user mode takes time only in `compute`, which uses the CPU in pieces of a
slice.  CPU 0 handles interrupts, which delay the task that runs on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappush
from typing import Any, Protocol

from simkernel.engine import MILLISECOND, Engine, Timer
from simkernel.engine.engine import LONG_AGO, NORMAL
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.layers import KERNEL

SLICE = 3 * MILLISECOND
"""Time in ns that a task may keep its CPU while others wait (base_slice_ns of EEVDF, kernel/sched/fair.c)."""

Continue = Callable[..., None]
Resume = Callable[[Any, Any, BaseException | None], None]
"""A function that continues a task with a value or an error."""
OnWake = Callable[[Any, bool, BaseException | None], None]
"""A function that ends a task's sleep. Arguments: the task, False if its deadline has passed (else True), and
an exception to raise in the task or None.
"""


class Schedulable(Protocol):
    """A task, as the scheduler sees it (`struct sched_entity`).

    The task's CPU is busy with it until `busy_until` (ns).  `cpu` is this CPU, or None with unlimited
    CPUs.
    """

    busy_until: int
    cpu: Cpu | None
    sleep: Any

    @property
    def pid(self) -> int: ...
    @property
    def comm(self) -> str: ...
    @property
    def track(self) -> str: ...


class Scheduler(Protocol):
    """The operations of a scheduler that the runner uses."""

    costs: CostModel

    @property
    def count(self) -> int:
        """Number of CPUs that programs see (`num_online_cpus()`)."""

    def ready(self, task: Schedulable, function: Resume, value: Any, error: BaseException | None) -> None:
        """Make `task` runnable: invoke `function` when the task gets a CPU."""

    def waker(self, resume: Resume) -> OnWake:
        """Return the callback that ends a sleep. It calls `resume` when the task gets a CPU."""

    def begin(self, task: Schedulable, function: Continue, *arguments: Any) -> None:
        """Make the task of ordinary code (Python code outside the simulation) runnable. `function` is called
        when the task gets a CPU.
        """

    def completes(self, task: Schedulable, function: Resume, value: Any, error: BaseException | None) -> None:
        """End the running task's system call: invoke `function` when the simulated clock has advanced by the
        costs charged so far.
        """

    def release(self, task: Schedulable) -> None:
        """Release the CPU of a task that sleeps or has ended. The CPU stays busy until the simulated clock
        has advanced by the costs charged so far.
        """

    def yield_cpu(self, task: Schedulable) -> None:
        """End the time slice of the running task, so that waiting tasks run first (sched_yield(2))."""

    def interrupt(self, ns: int) -> None:
        """Account for an interrupt that took `ns` of a CPU's time."""

    def slice_left(self, task: Schedulable) -> int:
        """Return the time in ns, at least 1, that `task` may run in user mode before another task gets its
        CPU.
        """


def trace_wakeup(engine: Engine, task: Schedulable) -> None:
    """Emit the tracepoint `sched_wakeup` for a task that has been woken."""
    if (emit := engine.trace.emit) is not None:
        emit("sched_wakeup", KERNEL, "sched", pid=task.pid, comm=task.comm)


class UnlimitedCpus:
    """A scheduler that gives each task its own CPU."""

    def __init__(self, engine: Engine, costs: CostModel) -> None:
        self._engine = engine
        self.costs = costs
        self._switch = costs.switch

    @property
    def count(self) -> int:
        """Return 1. Programs see one CPU, although every task has its own."""
        return 1

    def ready(self, task: Schedulable, function: Resume, value: Any, error: BaseException | None) -> None:
        engine = self._engine
        start = max(engine.time(), task.busy_until) + engine.drawn(self._switch)
        engine.resume_at(start, function, task, value, error)

    def waker(self, resume: Resume) -> OnWake:
        engine, trace, wake, switch = self._engine, self._engine.trace, self.costs.wake, self._switch

        def on_wake(task: Schedulable, woken: bool, error: BaseException | None) -> None:
            task.sleep = None
            engine.charged = charged = engine.charged + wake
            if trace.emit is not None:
                trace_wakeup(engine, task)
            start, busy_until = engine.now + charged, task.busy_until
            start = (busy_until if busy_until > start else start) + switch
            # INLINE: simkernel.engine.engine.Engine.resume_at, saves 0.9 % of blocked-100
            entry = (start, NORMAL, next(engine.numbers), resume, task, woken, error)
            engine.next_deadline = LONG_AGO
            if engine.fifo_end <= start:
                engine.fifo_end = start
                engine.fifo.append(entry)
            else:
                heappush(engine.queue, entry)

        return on_wake

    def begin(self, task: Schedulable, function: Continue, *arguments: Any) -> None:
        function(task, *arguments)

    def completes(self, task: Schedulable, function: Resume, value: Any, error: BaseException | None) -> None:
        engine = self._engine
        engine.resume_at(engine.now + engine.charged, function, task, value, error)

    def release(self, task: Schedulable) -> None:
        engine = self._engine
        task.busy_until = engine.now + engine.charged

    def yield_cpu(self, task: Schedulable) -> None:
        self._engine.charged += self.costs.schedule

    def interrupt(self, ns: int) -> None:
        pass

    def slice_left(self, task: Schedulable) -> int:
        return SLICE


class ObservedCpus(UnlimitedCpus):
    """A scheduler with one CPU for each task. The engine decides when a woken task continues. If the engine
    follows a plan (engine/planned.py), it can delay the task.
    """

    def waker(self, resume: Resume) -> OnWake:
        engine, costs, ready = self._engine, self.costs, self.ready

        def on_wake(task: Schedulable, woken: bool, error: BaseException | None) -> None:
            task.sleep = None
            engine.charged += costs.wake
            trace_wakeup(engine, task)
            ready(task, resume, woken, error)

        return on_wake


class Cpu:
    """A CPU: the task that holds it, the time until which the CPU is busy, and the function to call at this
    time.

    `busy` is the time in ns that the CPU has worked, for earlier tasks and for interrupts. `switches` is
    the number of context switches (`nr_switches`).
    """

    __slots__ = (
        "busy", "due", "free_at", "holder", "last", "number", "slice_start", "switches", "taken", "then",
        "timer",
    )  # fmt: skip

    def __init__(self, number: int, free_at: int) -> None:
        self.number = number
        self.holder: Schedulable | None = None
        self.last: Schedulable | None = None
        self.free_at = free_at
        self.busy = 0
        self.switches = 0
        self.taken = 0
        self.slice_start = 0
        self.due = 0
        self.timer: Timer | None = None
        self.then: tuple[Continue, tuple[Any, ...]] | None = None


class RunQueue:
    """A scheduler with N CPUs and one queue of runnable tasks."""

    def __init__(self, engine: Engine, costs: CostModel, cpus: int) -> None:
        self._engine = engine
        engine.in_place = False  # end each call in an event of its own, which an interrupt can delay
        self.costs = costs
        self.cpus = tuple(Cpu(number, engine.now) for number in range(cpus))
        self._queue: deque[tuple[Schedulable, Continue, tuple[Any, ...]]] = deque()

    @property
    def count(self) -> int:
        return len(self.cpus)

    def statistics(self) -> list[dict[str, int]]:
        """Return, for each CPU, its busy time in ns up to now and its number of context switches."""
        now = self._engine.time()
        return [
            {
                "busy_ns": cpu.busy + (max(0, now - cpu.taken) if cpu.holder is not None else 0),
                "switches": cpu.switches,
            }
            for cpu in self.cpus
        ]

    def ready(self, task: Schedulable, function: Resume, value: Any, error: BaseException | None) -> None:
        self.begin(task, function, value, error)

    def waker(self, resume: Resume) -> OnWake:
        def on_wake(task: Schedulable, woken: bool, error: BaseException | None) -> None:
            task.sleep = None
            self._engine.charged += self.costs.wake
            trace_wakeup(self._engine, task)
            self.begin(task, resume, woken, error)

        return on_wake

    def begin(self, task: Schedulable, function: Continue, *arguments: Any) -> None:
        task.busy_until = max(task.busy_until, self._engine.time())
        idle = [cpu for cpu in self.cpus if cpu.holder is None]
        if not idle:
            self._queue.append((task, function, arguments))
        else:  # prefer the CPU on which the task ran last (select_idle_sibling())
            cpu = next((cpu for cpu in idle if cpu.last is task), idle[0])
            self._dispatch(cpu, task, function, arguments)

    def completes(self, task: Schedulable, function: Resume, value: Any, error: BaseException | None) -> None:
        assert task.cpu is not None
        self._arm(task.cpu, self._engine.time(), function, (value, error))

    def release(self, task: Schedulable) -> None:
        cpu = task.cpu
        if cpu is None:
            self._queue = deque(entry for entry in self._queue if entry[0] is not task)
            return
        if cpu.timer is not None:
            cpu.timer.cancel()
        task.cpu = None
        cpu.holder = None
        cpu.free_at = max(cpu.free_at, self._engine.time())
        # `taken` is in the future if the task has not started to run on the CPU yet: add 0 then
        cpu.busy += max(0, cpu.free_at - cpu.taken)
        if self._queue:
            self._dispatch(cpu, *self._queue.popleft())

    def interrupt(self, ns: int) -> None:
        cpu = self.cpus[0]
        if cpu.timer is not None and cpu.timer.pending:
            cpu.timer.cancel()
            self._set(cpu, cpu.due + ns)
        else:
            cpu.free_at = max(cpu.free_at, self._engine.now) + ns
            if cpu.holder is None:
                cpu.busy += ns

    def yield_cpu(self, task: Schedulable) -> None:
        assert task.cpu is not None
        self._engine.charged += self.costs.schedule
        task.cpu.slice_start = self._engine.time() - SLICE  # mark the slice as used up

    def slice_left(self, task: Schedulable) -> int:
        assert task.cpu is not None
        if not self._queue:
            return SLICE
        return max(1, SLICE - (self._engine.time() - task.cpu.slice_start))

    def _dispatch(self, cpu: Cpu, task: Schedulable, function: Continue, arguments: tuple[Any, ...]) -> None:
        start = cpu.taken = max(self._engine.time(), cpu.free_at, task.busy_until)
        if cpu.last is not task:
            start += self._engine.drawn(self.costs.switch)
            cpu.switches += 1
            if (emit := self._engine.trace.emit) is not None:
                previous = cpu.last.track if cpu.last else "idle"
                emit("sched_switch", KERNEL, "sched", cpu=cpu.number, previous=previous, next=task.track)
        cpu.holder = cpu.last = task
        task.cpu = cpu
        cpu.slice_start = start
        self._arm(cpu, start, function, arguments)

    def _arm(self, cpu: Cpu, due: int, function: Continue, arguments: tuple[Any, ...]) -> None:
        cpu.then = (function, arguments)
        self._set(cpu, due)

    def _set(self, cpu: Cpu, due: int) -> None:
        cpu.due = due
        cpu.timer = self._engine.call_at(due, self._due, cpu)

    def _due(self, cpu: Cpu) -> None:
        assert cpu.then is not None
        assert cpu.holder is not None
        function, arguments = cpu.then
        cpu.then = None
        task = cpu.holder
        if self._queue and self._engine.now - cpu.slice_start >= SLICE:
            self._queue.append((task, function, arguments))
            task.cpu = None
            cpu.holder = None
            cpu.busy += self._engine.now - cpu.taken
            self._dispatch(cpu, *self._queue.popleft())
        else:
            function(task, *arguments)
