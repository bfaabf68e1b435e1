"""The engine: a simpy environment with a clock in integer nanoseconds. Code that runs adds its cost to the
simulated time.

Sections.  A section is the code that one event's callback runs.  `now`, the clock, does not change during
a section.  Code in a section adds its cost to `charged`.  `time()` returns `now + charged`.  New events
are scheduled relative to `time()`.  The next section starts with `charged == 0`.  SystemC calls this
method temporal decoupling.

Two queues.  A pending event is an entry (time, priority, number, ...).  The smallest entry is processed
first.  The number counts up, so events of the same instant are processed in the order of their scheduling.
`queue` is simpy's heap.  It holds our `Timer`s and the events of simpy.  `fifo` is a deque of entries in
ascending order.  It holds resumed tasks: a task is usually resumed later than every known entry, for
example if one message wakes a thousand tasks.  Appending to a deque is cheaper than pushing to a heap.

Cancelled timers.  The entry of a cancelled timer stays in the heap.  It is dropped, without moving the
clock, when it becomes the next entry.  If more than half of the entries are cancelled, all cancelled
entries are dropped.  So a cancellation costs O(1), and the heap is at most twice as long as the number of
pending timers.

Sections in place.  If a section would only resume its own task at `time()`, and no other entry is due
before that, `pass_charged` advances the clock and the task continues.  The order of events is as with the
queue, but no entry is queued.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from itertools import compress, repeat
from math import inf
from operator import is_not, itemgetter
from threading import get_ident
from types import MethodType
from typing import Any, Final

import simpy
from simpy.core import BoundClass, EmptySchedule
from simpy.events import NORMAL as NORMAL
from simpy.events import URGENT, Event

from simkernel.engine.clock import whole_nanoseconds
from simkernel.engine.errors import SimulationError
from simkernel.engine.streams import Streams
from simkernel.engine.timer import Timer
from simkernel.engine.trace import Tracer

RUNS_ALREADY = "the simulation is already running: a program cannot run it; await a call instead"

NEVER = 1 << 126
"""An instant in ns that is later than every other instant."""
LONG_AGO = -NEVER
"""An instant in ns that is earlier than every other instant."""
FOR_EVER: Final = repeat(None)
"""An endless iterator. `_process()` takes one item for each event from its argument `turns`. This iterator is
the default of `turns`, so that the number of events is not limited.
"""
MIN_CANCELLED: Final = 64
"""The event heap is purged only if it has more cancelled entries than this."""


class Engine(simpy.Environment):
    """The clock, event queue, random streams and tracepoints of one machine.

    `now` is the instant of the current section.  `charged` is the cost of the section so far.  Both are in
    ns.
    """

    perturbed = False
    """True if a plan delays tasks and pauses module code in this run (engine/planned.py)."""
    jittered = False
    """True if the time charges vary at random (engine/jitter.py)."""

    now: int = 0  # simpy's `now` is a property: each access would cost a call

    @property
    def _now(self) -> int:
        """The clock in ns, under the name that simpy uses."""
        return self.now

    @_now.setter
    def _now(self, now: int) -> None:
        self.now = now

    def __init__(self, seed: int = 0, start: int = 0) -> None:
        super().__init__(initial_time=start)
        self._bind_early()
        self.now = start
        self.charged = 0
        self.in_place = True
        """True if a section (the code of one event) may start directly after another one, without an entry in
        the queue.
        """
        self.run_until = LONG_AGO
        """An instant in ns. A section (the code of one event) may start directly after another one, without
        an entry in the queue, only if it starts before this instant.
        """
        self.next_deadline = LONG_AGO
        """A lower bound in ns of the time of the next event. `is_next()` computes it."""
        self.queue: list[Any] = self._queue
        """Heap of pending events.  An entry is (time, priority, number, timer or simpy event), or (time,
        priority, number, function, three arguments).
        """
        self._cancelled = 0
        """Number of cancelled entries in `queue`."""
        self.numbers = self._eid
        """Counter that numbers the entries in the order of their scheduling."""
        self.fifo: deque[Any] = deque()
        """Queue of tasks to resume, ordered by time.  An entry is (time, priority, number, function, three
        arguments).
        """
        self.fifo_end = LONG_AGO
        """Time in ns of the last entry that was appended to `fifo`."""
        self.rng = Streams(seed)
        self.failures: list[BaseException] = []
        """Errors that were passed to `interrupt()`, and that the event loop has not raised yet."""
        self.trace = Tracer(self.time, self.interrupt)
        self.running = False
        self._thread = get_ident()
        self.turn = 0
        """Number of calls of `section()`. Code outside the event loop calls `section()` before it acts on the
        machine. So if this number has not changed during a run, only events have acted on the machine.
        """
        self.until: int | None = None

    def _bind_early(self) -> None:
        """Bind simpy's event factories (`timeout`, `event`, ...) to this engine.

        simpy binds them for its own class only.
        """
        for name, value in vars(simpy.Environment).items():
            if isinstance(value, BoundClass):
                setattr(self, name, MethodType(value.cls, self))

    # -- the clock ------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<Engine seed={self.rng.seed} at {self.now} ns>"

    def time(self) -> int:
        """Return the current time in ns: the instant at which the current section (the code of one event)
        began, plus the time charges of this section.
        """
        return self.now + self.charged

    def charge(self, ns: int) -> None:
        """Add `ns` to the cost of the current section (the code of one event). If the engine has jitter, it
        multiplies `ns` by a random factor first.
        """
        self.charged += ns

    def spend(self, ns: int) -> None:
        """Add exactly `ns` to the cost of the current section (the code of one event), even if the engine has
        jitter.

        For user mode and busy waits, whose duration does not vary even if charges do.
        """
        self.charged += ns

    def drawn(self, ns: int) -> int:
        """Return the time in ns for work whose cost is `ns`. Both are equal unless the engine has jitter
        (random time charges).
        """
        return ns

    def check_thread(self) -> None:
        """Raise SimulationError if the current thread did not make the engine.  The engine has no locks."""
        if get_ident() != self._thread:
            raise SimulationError(
                "a machine can be used only in the thread that made it: make one machine in each thread"
            )

    def section(self) -> None:
        """Start a new section (a piece of code with its own time charges) for code outside the event loop.
        The clock does not change.
        """
        self.turn += 1
        self.charged = 0
        self.trace.flow = 0

    # -- scheduling -----------------------------------------------------------

    def call_later(self, delay: int, function: Callable[..., object], *arguments: Any) -> Timer:
        """Schedule an event that calls `function`, `delay` ns after `time()`. Return the event's timer."""
        timer = Timer(function, arguments, self)
        self.next_deadline = LONG_AGO
        heappush(self._queue, (self.now + self.charged + delay, NORMAL, next(self.numbers), timer))  # type: ignore[misc]
        return timer

    def resume_at(
        self, time: int, function: Callable[[Any, Any, Any], object], one: Any, two: Any, three: Any
    ) -> None:
        """Schedule an event that calls `function(one, two, three)` at `time` ns, which must not be in the
        past.

        This resumes tasks.  It makes no `Timer`, because it is never cancelled.
        """
        entry = (time, NORMAL, next(self.numbers), function, one, two, three)
        self.next_deadline = LONG_AGO
        if self.fifo_end <= time:
            self.fifo_end = time
            self.fifo.append(entry)
        else:
            heappush(self.queue, entry)

    def pass_charged(self) -> bool:
        """Advance the clock by the time charges of the current section (the code of one event), and begin a
        new section without a queue entry.

        Return False if an event is due first.

        A section calls this instead of `resume_at(time(), ...)` as its last act, and continues if it
        returns True.
        """
        time = self.now + self.charged
        if time >= self.next_deadline and not self.is_next(time):
            return False
        self.now = time
        self.charged = 0
        self.trace.flow = 0
        return True

    def is_next(self, time: int) -> bool:
        """Return True if code can run at `time` without an entry in the queue: no event is due up to and
        including `time`, and `time` is before `run_until`.

        Callers skip the call if `time < next_deadline`.
        """
        # Do not call a function here: after a call, Python can run a signal handler that calls `interrupt()`.
        # If a signal handler called `interrupt()`, this method would overwrite the new `next_deadline`.
        next_deadline = self.run_until
        if (fifo := self.fifo) and fifo[0][0] < next_deadline:
            next_deadline = fifo[0][0]
        if (queue := self.queue) and queue[0][0] < next_deadline:
            next_deadline = queue[0][0]
        self.next_deadline = next_deadline
        return time < next_deadline

    def pass_until(self, end: int) -> None:
        """Until the instant `end`, allow a section (the code of one event) to start directly after another
        one, without an entry in the queue. If the attribute `in_place` is False, do not allow this.
        """
        self.set_run_until(end if self.in_place else LONG_AGO)

    def set_run_until(self, end: int) -> None:
        """Set the attribute `run_until` to `end`. Reset `next_deadline`, so that `is_next()` computes it
        again.
        """
        self.run_until = end
        self.next_deadline = LONG_AGO

    def call_at(self, time: int, function: Callable[..., object], *arguments: Any) -> Timer:
        """Schedule an event that calls `function` at `time` ns. Return the event's timer.

        Raise SimulationError if `time` is in the past.
        """
        if whole_nanoseconds(time, "the time of an event") < self.now:
            raise SimulationError(f"{time} ns is in the past: the clock is at {self.now} ns")
        timer = Timer(function, arguments, self)
        self.next_deadline = LONG_AGO
        heappush(self._queue, (time, NORMAL, next(self.numbers), timer))  # type: ignore[misc]
        return timer

    def interrupt(self, error: BaseException) -> None:
        """Schedule an urgent event that raises `error`. The error ends the run before any other event is
        processed.

        The error can come from a trace listener, a signal handler, a time limit or a Ctrl-C.
        """
        self.failures.append(error)
        timer = Timer(self.raise_failure, (), self)
        self.next_deadline = LONG_AGO
        heappush(self._queue, (self.now, URGENT, next(self.numbers), timer))  # type: ignore[misc]

    def raise_failure(self) -> None:
        """Raise the oldest error in `failures`, if the list is not empty."""
        if self.failures:
            raise self.failures.pop(0)

    def schedule(self, event: Event, priority: Any = NORMAL, delay: Any = 0) -> None:
        """Schedule an event of simpy, as `simpy.Environment.schedule()` does."""
        self.next_deadline = LONG_AGO
        super().schedule(event, priority, delay)

    def count_cancelled(self) -> None:
        """Count one more cancelled entry of the event queue. If the queue has too many of them, drop all
        cancelled entries.
        """
        self._cancelled = cancelled = self._cancelled + 1
        if cancelled > MIN_CANCELLED:
            self._purge()

    def _purge(self) -> None:
        """Drop the cancelled entries of the event queue if they are more than half of its entries."""
        queue = self.queue
        if self._cancelled <= MIN_CANCELLED or 2 * self._cancelled <= len(queue):
            return
        # Do not use a comprehension: while Python evaluates it, a signal handler can call `interrupt()`.
        # A comprehension would lose the event that `interrupt()` in a signal handler adds to the queue.
        functions = map(getattr, map(itemgetter(3), queue), repeat("function"), repeat(...))
        queue[:] = compress(queue, map(is_not, functions, repeat(None)))
        heapify(queue)
        self._cancelled = 0

    def timers(self) -> list[Timer]:
        """Return the pending timers in the order of their expiry."""
        return [what for _, _, _, what, *_ in sorted(self.queue) if type(what) is Timer and what.pending]

    def end(self) -> None:
        """End the paused sections (pieces of module code), because the machine is switched off. Only a
        `PlannedEngine` has paused sections.
        """

    # -- running --------------------------------------------------------------

    def next_time(self) -> int | None:
        """Return the time of the next event in ns. Return None if no event is scheduled."""
        queue = self.queue
        while queue and type(timer := queue[0][3]) is Timer and timer.function is None:
            heappop(queue)
            self._cancelled -= 1
        return min((int(first[0][0]) for first in (queue, self.fifo) if first), default=None)

    def peek(self) -> float:
        """Return the time of the next event as simpy does: infinity if no event is scheduled."""
        time = self.next_time()
        return inf if time is None else time

    def step(self) -> None:
        """Process one event.  Raise EmptySchedule if no event is scheduled."""
        time = self.next_time()
        if time is None:
            raise EmptySchedule
        self._process(time + 1, turns=range(1))

    def run(self, until: Any = None) -> Any:
        """Process the events before the instant `until`, or all events if `until` is None.

        The attribute `until` keeps the argument.
        """
        if until is None:
            self.until = None
            self._run(NEVER)
            return
        if whole_nanoseconds(until, "until") < self.now:
            raise SimulationError(f"run(until={until}) is in the past: the clock is at {self.now} ns")
        self.until = until
        self._run(until)
        self.now = until

    def settle(self, end: int) -> None:
        """Process the events before the instant `end`.  Leave the clock at the time of the last of these
        events.
        """
        self.until = None
        self._run(end)

    def _run(self, end: int) -> None:
        if self.running:
            raise SimulationError(RUNS_ALREADY)
        self.running = True
        self.pass_until(end)
        try:
            self._process(end)
        finally:
            self.running = False
            self.set_run_until(LONG_AGO)
            self.section()
            self._purge()

    def _process(self, end: int, turns: Iterable[object] = FOR_EVER) -> None:
        """Process the events before the instant `end`, but at most as many events as `turns` has items.

        Only events of simpy need `simpy.Environment.step()`; all others are processed here.  The loop is a
        `for` because CPython does not specialize the bytecode of a `while` loop that jumps back on a
        condition.
        """
        queue, fifo, trace = self.queue, self.fifo, self.trace
        for _ in turns:
            if fifo and not (queue and queue[0] < fifo[0]):
                entry = time, _, _, function, one, two, three = fifo.popleft()
                if time >= end:
                    fifo.appendleft(entry)
                    return
                self.now = time
                self.charged = 0
                trace.flow = 0
                function(one, two, three)
            elif queue:
                time, _, _, *what = queue[0]
                if time >= end:
                    return
                if type(timer := what[0]) is Timer:
                    heappop(queue)
                    if (function := timer.function) is None:
                        self._cancelled -= 1
                        continue
                    timer.function = None
                    self.now = time
                    self.charged = 0
                    trace.flow = 0
                    function(*timer.arguments)
                    continue
                self.now = time
                self.charged = 0
                trace.flow = 0
                if len(what) > 1:
                    heappop(queue)
                    function, one, two, three = what
                    function(one, two, three)
                else:
                    super().step()
            else:
                return
