"""The plan of a run: the data that a replay needs, with a short text form.

    1,34+3057456            seed 1; at point 34 a pause of 3057456 ns
    1,34!                   ... a pause until the next interrupt, timer or deadline
    1,netlink.deliver#3     the third message that is queued for a listener is lost
    1,unplug@17             the stimulus `unplug` happens at the 17th point after it was announced
    1,cpus=2                the machine has two CPUs

A point is an instant at which the plan can change the order of events: it can delay a task before the task
continues, and pause a section before a statement of module code.  Points are numbered from 1, in the order
in which a run passes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Self

import attrs

from simkernel.engine import SimulationError

IRQ: Final = -1
"""Value in `Plan.points` for a pause until the next interrupt, timer or deadline."""
NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})
SYNTAX: Final = "write SEED, then N+NS, N!, POINT#N, STIMULUS@N or OPTION=VALUE, separated by commas"

_PART = re.compile(
    r"(?P<at>\d+)(?:\+(?P<ns>\d+)|(?P<irq>!))|(?P<fault>[\w.]+)#(?P<n>\d+)"
    r"|(?P<stimulus>[\w.:/-]+)@(?P<step>\d+)|(?P<option>[\w-]+)=(?P<value>[^,]*)"
)


def _sorted(faults: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(set(faults)))


def _frozen(mapping: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(dict(sorted(mapping.items())))


@attrs.frozen(repr=False)
class Plan:
    """The plan of one run: a seed and perturbations (delays, pauses, faults and stimuli).

    seed     the seed of the machine
    points   number of a point -> delay or pause in ns, or IRQ
    faults   (fault point, n): its n-th hit fails, from 1
    stimuli  name of a stimulus -> number of points after its announcement
    options  more settings of the run, by name, such as cpus
    """

    seed: int = 0
    points: Mapping[int, int] = attrs.field(default=NOTHING, converter=_frozen)
    faults: tuple[tuple[str, int], ...] = attrs.field(default=(), converter=_sorted)
    stimuli: Mapping[str, int] = attrs.field(default=NOTHING, converter=_frozen)
    options: Mapping[str, str] = attrs.field(default=NOTHING, converter=_frozen)

    def __hash__(self) -> int:
        return hash(str(self))

    def __len__(self) -> int:
        """Return the number of perturbations (delays, pauses, faults and stimuli)."""
        return len(self.points) + len(self.faults) + len(self.stimuli)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"Plan.parse({str(self)!r})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # without this method, hypothesis prints a plan with all its attrs fields

    def __str__(self) -> str:
        parts = [str(self.seed)]
        parts += [f"{at}!" if ns == IRQ else f"{at}+{ns}" for at, ns in self.points.items()]
        parts += [f"{name}#{n}" for name, n in self.faults]
        parts += [f"{name}@{step}" for name, step in self.stimuli.items()]
        parts += [f"{name}={value}" for name, value in self.options.items()]
        return ",".join(parts)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text form of a plan.  Raise SimulationError for an invalid text."""
        seed, *parts = text.strip().split(",")
        if not re.fullmatch(r"-?\d+", seed):
            raise SimulationError(f"{text!r} is not a plan: {seed!r} is not a seed; {SYNTAX}")
        points: dict[int, int] = {}
        faults: list[tuple[str, int]] = []
        stimuli: dict[str, int] = {}
        options: dict[str, str] = {}
        for part in parts:
            match = _PART.fullmatch(part.strip())
            if match is None:
                raise SimulationError(f"{text!r} is not a plan: {part!r} is not a valid part; {SYNTAX}")
            if match["at"]:
                points[int(match["at"])] = IRQ if match["irq"] else int(match["ns"])
            elif match["fault"]:
                faults.append((match["fault"], int(match["n"])))
            elif match["stimulus"]:
                stimuli[match["stimulus"]] = int(match["step"])
            else:
                options[match["option"]] = match["value"]
        return cls(int(seed), points, tuple(faults), stimuli, options)

    def json(self) -> str:
        """Return the plan as JSON."""
        points = {str(at): ns for at, ns in self.points.items()}
        data = attrs.asdict(attrs.evolve(self, points=NOTHING, stimuli=NOTHING, options=NOTHING))
        return json.dumps(
            data | {"points": points, "stimuli": dict(self.stimuli), "options": dict(self.options)}
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse the output of `json`.  Raise SimulationError for any other text."""
        try:
            data = json.loads(text)
            points = {int(at): int(ns) for at, ns in data["points"].items()}
            faults = tuple((str(name), int(n)) for name, n in data["faults"])
            return cls(int(data["seed"]), points, faults, data["stimuli"], data["options"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SimulationError(f"{text!r} is not a plan in JSON: {error!r}") from None

    def without_perturbations(self) -> Self:
        """Return the plan with the same seed and options, and without perturbations."""
        return attrs.evolve(self, points=NOTHING, faults=(), stimuli=NOTHING)
