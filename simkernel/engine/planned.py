"""An engine that follows a plan of disturbances: it delays tasks, and pauses module code between two
statements.

A task continues in a section, through `resume_at`.  Here `resume_at` first asks the perturbation for a
delay. Each section runs in its own greenlet, so it can pause inside plain functions.  `pause` switches to
the hub, which is the greenlet of the event loop.  A queue entry later switches back to the section.  Other
sections run in between, as on another CPU.

Timers, and so interrupts, run in the hub and never pause.

Without greenlet (as in WebAssembly) a section runs in place.  A plan can still delay tasks.  A pause ends
the run with a SimulationError.

If the perturbation has no delays and no pauses, events have the same times and the same order as in an
`Engine`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Protocol

from simkernel.engine.engine import Engine
from simkernel.engine.errors import SimulationError

try:
    from greenlet import GreenletExit, getcurrent, greenlet
except ImportError:
    greenlet = None

Leave = Callable[[], Callable[[], object]]
"""A function that is called before a section (the code of one event) pauses. It removes the state that
belongs to the section, such as the current task, and returns the function that restores this state.
"""


class Observer(Protocol):
    """The interface of an object that observes the order of sections (each is the code of one event). A
    section runs after the section that scheduled it.
    """

    def scheduled(self) -> Any:
        """Record that the running code schedules an event, and return a token for this event."""

    def begin(self, token: Any) -> None:
        """Record that the code of an event begins to run. `token` is the result of `scheduled()` for this
        event. It is None for code outside the simulation.
        """


class Perturbation(Protocol):
    """The interface through which an engine asks the plan of a run for delays and pauses."""

    @property
    def instruments(self) -> Sequence[Any]:
        """Transformations that the module loader (kernel/loader/image.py) applies to the code of modules."""

    @property
    def observer(self) -> Observer | None:
        """The object that observes the order of sections (each is the code of one event), or None."""

    def begin(self, engine: PlannedEngine) -> None:
        """Prepare for the run of a new machine. The machine's engine calls this method before its first
        event.
        """

    def step(self, task: Any) -> int:
        """Return the delay in ns for a task that is about to continue."""

    def statement(self, place: str) -> int:
        """Return for how many ns the running module code must pause before the statement at `place` (file and
        line).

        0 means no pause. A value below 0 means a pause until the next interrupt, timer or deadline.
        """


class PlannedEngine(Engine):
    """An engine whose runs follow a plan of delays and pauses. `leaves` contains functions that the engine
    calls before a section (the code of one event) pauses. Each function removes a part of the section's
    state.
    """

    perturbed = True
    active: ClassVar[PlannedEngine | None] = None
    """The engine that runs the code of a task now. It is None in timers and interrupts, and while no engine
    runs.
    """

    def __init__(
        self, perturbation: Perturbation, seed: int, start: int, leaves: Sequence[Leave] = ()
    ) -> None:
        super().__init__(seed, start)
        self.in_place = False
        self.perturbation = perturbation
        self._leaves = leaves
        self._hub: Any = None if greenlet is None else getcurrent()
        self._idle: list[Any] = []
        self._paused: dict[Any, Callable[[], object]] = {}
        """Paused sections (the greenlets that run their code) in the order of their pauses, each with the
        function that restores its state.
        """
        self._observer = perturbation.observer
        self.watches: list[Callable[[], object]] = []
        """Functions that the engine calls each time before the code of a task runs."""
        self.at_statement: Callable[[str], object] = str
        """Function that is called before each statement of module code. Its argument is the file and line of
        the statement.
        """
        perturbation.begin(self)

    def attach(self, at_statement: Callable[[str], object]) -> None:
        """Set `at_statement`, the function to call before each statement of module code."""
        self.at_statement = at_statement

    def section(self) -> None:
        super().section()
        if self._observer is not None:
            self._observer.begin(None)

    # -- sections -------------------------------------------------------------

    def resume_at(
        self, time: int, function: Callable[[Any, Any, Any], object], one: Any, two: Any, three: Any
    ) -> None:
        """Schedule an event that calls `function` with three arguments, of which the first is a task. The
        event happens at `time` ns plus the delay that the plan chooses for this task.
        """
        time += self.perturbation.step(one)
        super().resume_at(time, self._begin, self.observed(function), (one, two, three), None)

    def call_later(self, delay: int, function: Callable[..., object], *arguments: Any) -> Any:
        return super().call_later(delay, self.observed(function), *arguments)

    def call_at(self, time: int, function: Callable[..., object], *arguments: Any) -> Any:
        return super().call_at(time, self.observed(function), *arguments)

    def observed(self, function: Callable[..., object]) -> Callable[..., object]:
        """Return a function that notifies the observer that an event's code begins to run, and then calls
        `function`.
        """
        if self._observer is None:
            return function
        token = self._observer.scheduled()
        return partial(self._observe, token, function)

    def _observe(self, token: Any, function: Callable[..., object], *arguments: Any) -> None:
        if self._observer is not None:
            self._observer.begin(token)
        function(*arguments)

    def _begin(self, function: Callable[..., object], arguments: tuple[Any, ...], _: None) -> None:
        self.run_section(function, *arguments)

    def run_section(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call `function`, whose code may pause. Return when `function` has returned or has paused."""
        for watch in self.watches:
            watch()
        if greenlet is None:
            before, PlannedEngine.active = PlannedEngine.active, self
            try:
                function(*arguments)
            finally:
                PlannedEngine.active = before
            return
        section = self._idle.pop() if self._idle else greenlet(self._work)
        self._switch(section, function, arguments)

    def _work(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """Run the code of events, one after another, in this greenlet.

        A switch to an idle greenlet costs less than a new one.
        """
        while True:
            function(*arguments)
            self._idle.append(getcurrent())
            function, arguments = self._hub.switch()

    def _switch(self, section: Any, *arguments: Any) -> None:
        hub, self._hub = self._hub, getcurrent()
        before, PlannedEngine.active = PlannedEngine.active, self
        if not section:  # the greenlet has not started: give it the context variables of the event loop
            section.gr_context = self._hub.gr_context
            section.parent = self._hub  # an exception of the section propagates to `run`
        try:
            section.switch(*arguments)
        finally:
            self._hub, PlannedEngine.active = hub, before

    # -- pauses ---------------------------------------------------------------

    def pause(self, until: int, leave: Leave) -> None:
        """Suspend the current section (the code of one event) until the clock shows `until` ns.

        `leave` removes the section's kernel state and returns the function that restores it.
        """
        if greenlet is None:
            text = "a pause needs greenlet, which is not installed: pip install 'simkernel[testing]'"
            self.interrupt(SimulationError(text))
            return
        back = [each() for each in (leave, *self._leaves)]
        flow = self.trace.flow
        section = getcurrent()

        def restore() -> None:
            self.trace.flow = flow
            for each in reversed(back):
                each()

        self._paused[section] = restore
        super().resume_at(until, self._continue, section, None, None)
        self._hub.switch()

    def _continue(self, section: Any, _: None, __: None) -> None:
        restore = self._paused.pop(section, None)
        if restore is not None:
            restore()
            self._switch(section)

    def end(self) -> None:
        """Continue all paused code and disable further pauses, because the machine is switched off."""
        self.at_statement = str
        while self._paused:
            self.charged = 0
            self._continue(next(iter(self._paused)), None, None)
        for section in self._idle:
            section.throw(GreenletExit)
        self._idle.clear()


def point(place: str) -> None:
    """Notify the active engine that module code has reached `place`, a file and line."""
    engine = PlannedEngine.active
    if engine is not None:
        engine.at_statement(place)
