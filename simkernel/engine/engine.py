"""The engine: simpy's clock and event queue, integer nanoseconds, and time that is charged.

Theory of operation.  Everything happens in *sections*: a section is what one event's callback
does, at one instant of simpy's clock.  Code in a section `charge`s what it costs; `time()` is the
instant plus what has been charged so far, and what a section causes is scheduled relative to that
(SystemC calls this temporal decoupling).  The next section starts with nothing charged.

The order of what happens at the same instant is decided in `call_at` and nowhere else: first come,
first served.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simpy
from simpy.core import EmptySchedule
from simpy.events import URGENT

from simkernel.engine.clock import whole_nanoseconds
from simkernel.engine.errors import SimulationError
from simkernel.engine.streams import Streams
from simkernel.engine.trace import Tracer

RUNS_ALREADY = "the simulation runs already: a program cannot run it, it awaits instead"


class Timer:
    """A callback on simpy's queue.  A lean simpy event: nobody waits for it, it cannot fail."""

    __slots__ = ("_function", "_ok", "arguments", "callbacks")

    def __init__(
        self, function: Callable[..., object], arguments: tuple[Any, ...], callbacks: list[Any]
    ) -> None:
        self.callbacks: list[Any] | None = callbacks
        self._ok = True
        self._function: Callable[..., object] | None = function
        self.arguments = arguments

    @property
    def pending(self) -> bool:
        """Whether it is still going to happen."""
        return self._function is not None

    def cancel(self) -> None:
        """Make it not happen.  Harmless when it has happened."""
        self._function = None
        self.arguments = ()


class Engine:
    """Clock, event queue, random streams and tracepoints of one machine."""

    def __init__(self, seed: int = 0, start: int = 0) -> None:
        self.env = simpy.Environment(initial_time=start)
        self.charged = 0
        self.rng = Streams(seed)
        self.trace = Tracer(self.time)
        self.running = False
        self.until: int | None = None
        self._fire_callbacks = [self._fire]

    @property
    def now(self) -> int:
        """The instant of the current section, in nanoseconds."""
        return int(self.env.now)

    def time(self) -> int:
        """The current instant plus what its section has been charged, in nanoseconds."""
        return int(self.env.now) + self.charged

    def charge(self, ns: int) -> None:
        """Let the current section cost `ns` nanoseconds more."""
        self.charged += ns

    def call_later(self, delay: int, function: Callable[..., object], *arguments: Any) -> Timer:
        """Call `function` in a section of its own, `delay` ns after `time()`."""
        timer = Timer(function, arguments, self._fire_callbacks)
        self.env.schedule(timer, delay=self.charged + delay)  # type: ignore[arg-type]
        return timer

    def call_at(self, time: int, function: Callable[..., object], *arguments: Any) -> Timer:
        """Call `function` in a section of its own at `time` ns.  SimulationError if that is past."""
        delay = whole_nanoseconds(time, "the time of an event") - self.now
        if delay < 0:
            raise SimulationError(f"{time} ns is past: the clock stands at {self.now} ns")
        timer = Timer(function, arguments, self._fire_callbacks)
        self.env.schedule(timer, delay=delay)  # type: ignore[arg-type]
        return timer

    def _fire(self, timer: Timer) -> None:
        function = timer._function
        if function is not None:
            timer._function = None
            self.charged = 0
            self.trace.flow = 0
            function(*timer.arguments)

    def section(self) -> None:
        """Begin a section from outside the event loop (ordinary code acting at this instant)."""
        self.charged = 0
        self.trace.flow = 0

    def step(self) -> bool:
        """Process one event; False if there is none."""
        try:
            self.env.step()
        except EmptySchedule:
            return False
        return True

    def run_one(self) -> None:
        """Process one event, from ordinary code."""
        if self.running:
            raise SimulationError(RUNS_ALREADY)
        self.running = True
        try:
            self.step()
        finally:
            self.running = False
            self.section()

    def next_time(self) -> int | None:
        """When the next event happens; None if there is none."""
        peeked = self.env.peek()
        return None if peeked == float("inf") else int(peeked)

    def interrupt(self, error: BaseException) -> None:
        """Let whoever runs the simulation get `error` before the next event.  For signal handlers."""
        timer = Timer(_raise, (error,), self._fire_callbacks)
        self.env.schedule(timer, priority=URGENT)  # type: ignore[arg-type]

    def run(self, until: int | None = None) -> None:
        """Process events up to, and not including, the instant `until` (all of them if None).

        `self.until` says how far that was to be.
        """
        if self.running:
            raise SimulationError(RUNS_ALREADY)
        self.running = True
        self.until = until
        try:
            if until is None:
                self.env.run()
            elif whole_nanoseconds(until, "until") < self.now:
                raise SimulationError(f"run(until={until}) is past: the clock stands at {self.now} ns")
            elif until > self.now:
                self.env.run(until=until)
        finally:
            self.running = False
            self.section()


def _raise(error: BaseException) -> None:
    raise error
