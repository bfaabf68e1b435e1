"""Plans that delay tasks or pause module code. The tests check which tasks are delayed, and when a pause
ends.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.engine.timer import Timer
from simkernel.explore.plan import Plan
from simkernel.explore.schedule import Schedule
from simkernel.kernel.sched.planned import Pauses
from simkernel.kernel.sched.scheduler import RunQueue


def ends(points: dict[int, int], cpus: int | None) -> list[int]:
    """Run two programs that compute for 1 ms each. Return the times at which they end."""
    seen: list[int] = []

    async def program(app: Any) -> None:
        await app.compute(millis(1))
        seen.append(app.monotonic_ns())

    with Machine(udev=False, cpus=cpus, perturbation=Schedule(Plan(points=points))) as machine:
        for _ in range(2):
            machine.spawn(program)
        machine.run()
    return seen


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_a_delay_at_a_point_delays_a_task(cpus: int | None) -> None:
    """A delay at a scheduling point delays one task, or both tasks if they share a CPU. No task ends earlier
    because of a delay.
    """
    plain, delay = ends({}, cpus), millis(5)
    delayed = 0
    for point in range(1, 8):
        found = ends({point: delay}, cpus)
        later = [late - early for late, early in zip(sorted(found), sorted(plain), strict=True)]
        assert all(each >= 0 for each in later), point
        delayed += max(later) >= delay - millis(1)
    assert delayed >= 3


class Owner:
    """An object that owns timers: their callbacks are its methods."""

    def fire(self) -> None: ...


class FakeEngine:
    """An engine that has only a time and a queue of events."""

    now = 5

    def __init__(self, *events: tuple[int, Any]) -> None:
        self.queue = [(time, 0, number, timer) for number, (time, timer) in enumerate(events)]


def timer(function: Any) -> Timer:
    return Timer(function, (), None)


def test_the_next_interrupt_is_the_first_timer_that_no_cpu_owns() -> None:
    """`_next_interrupt()` returns the expiry of the first timer that has a method as callback and is not the
    timer of a CPU. It ignores cancelled timers. Without such a timer, it returns the current time.
    """
    run_queue = RunQueue.__new__(RunQueue)
    cases: list[tuple[list[tuple[int, Any]], int]] = [
        ([], 5), ([(9, timer(Owner().fire))], 9), ([(12, timer(Owner().fire)), (9, timer(Owner().fire))], 9),
        ([(9, timer(run_queue.interrupt)), (12, timer(Owner().fire))], 12), ([(9, timer(None))], 5),
        ([(9, timer(partial(print)))], 5), ([(9, Owner()), (10, timer(Owner().fire))], 10),
        ([(9, timer(run_queue.interrupt))], 5),
    ]  # fmt: skip
    for events, expected in cases:
        pauses = Pauses.__new__(Pauses)
        pauses._engine = FakeEngine(*events)  # type: ignore[assignment]
        assert pauses._next_interrupt() == expected


@pytest.mark.parametrize(("pause", "until"), [(3, 10), (-1, 21), (0, None)])
def test_a_pause_ends_after_its_time_or_after_the_next_interrupt(pause: int, until: int | None) -> None:
    """A pause begins at the time `engine.now + engine.charged`. `charged` is the cost of the code that has
    run since `engine.now`. A pause of -1 ends 1 ns after the next interrupt.
    """
    paused: list[int] = []
    engine: Any = FakeEngine((20, timer(Owner().fire)))
    engine.charged = 2
    engine.pause = lambda time, leave: paused.append(time)
    pauses: Any = Pauses.__new__(Pauses)
    pauses._engine, pauses._statement = engine, lambda place: pause

    class Preempt:
        interrupts = locks = evaluating = 0

    class Runner:
        closing = False

    pauses._preempt, pauses._runner = Preempt, Runner
    pauses.at_statement("m.py:1")
    assert paused == ([] if until is None else [until])
    for holder, name in (
        (Preempt, "interrupts"),
        (Preempt, "locks"),
        (Preempt, "evaluating"),
        (Runner, "closing"),
    ):
        setattr(holder, name, 1)
        pauses.at_statement("m.py:1")
        setattr(holder, name, 0)
    assert len(paused) == (until is not None)
