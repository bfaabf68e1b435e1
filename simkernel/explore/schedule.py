"""The schedule of one run. It applies the delays and pauses of a plan at the points (statements and task
steps) that the run passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final

import attrs

from simkernel.engine import TimeLimit
from simkernel.engine.planned import Observer, PlannedEngine
from simkernel.explore.plan import Plan
from simkernel.explore.points import POINTS
from simkernel.kernel.loader.image import Instrument

MAX_POINTS: Final = 1_000_000
"""Default limit of the number of points (statements and task steps) in a run. At the limit, TimeLimit ends
the run.
"""
STEP: Final = "step"
"""First word of the text "step of COMM", which is the place of a point at which the task COMM continues. The
place of every other point is a statement (FILE:LINE).
"""


@attrs.frozen
class Done:
    """A delay or a pause that the schedule has applied in a run.

    `ns` is its length or IRQ, and `place` is FILE:LINE or the delayed task.
    """

    point: int
    ns: int
    place: str


class Schedule:
    """Applies the delays, pauses and stimuli of a plan to one machine (engine/planned.py).

    `places` lists the place of every point if the run is recorded: "camera/stream.py:34" for a statement
    and "step of COMM" for a task that continues.  With `statements=False`, only tasks that continue are
    points.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        record: bool = False,
        observer: Observer | None = None,
        instruments: Sequence[Instrument] = (),
        statements: bool = True,
    ) -> None:
        self.plan = plan
        self.instruments: Sequence[Instrument] = (POINTS, *instruments) if statements else instruments
        self.observer = observer
        self.count = 0
        """Number of points (statements and task steps) that the run has passed so far."""
        self.done: list[Done] = []
        self.places: list[str] = []
        self.announced: dict[str, int] = {}
        """Maps the name of each stimulus to the number of points that the run had passed when the stimulus
        was announced.
        """
        self._record = record
        self.max_points = MAX_POINTS
        """Limit of the number of points (statements and task steps) in this run. At the limit, TimeLimit ends
        the run.
        """
        self._values = dict(plan.points)
        self._perturbed = set(plan.points)
        """The points at which the plan sets a delay or a pause, or at which a stimulus is due. Each point is
        given by its position in the run, from 1.
        """
        self._stimuli: dict[int, list[Callable[[], object]]] = {}
        self._engine: PlannedEngine | None = None

    def begin(self, engine: PlannedEngine) -> None:
        """Store the engine of the machine. The schedule needs it to trigger stimuli and to end the run at the
        point limit.
        """
        self._engine = engine

    # -- points ---------------------------------------------------------------

    def step(self, task: Any) -> int:
        """Count the point at which `task` is about to continue. Return the delay in ns that the plan sets for
        the task at this point, or 0.
        """
        self.count = number = self.count + 1
        if self._record:
            self.places.append(f"{STEP} of {task.comm}")
        if number >= self.max_points:
            self._end_run()
        if number not in self._perturbed:
            return 0
        if number in self._stimuli:
            self._stimulate(number)
        ns = self._values.get(number)
        if ns is None or ns < 0:  # only a statement can pause until an interrupt (IRQ)
            return 0
        self.done.append(Done(number, ns, f"{STEP} of {task.comm}"))
        return ns

    def _end_run(self) -> None:
        assert self._engine is not None
        self.max_points *= 2
        text = f"a run has passed {self.count} points: probably a task never ends"
        self._engine.interrupt(TimeLimit(text))

    def statement(self, place: str) -> int:
        """Count the point before the statement `place` of module code. Return the length in ns of the plan's
        pause at this point: 0 for no pause, IRQ for a pause until the next interrupt.
        """
        self.count = number = self.count + 1
        if self._record:
            self.places.append(place)
        if number not in self._perturbed:
            return 0
        if number in self._stimuli:
            self._stimulate(number)
        ns = self._values.get(number)
        if ns is None:
            return 0
        self.done.append(Done(number, ns, place))
        return ns

    # -- stimuli --------------------------------------------------------------

    def announce(self, name: str, function: Callable[[], object]) -> None:
        """Announce the stimulus `name`, an action of the test such as an unplug. The plan sets after how many
        further points the engine calls `function`. If it sets no number, the engine calls `function`
        immediately.
        """
        first = name
        for number in count(2):
            if name not in self.announced:
                break
            name = f"{first}.{number}"
        self.announced[name] = self.count
        number = self.count + self.plan.stimuli.get(name, 0)
        self._stimuli.setdefault(number, []).append(function)
        self._perturbed.add(number)
        if number == self.count:
            self._stimulate(number)

    def _stimulate(self, number: int) -> None:
        assert self._engine is not None
        for function in self._stimuli.pop(number):
            self._engine.call_later(0, function)

    def late_stimuli(self) -> bool:
        """Trigger the stimuli that wait for the lowest number of points. Call this method when the machine is
        quiet. A quiet machine passes no points, so these stimuli would not start otherwise.

        Return False if no stimulus waits.
        """
        for number in sorted(self._stimuli):
            self._stimulate(number)
            return True
        return False

    # -- the result ------------------------------------------------------------

    def stale(self) -> list[str]:
        """Return the parts of the plan that were not applied: delays and pauses that did not happen, and
        stimuli that were not announced.
        """
        done = {each.point for each in self.done}
        stale = [str(Plan(points={at: ns})) for at, ns in self.plan.points.items() if at not in done]
        stimuli = self.plan.stimuli.items()
        stale += [str(Plan(stimuli={name: n})) for name, n in stimuli if name not in self.announced]
        return [text.partition(",")[2] for text in stale]
