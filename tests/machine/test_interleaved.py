"""Two machines in one process are independent: each gives the result that it gives alone."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.machine import lives
from tests.machine.lives import LIVES, Told

alone = cache(lives.alone)

LIFE = st.tuples(st.sampled_from(sorted(LIVES)), st.integers(0, 2), st.sampled_from([None, 1, 2]))


@settings(max_examples=examples(25))
@given(LIFE, LIFE, st.lists(st.booleans(), max_size=40))
def test_each_as_if_alone(first: Any, second: Any, turns: list[bool]) -> None:
    one, other = Told(*first), Told(*second)
    for turn in turns:
        (one if turn else other).step()
    assert other.finish() == alone(*second)
    assert one.finish() == alone(*first)


def test_only_the_seed_makes_a_difference() -> None:
    assert alone("moving", 1)["trace"] == lives.alone("moving", 1)["trace"] != alone("moving", 2)["trace"]


def test_looking_at_a_machine_changes_nothing() -> None:
    told = Told("watching", 1)
    while told.step():
        _ = told.machine.statistics, told.machine.events, told.machine.log.lines(), told.machine.now
    assert told.finish() == alone("watching", 1)
