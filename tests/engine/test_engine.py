"""The event engine: the order of events, charged time (the cost of simulated work), cancelled timers, the end
of a run, and random number streams.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.engine import Engine, SimulationError


@given(st.lists(st.integers(min_value=0, max_value=5)))
def test_events_come_in_the_order_of_time_and_then_of_being_scheduled(delays: list[int]) -> None:
    engine = Engine()
    happened: list[tuple[int, int]] = []
    for number, delay in enumerate(delays):
        engine.call_later(delay, lambda n, d: happened.append((d, n)), number, delay)
    engine.run()
    assert happened == sorted(happened)
    assert len(happened) == len(delays)


def test_events_of_a_section_follow_its_charged_time() -> None:
    engine = Engine()
    seen = []

    def section() -> None:
        engine.charge(30)
        engine.call_later(10, lambda: seen.append(engine.now))
        engine.charge(2)
        seen.append(engine.time())

    engine.call_at(100, section)
    engine.run()
    assert seen == [132, 140]


def test_the_next_section_starts_with_nothing_charged() -> None:
    engine = Engine()
    engine.call_at(1, engine.charge, 500)
    seen = []
    engine.call_at(2, lambda: seen.append(engine.time()))
    engine.run()
    assert seen == [2]


def test_a_cancelled_timer_does_not_happen() -> None:
    engine = Engine()
    seen: list[int] = []
    timer = engine.call_at(5, seen.append, 1)
    assert timer.pending
    timer.cancel()
    timer.cancel()
    assert not timer.pending
    engine.run()
    assert seen == []


def test_run_stops_before_the_instant_it_is_given() -> None:
    engine = Engine()
    seen: list[int] = []
    engine.call_at(5, seen.append, 5)
    engine.run(until=5)
    assert (engine.now, seen) == (5, [])
    engine.run(until=6)
    assert (engine.now, seen) == (6, [5])


@pytest.mark.parametrize("until", [1.5, True, "soon"])
def test_an_instant_that_is_no_int_is_refused(until: object) -> None:
    with pytest.raises(SimulationError, match="int of nanoseconds"):
        Engine().run(until=until)  # type: ignore[arg-type]


def test_the_past_is_refused() -> None:
    engine = Engine()
    engine.run(until=10)
    with pytest.raises(SimulationError, match="past"):
        engine.run(until=9)
    with pytest.raises(SimulationError, match="past"):
        engine.call_at(9, print)


def test_the_simulation_cannot_be_run_from_within() -> None:
    engine = Engine()
    engine.call_later(1, engine.run)
    with pytest.raises(SimulationError, match="already running"):
        engine.run()
    assert not engine.running


def test_streams_do_not_depend_on_each_other() -> None:
    alone = Engine(seed=4).rng("camera0").random()
    engine = Engine(seed=4)
    engine.rng("mouse0").random()
    assert engine.rng("camera0").random() == alone
    assert Engine(seed=5).rng("camera0").random() != alone
    assert Engine(seed=4).rng("camera1").random() != alone


def test_charged_time_passes_at_once_without_earlier_events() -> None:
    engine = Engine()
    seen = []

    def section() -> None:
        engine.charge(10)
        seen.append((engine.pass_charged(), engine.now, engine.charged))

    engine.call_at(100, section)
    engine.call_at(200, section)
    engine.call_at(210, section)
    engine.call_at(300, section)
    engine.run(until=310)
    assert seen == [(True, 110, 0), (False, 200, 10), (True, 220, 0), (False, 300, 10)]


def test_a_single_step_passes_no_further() -> None:
    engine = Engine()
    seen = []
    engine.call_at(100, lambda: seen.append(engine.pass_charged()))
    engine.step()
    assert seen == [False]


STEPS = st.lists(
    st.tuples(st.sampled_from(("charge", "timer", "task", "simpy", "pass")), st.integers(0, 30)), max_size=20
)


@given(st.lists(st.tuples(st.integers(0, 300), STEPS), max_size=6), st.integers(1, 400))
def test_each_form_of_is_next_agrees_with_the_queue(
    sections: list[tuple[int, list[tuple[str, int]]]], until: int
) -> None:
    """`pass_charged()` returns True only if the charged time (the cost of simulated work) ends before the end
    of the run and before the next queue entry. This entry can be a timer, a task or a simpy event.
    """
    engine = Engine()

    def section(steps: list[tuple[str, int]]) -> None:
        for step, ns in steps:
            if step == "charge":
                engine.charge(ns)
            elif step == "timer":
                engine.call_later(ns, int)
            elif step == "task":
                engine.resume_at(engine.time() + ns, max, 1, 2, 3)
            elif step == "simpy":
                engine.timeout(ns)
            else:
                time = engine.time()
                others = engine.next_time()
                assert engine.pass_charged() == (time < until and (others is None or time < others))

    for at, steps in sections:
        engine.call_at(at, section, steps)
    engine.run(until=until)
