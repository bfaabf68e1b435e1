"""Rules that inject faults: the calls that a rule covers, the text form of rules, and a replay that injects
the same faults without rules.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import SimulationError
from simkernel.explore.faults import UNLIMITED, Fault, Faults, Injector
from simkernel.kernel.lib.fault import POINTS
from tests.machine.lives import LIVES, Told

OTHER = {"comm": "daemon", "pid": 7, "call": "recvfrom", "time": 100}


def fails(injector: Injector, hits: int, point: str = "open", **about: object) -> list[int]:
    """Call `injector.hit()` for one fault point as many times as `hits` specifies. Return the numbers of the
    calls that fail, counted from 1.
    """
    return [n for n in range(1, hits + 1) if injector.hit(point, **{**OTHER, **about})]


# -- rules --------------------------------------------------------------------


def test_nth_fails_once() -> None:
    assert fails(Injector(Fault("open", nth=3)), 10) == [3]


def test_nth_counts_the_hits_that_the_rule_covers() -> None:
    injector = Injector(Fault("open", nth=2, comm="viewer"))
    assert fails(injector, 5) == []
    assert fails(injector, 5, comm="viewer") == [2]
    assert injector.fired == [("open", 7)]


def test_probability_one_fails_as_often_as_times_says() -> None:
    assert fails(Injector(Fault("open", p=1)), 5) == [1]
    assert fails(Injector(Fault("open", p=1, times=3)), 5) == [1, 2, 3]
    assert fails(Injector(Fault("open", p=1, times=UNLIMITED)), 5) == [1, 2, 3, 4, 5]


def test_interval_fails_each_nth_hit_only() -> None:
    assert fails(Injector(Fault("open", p=1, interval=3, times=UNLIMITED)), 10) == [3, 6, 9]


def test_probability_is_about_that_share_of_the_hits() -> None:
    failed = len(fails(Injector(Fault("open", p=0.25, times=UNLIMITED), seed=1), 4000))
    assert 900 < failed < 1100


@pytest.mark.parametrize(
    ("limits", "about"),
    [
        ({"comm": "daemon"}, {"comm": "viewer"}),
        ({"pid": 7}, {"pid": 8}),
        ({"call": "recvfrom"}, {"call": "read"}),
        ({"device": "mouse0"}, {"device": "mouse1"}),
        ({"since": 100}, {"time": 99}),
        ({"until": 101}, {"time": 101}),
    ],
)
def test_a_rule_covers_only_the_hits_that_it_names(limits: dict[str, Any], about: dict[str, Any]) -> None:
    rule = Fault("open", p=1, times=UNLIMITED, **limits)
    assert fails(Injector(rule), 2, device="mouse0") == [1, 2]
    assert fails(Injector(rule), 2, **{"device": "mouse0", **about}) == []


def test_a_module_is_a_limit_where_a_point_knows_it() -> None:
    rule = Fault("kmalloc", nth=1, module="mouse")
    assert fails(Injector(rule), 2, "kmalloc", module="camera") == []
    assert fails(Injector(rule), 2, "kmalloc", module="mouse") == [1]


def test_rules_are_joined_and_any_may_fail() -> None:
    joined = Fault("open", nth=1) | Fault("open", nth=4) | (Fault("probe", nth=2) | Fault("open", nth=4))
    injector = Injector(joined)
    assert fails(injector, 5) == [1, 4]
    assert fails(injector, 3, "probe") == [2]
    assert injector.fired == [("open", 1), ("open", 4), ("probe", 2)]
    assert injector.hits == {"open": 5, "probe": 3}


# -- probabilities ------------------------------------------------------------


def test_draws_depend_on_the_seed_and_not_on_other_rules() -> None:
    rule = Fault("open", p=0.3, times=UNLIMITED)
    alone = fails(Injector(rule, seed=5), 100)
    assert fails(Injector(rule, seed=5), 100) == alone
    assert fails(Injector(rule, seed=6), 100) != alone
    joined = Injector(Fault("probe", p=0.3, times=UNLIMITED) | rule, seed=5)
    fails(joined, 50, "probe")
    assert fails(joined, 100) == alone


# -- rules as data ------------------------------------------------------------


@st.composite
def rules(draw: st.DrawFn) -> Fault:
    point = draw(st.sampled_from(sorted(POINTS)))
    when = draw(
        st.fixed_dictionaries({"nth": st.integers(1, 40)})
        | st.fixed_dictionaries(
            {"p": st.floats(0.01, 1)}, optional={"interval": st.integers(1, 5), "times": st.integers(-1, 4)}
        )
    )
    span = draw(st.sampled_from([{}, {"since": 5}, {"until": 10**9}, {"since": 5, "until": 10**9}]))
    limits = draw(st.sampled_from([{}, {"comm": "viewer"}, {"call": "recvfrom"}, {"pid": 5}]))
    return Fault(point, **when, **span, **limits)


@settings(max_examples=30)
@given(st.lists(rules(), max_size=4).map(lambda each: Faults(tuple(each))))
def test_rules_survive_json(faults: Faults) -> None:
    assert Faults.from_json(faults.json()) == faults


@pytest.mark.parametrize(
    ("point", "arguments", "said"),
    [
        (
            "netlink.delivre",
            {"nth": 1},
            "unknown fault point 'netlink.delivre': did you mean netlink.deliver?",
        ),
        ("open", {}, "select no hit: set nth=1 for the first hit, or p=1 for all"),
        ("open", {"nth": 1, "p": 0.5}, "nth=1 and p=0.5 exclude each other"),
        ("open", {"p": 5}, "p=5: use a probability from 0 to 1"),
        ("open", {"nth": -1}, "nth=-1: use an int of at least 0"),
        ("open", {"p": 1, "interval": 0}, "interval=0: use an int of at least 1"),
        ("open", {"p": 1, "times": 1.5}, "times=1.5: use an int of at least -1"),
        (
            "open",
            {"nth": 1, "module": "x"},
            "module='x': hits of this point can be filtered by comm, pid, call, device",
        ),
        ("open", {"nth": 1, "comm": 5}, "comm=5: use a str"),
        ("open", {"nth": 1, "since": 5, "until": 5}, "until=5 is not after since=5"),
    ],
)
def test_a_wrong_rule_is_explained(point: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(SimulationError) as error:
        Fault(point, **arguments)
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["", "5", '{"point": "open"}', '[{"point": "open", "nht": 1}]', "[5]"])
def test_invalid_rules_are_refused(text: str) -> None:
    with pytest.raises(SimulationError, match=r"not a list of faults|unknown fault point"):
        Faults.from_json(text)


@pytest.mark.parametrize("firing", [("opne", 1), ("open", 0)])
def test_a_wrong_firing_is_refused(firing: tuple[str, int]) -> None:
    with pytest.raises(SimulationError, match=r"unknown fault point|numbered from 1"):
        Injector(firings=[firing])


# -- replay -------------------------------------------------------------------


def live(life: str, seed: int, faults: Injector) -> dict[str, Any]:
    """Run one of the machines in LIVES to its end, with injected faults. `life` is the name of the machine.
    Its programs may fail. Return the results and a digest of the trace.
    """
    told = Told(life, seed, faults=faults)
    ended: object = None
    try:
        while told.step():
            pass
    except (OSError, SimulationError, BaseExceptionGroup, LookupError, AssertionError) as error:
        ended = repr(error)
    machine = told.machine
    result = {
        "ended": ended,
        "now": machine.now,
        "log": machine.log.lines(),
        "statistics": machine.statistics,
    }
    machine.kernel.processes.failures.clear()
    machine.close()
    return {**result, "trace": told.digest.hexdigest(), "hits": faults.hits, "fired": faults.fired}


@pytest.mark.parametrize("examples", [8, pytest.param(400, marks=pytest.mark.long)])
def test_the_hits_that_failed_fail_again(examples: int) -> None:
    """Random rules inject faults in a first run. A replay injects the same faults from the recorded list,
    without rules, and has the same results.
    """

    @settings(max_examples=examples)
    @given(st.sampled_from(sorted(LIVES)), st.integers(0, 3), st.lists(rules(), min_size=1, max_size=3))
    def check(life: str, seed: int, drawn: list[Fault]) -> None:
        by_rules = live(life, seed, Injector(Faults(tuple(drawn)), seed))
        assert live(life, seed, Injector(firings=by_rules["fired"])) == by_rules

    check()
