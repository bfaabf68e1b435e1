"""Searches: by seeds, by sweeps, systematic and guided; shrinking; and replays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simkernel import SimulationError, millis
from simkernel.explore.explorer import Explorer, Found, Held
from simkernel.explore.faults import Fault
from simkernel.explore.plan import IRQ, Plan
from simkernel.explore.run import Outcome, run
from simkernel.explore.strategy import STRATEGIES, Profile, draw
from tests.explore.tally import IN_TURN, MODULES, ONE, TALLY

LINES = (MODULES / "tally.py").read_text().splitlines()
PLACE = f"tally.py:{1 + [line.strip() for line in LINES].index('self.count += 1')}"


def found(result: Found | Held) -> Found:
    assert isinstance(result, Found), result
    return result


@pytest.fixture(scope="module")
def failure() -> Found:
    return found(Explorer(TALLY).seeds(range(1, 400)))


def test_the_default_run_holds() -> None:
    assert Explorer(TALLY).default().failure is None


def test_a_pause_between_load_and_store_is_found_and_shrunk(failure: Found) -> None:
    assert isinstance(failure.outcome.failure, AssertionError)
    assert "2 requests were counted" in str(failure.outcome.failure)
    [done] = failure.outcome.done
    assert done.place == PLACE
    assert len(failure.plan) == 1
    assert not failure.outcome.stale


def test_a_plan_that_was_shrunk_fails_by_its_text(failure: Found) -> None:
    again = run(TALLY, Plan.parse(str(failure.plan)))
    assert again.signature == failure.outcome.signature


@pytest.mark.parametrize("strategy", ["noise", "pct", "default"])
def test_delays_of_tasks_do_not_find_it(strategy: str) -> None:
    assert isinstance(Explorer(TALLY).seeds(range(1, 40), strategy), Held)


def test_a_systematic_search_finds_it_with_one_pause() -> None:
    result = found(Explorer(TALLY).systematic(max_pauses=1))
    assert [each.place for each in result.outcome.done] == [PLACE]


def test_a_systematic_search_without_a_failure_is_exhausted() -> None:
    explorer = Explorer(IN_TURN)
    result = explorer.systematic(max_pauses=1, durations=(1000,))
    default = explorer.default()
    assert result == Held(1 + default.count - default.start, exhausted=True)


def test_a_systematic_search_leaves_no_pair_out() -> None:
    plans: set[tuple[int, ...]] = set()

    def watch(number: int, outcome: Outcome) -> None:
        assert tuple(outcome.plan.points) not in plans
        plans.add(tuple(outcome.plan.points))

    result = Explorer(ONE, watch=watch).systematic(max_pauses=2, durations=(1000,))
    default = run(ONE, Plan(), record=True)
    n = default.count - default.start
    assert result == Held(1 + n + n * (n - 1) // 2, exhausted=True)
    assert len(plans) == result.runs


def test_a_search_with_a_limit_is_not_exhausted() -> None:
    assert Explorer(IN_TURN).systematic(max_pauses=2, max_runs=10) == Held(10)


def test_a_guided_search_keeps_plans_with_new_coverage() -> None:
    result = found(Explorer(TALLY).guided(range(1, 2000)))
    assert isinstance(result.outcome.failure, AssertionError)


def test_a_sweep_pauses_at_each_statement_in_turn() -> None:
    result = found(Explorer(TALLY).sweep_pauses(millis(5)))
    assert [each.place for each in result.outcome.done] == [PLACE]
    assert Explorer(IN_TURN).sweep_pauses(IRQ, lambda place: place == PLACE) == Held(5)


def test_pauses_can_be_directed_to_places() -> None:
    explorer = Explorer(TALLY)
    result = found(explorer.seeds(range(1, 50), "pauses", directed=[PLACE]))
    assert result.number < 20


def test_a_seed_draws_one_plan() -> None:
    profile = Profile.of(Explorer(TALLY).default())
    for strategy in STRATEGIES:
        assert draw(strategy, 5, profile) == draw(strategy, 5, profile)
        drawn = {str(draw(strategy, seed, profile)).partition(",")[2] for seed in range(9)}
        assert strategy == "default" or len(drawn) > 2


def test_an_unknown_strategy_is_refused() -> None:
    profile = Profile.of(Explorer(TALLY).default())
    with pytest.raises(SimulationError, match="use one of swarm"):
        draw("brute", 1, profile)


def test_a_replay_in_a_fresh_process_has_the_same_digest(failure: Found, root: Path) -> None:
    here = run(TALLY, failure.plan, traced=True).digest
    environment = {"PYTHONHASHSEED": "1", "PYTHONPATH": "."}
    command = [sys.executable, "-m", "tests.explore.tally", str(failure.plan)]
    there = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


@pytest.mark.parametrize("cpus", ["None", "2"])
def test_a_plan_says_how_many_cpus_there_are(cpus: str) -> None:
    outcome = run(TALLY, Plan(options={"cpus": cpus}), record=True)
    assert outcome.failure is None


def test_a_part_of_a_plan_that_did_nothing_is_stale() -> None:
    outcome = run(TALLY, Plan.parse("0,1+1000,90000+5,unplug-mouse0@3"))
    assert outcome.stale == ("90000+5", "unplug-mouse0@3")


def test_a_fault_that_a_rule_fires_is_in_the_plan() -> None:
    result = found(Explorer(TALLY, rules=Fault("sleep.eintr", p=1.0)).seeds(range(1, 5)))
    assert result.number == 1
    assert result.plan.faults == (("sleep.eintr", 1),)
    assert run(TALLY, result.plan).signature == result.outcome.signature


def test_a_sweep_fails_each_hit_of_a_fault_point_in_turn() -> None:
    hits = Explorer(TALLY).default().hits["kmalloc"]
    plans = []
    explorer = Explorer(IN_TURN, watch=lambda number, outcome: plans.append(outcome.plan))
    assert explorer.sweep("uevent.drop") == Held(2)
    assert [plan.faults for plan in plans] == [(), (("uevent.drop", 1),)]
    assert hits > 5
    assert found(Explorer(TALLY).sweep("kmalloc")).plan.faults[0][0] == "kmalloc"


def test_a_sweep_over_a_point_that_is_not_reached_names_those_that_are() -> None:
    with pytest.raises(SimulationError, match=r"not reach the fault point 'dma.alloc'; it reaches kmalloc"):
        Explorer(TALLY).sweep("dma.alloc")


def test_a_fault_that_did_not_fire_is_stale() -> None:
    assert run(TALLY, Plan.parse("0,sleep.eintr#900")).stale == ("sleep.eintr#900",)
