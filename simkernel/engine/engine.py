"""The engine: simpy's environment in integer nanoseconds, with lean events and time that is charged.

Theory of operation.  Everything happens in *sections*: a section is what one event's callback
does, at one instant of the clock.  Code in a section charges what it costs; `time()` is the
instant plus what has been charged so far, and what a section causes is scheduled relative to that
(SystemC calls this temporal decoupling).  The next section starts with nothing charged.

What is to happen is an entry (time, priority, number, ...) in one of two places, and the least of all
is next: so the order of what happens at the same instant is first come, first served.  `queue` is simpy's
own heap; on it are our `Timer`s, and events of simpy, which are handed to simpy.  How a task goes on is
most often later than all that is known of by then, as when one message wakes a thousand: those entries
stand in `fifo`, in their order, where coming and going costs nothing.

The entry of a cancelled timer is dropped when it is the next entry, without moving the clock.  If more than
half of the entries are cancelled, all cancelled ones are dropped.  So the number of pending timers bounds the
queue, and a cancellation costs O(1).

Where a section ends with nothing but going on later, and the queue has nothing to do until then, the
clock is set forward at once (`pass_charged`): the same things happen in the same order, without the
queue.
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

RUNS_ALREADY = "the simulation runs already: a program cannot run it, it awaits instead"

NEVER = 1 << 126
"""An instant after every other."""
LONG_AGO = -NEVER
"""An instant before every other."""
FOR_EVER: Final = repeat(None)
"""Turns without end."""
MIN_CANCELLED: Final = 64
"""Up to this number, cancelled entries are not purged."""


class Engine(simpy.Environment):
    """Clock, event queue, random streams and tracepoints of one machine.

    `now` is the instant of the current section and `charged` what the section has cost so far, in ns.
    """

    perturbed = False
    """True for an engine that a plan perturbs (engine/planned.py)."""
    jittered = False
    """True for an engine whose charges vary (engine/jitter.py)."""

    now: int = 0  # simpy's is a property, which costs a call at every look at the clock

    @property
    def _now(self) -> int:
        """The clock as simpy reads it."""
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
        """Whether sections may follow on each other without the queue."""
        self.run_until = LONG_AGO
        """The instant before which they do."""
        self.next_deadline = LONG_AGO
        """The instant before which nothing else happens, as far as anybody has looked (`is_next()`)."""
        self.queue: list[Any] = self._queue
        """What is to happen, as a heap."""
        self._cancelled = 0
        """Number of cancelled entries in `queue`."""
        self.numbers = self._eid
        """Numbers entries as they come."""
        self.fifo: deque[Any] = deque()
        """And in its order: (time, priority, number, function, and its three arguments)."""
        self.fifo_end = LONG_AGO
        """The instant of whatever was the last to join the line."""
        self.rng = Streams(seed)
        self.failures: list[BaseException] = []
        """Errors of listeners and signal handlers that are not raised yet."""
        self.trace = Tracer(self.time, self.interrupt)
        self.running = False
        self._thread = get_ident()
        self.turn = 0
        """Counts whenever ordinary code has its turn: in between, only the simulation acts."""
        self.until: int | None = None

    def _bind_early(self) -> None:
        """Bind `timeout` and its like to this object, which simpy does for its own class only."""
        for name, value in vars(simpy.Environment).items():
            if isinstance(value, BoundClass):
                setattr(self, name, MethodType(value.cls, self))

    # -- the clock ------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<Engine seed={self.rng.seed} at {self.now} ns>"

    def time(self) -> int:
        """The current instant plus what its section has been charged, in nanoseconds."""
        return self.now + self.charged

    def charge(self, ns: int) -> None:
        """Let the current section cost `ns` nanoseconds more."""
        self.charged += ns

    def spend(self, ns: int) -> None:
        """Charge the current section exactly `ns` more: user mode or a busy wait, which never varies."""
        self.charged += ns

    def drawn(self, ns: int) -> int:
        """Return the duration in ns of work that costs `ns`.  It is `ns` unless charges vary."""
        return ns

    def check_thread(self) -> None:
        """Raise SimulationError in another thread than the one that made the engine, which has no locks."""
        if get_ident() != self._thread:
            raise SimulationError("a machine works only in the thread that made it: make one in each thread")

    def section(self) -> None:
        """Begin a section from outside the event loop (ordinary code acting at this instant)."""
        self.turn += 1
        self.charged = 0
        self.trace.flow = 0

    # -- scheduling -----------------------------------------------------------

    def call_later(self, delay: int, function: Callable[..., object], *arguments: Any) -> Timer:
        """Call `function` in a section of its own, `delay` ns after `time()`."""
        timer = Timer(function, arguments, self)
        self.next_deadline = LONG_AGO
        heappush(self._queue, (self.now + self.charged + delay, NORMAL, next(self.numbers), timer))  # type: ignore[misc]
        return timer

    def resume_at(
        self, time: int, function: Callable[[Any, Any, Any], object], one: Any, two: Any, three: Any
    ) -> None:
        """Call `function(one, two, three)` in a section of its own at `time` ns, which is not past.

        How a task goes on: that cannot be cancelled, and so needs no `Timer`.
        """
        entry = (time, NORMAL, next(self.numbers), function, one, two, three)
        self.next_deadline = LONG_AGO
        if self.fifo_end <= time:
            self.fifo_end = time
            self.fifo.append(entry)
        else:
            heappush(self.queue, entry)

    def pass_charged(self) -> bool:
        """Let what was charged pass and begin a new section then; False if others come first.

        For a section whose last act would be `resume_at(time(), ...)`: it goes on in place.
        """
        time = self.now + self.charged
        if time >= self.next_deadline and not self.is_next(time):
            return False
        self.now = time
        self.charged = 0
        self.trace.flow = 0
        return True

    def is_next(self, time: int) -> bool:
        """Whether a section at `time` comes before all else: it may then follow on this one in place.

        Before `next_deadline` there is no need to ask.
        """
        next_deadline = self.run_until  # no call follows: after one, a signal's handler may `interrupt()`
        if (fifo := self.fifo) and fifo[0][0] < next_deadline:
            next_deadline = fifo[0][0]
        if (queue := self.queue) and queue[0][0] < next_deadline:
            next_deadline = queue[0][0]
        self.next_deadline = next_deadline
        return time < next_deadline

    def pass_until(self, end: int) -> None:
        """Let sections follow on each other in place before the instant `end`, if they may at all."""
        self.set_run_until(end if self.in_place else LONG_AGO)

    def set_run_until(self, end: int) -> None:
        """The same, whether they may or not."""
        self.run_until = end
        self.next_deadline = LONG_AGO

    def call_at(self, time: int, function: Callable[..., object], *arguments: Any) -> Timer:
        """Call `function` in a section of its own at `time` ns.  SimulationError if that is past."""
        if whole_nanoseconds(time, "the time of an event") < self.now:
            raise SimulationError(f"{time} ns is past: the clock stands at {self.now} ns")
        timer = Timer(function, arguments, self)
        self.next_deadline = LONG_AGO
        heappush(self._queue, (time, NORMAL, next(self.numbers), timer))  # type: ignore[misc]
        return timer

    def interrupt(self, error: BaseException) -> None:
        """Raise `error` before the next event, or at the end of the call by ordinary code.

        For errors of trace listeners and signal handlers, which are not errors of a program.
        """
        self.failures.append(error)
        timer = Timer(self.raise_failure, (), self)
        self.next_deadline = LONG_AGO
        heappush(self._queue, (self.now, URGENT, next(self.numbers), timer))  # type: ignore[misc]

    def raise_failure(self) -> None:
        """Raise the first of `failures`, if there is one."""
        if self.failures:
            raise self.failures.pop(0)

    def schedule(self, event: Event, priority: Any = NORMAL, delay: Any = 0) -> None:
        """Schedule an event of simpy's, as simpy does."""
        self.next_deadline = LONG_AGO
        super().schedule(event, priority, delay)

    def count_cancelled(self) -> None:
        """Count a cancelled entry."""
        self._cancelled = cancelled = self._cancelled + 1
        if cancelled > MIN_CANCELLED:
            self._purge()

    def _purge(self) -> None:
        """Drop the cancelled entries if they are more than half of the queue."""
        queue = self.queue
        if self._cancelled <= MIN_CANCELLED or 2 * self._cancelled <= len(queue):
            return
        # Not a comprehension: if a signal handler calls `interrupt()` amid its bytecodes, the entry is lost.
        functions = map(getattr, map(itemgetter(3), queue), repeat("function"), repeat(...))
        queue[:] = compress(queue, map(is_not, functions, repeat(None)))
        heapify(queue)
        self._cancelled = 0

    def timers(self) -> list[Timer]:
        """Return the pending timers, in the order in which they expire."""
        return [what for _, _, _, what, *_ in sorted(self.queue) if type(what) is Timer and what.pending]

    def end(self) -> None:
        """End what is under way: the machine is switched off."""

    # -- running --------------------------------------------------------------

    def next_time(self) -> int | None:
        """When the next event happens; None if there is none."""
        queue = self.queue
        while queue and type(timer := queue[0][3]) is Timer and timer.function is None:
            heappop(queue)
            self._cancelled -= 1
        return min((int(first[0][0]) for first in (queue, self.fifo) if first), default=None)

    def peek(self) -> float:
        """The same as simpy has it: infinity if there is none."""
        time = self.next_time()
        return inf if time is None else time

    def step(self) -> None:
        """Process one event.  EmptySchedule if there is none."""
        time = self.next_time()
        if time is None:
            raise EmptySchedule
        self._process(time + 1, turns=range(1))

    def run(self, until: Any = None) -> Any:
        """Process events up to, and not including, the instant `until` (all of them if None).

        `self.until` says how far that was to be.
        """
        if until is None:
            self.until = None
            self._run(NEVER)
            return
        if whole_nanoseconds(until, "until") < self.now:
            raise SimulationError(f"run(until={until}) is past: the clock stands at {self.now} ns")
        self.until = until
        self._run(until)
        self.now = until

    def settle(self, end: int) -> None:
        """Process the events before the instant `end`, and leave the clock at the last of them."""
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
        """Process the events before `end`, at most one for each of `turns`.

        Like `simpy.Environment.step()`, which only events of simpy's need.  The loop is a
        `for`, as Python adapts no loop to what it does that jumps back on a condition.
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
