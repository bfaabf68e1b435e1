"""One run of a target (a test body or a scenario) under a plan of delays, pauses and faults, and the outcome
of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Final, Protocol

import attrs

from simkernel.engine import Record
from simkernel.engine.planned import Observer
from simkernel.explore.faults import Fault, Faults, Injector
from simkernel.explore.plan import Plan
from simkernel.explore.schedule import Done, Schedule
from simkernel.kernel.loader.image import Instrument
from simkernel.machine import Machine
from simkernel.trace.digest import Digest

NO_FAULTS: Final = Faults()


class Target(Protocol):
    """A test body or a scenario that can run many times."""

    def run(self, trial: Trial) -> None:
        """Run the test body or the scenario once, with machines made by `trial.machine`. An exception means
        failure.
        """


class Trial:
    """One run of a target: it makes the target's machines according to a plan.

    rules       fault rules; the plan of the outcome lists each fault that fired
    record      True to record the place of every point, and to count the hits of fault points
    traced      True to compute the digest of the trace, and the set of tracepoints
    statements  False to perturb only tasks that continue, which needs no greenlet
    """

    def __init__(
        self,
        plan: Plan,
        *,
        rules: Fault | Faults = NO_FAULTS,
        record: bool = False,
        traced: bool = False,
        observer: Observer | None = None,
        instruments: Sequence[Instrument] = (),
        statements: bool = True,
    ) -> None:
        self.plan = plan
        self.schedule = Schedule(
            plan, record=record, observer=observer, instruments=instruments, statements=statements
        )
        armed = record or plan.faults or Faults() | rules != NO_FAULTS
        self.injector = Injector(rules, plan.seed, firings=plan.faults) if armed else None
        self.start = 0
        """Number of points (statements and task steps at which a plan can act) in the set-up, in which the
        machine boots and binds drivers.
        """
        self.machines: list[Machine] = []
        self.listeners: list[Callable[[Record], None]] = [Digest(), Tracepoints()] if traced else []

    def machine(self, **options: Any) -> Machine:
        """Return a new machine. `options` are keywords of `Machine`. The plan's option `cpus` overrides the
        keyword.
        """
        cpus = self.plan.options.get("cpus")
        if cpus is not None:
            options["cpus"] = None if cpus == "None" else int(cpus)
        seed = options.pop("seed", self.plan.seed)
        machine = Machine(seed, perturbation=self.schedule, faults=self.injector, **options)
        self.machines.append(machine)
        for each in self.listeners:
            machine.trace.subscribe(each)
        return machine

    def began(self) -> None:
        """Mark the end of the set-up, in which the machine boots and binds drivers. Strategies perturb only
        later points.
        """
        self.start = self.schedule.count

    def close(self) -> None:
        """Close the machines that the target has left open."""
        for machine in self.machines:
            machine.close()


class Tracepoints:
    """A trace listener that collects the tracepoints of a run, as LAYER:NAME."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __call__(self, record: Record) -> None:
        self.names.add(f"{record.layer}:{record.name}")


@attrs.frozen(eq=False)
class Outcome:
    """The outcome of a run: its failure, its perturbations, and the plan that replays it.

    plan         the plan of the run, with every fault that fired: it replays the run
    count        number of points passed, of which `start` in the set-up
    failure      the exception that the target raised, or None
    done         the perturbations that took place
    places       the place of every point, if the run was recorded
    announced    stimulus -> number of the point after which it was announced
    stale        parts of the plan that did not take place
    digest       digest of the trace, if the run was traced
    tracepoints  tracepoints that the run passed, if it was traced
    hits         fault point -> number of hits
    """

    plan: Plan
    count: int
    start: int
    failure: BaseException | None
    done: tuple[Done, ...]
    places: tuple[str, ...]
    announced: dict[str, int]
    stale: tuple[str, ...]
    digest: str = ""
    tracepoints: frozenset[str] = frozenset()
    hits: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def signature(self) -> tuple[str, str]:
        """Type of the exception with which the run failed, and FILE:LINE of the statement that raised it.

        Two runs with equal signatures fail in the same way.
        """
        return signature(self.failure)

    @property
    def order(self) -> str:
        """Digest of the order in which the run passed its points (module statements and task steps)."""
        return blake2b("\n".join(self.places).encode(), digest_size=8).hexdigest()

    @property
    def coverage(self) -> frozenset[object]:
        """The fault points and the tracepoints that the run passed, and each pair of statements or task steps
        that it passed one after the other.
        """
        return frozenset({*pairwise(self.places), *self.hits, *self.tracepoints})


def signature(failure: BaseException | None) -> tuple[str, str]:
    """Return the type of an exception, and FILE:LINE of the statement that raised it."""
    while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
        failure = failure.exceptions[0]
    if failure is None:
        return "", ""
    where, traceback = "", failure.__traceback__
    while traceback is not None:
        where = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return type(failure).__name__, where


def run(target: Target, plan: Plan, **options: Any) -> Outcome:
    """Run a target (a test body or a scenario) once under a plan. `options` are keywords of `Trial`.

    A KeyboardInterrupt is raised.  Every other exception is stored as the failure of the outcome.
    """
    trial = Trial(plan, **options)
    failure: BaseException | None = None
    try:
        target.run(trial)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - stored in the outcome
        failure = error
    try:
        trial.close()
    except Exception as error:  # noqa: BLE001 - stored in the outcome
        failure = failure or error
    schedule, injector = trial.schedule, trial.injector
    if injector is not None:
        plan = attrs.evolve(plan, faults=tuple(injector.fired))
    idle = [f"{name}#{n}" for name, n in trial.plan.faults if (name, n) not in plan.faults]
    digest, tracepoints = "", frozenset[str]()
    for listener in trial.listeners:
        if isinstance(listener, Digest):
            digest = listener.hexdigest()
        elif isinstance(listener, Tracepoints):
            tracepoints = frozenset(listener.names)
    return Outcome(
        plan,
        schedule.count,
        trial.start,
        failure,
        tuple(schedule.done),
        tuple(schedule.places),
        schedule.announced,
        (*schedule.stale(), *idle),
        digest,
        tracepoints,
        {} if injector is None else injector.hits,
    )
