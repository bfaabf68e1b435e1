"""A plan is data: its text and its JSON contain the whole plan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import SimulationError
from simkernel.explore.plan import IRQ, Plan

NAMES = st.from_regex(r"[a-z]+(\.[a-z]+)?", fullmatch=True)
PLANS = st.builds(
    Plan,
    st.integers(-(2**40), 2**40),
    st.dictionaries(st.integers(1, 10**6), st.just(IRQ) | st.integers(0, 10**12)),
    st.lists(st.tuples(NAMES, st.integers(1, 10**6))),
    st.dictionaries(st.from_regex(r"[a-z]+-[a-z0-9]+", fullmatch=True), st.integers(0, 10**6)),
    st.dictionaries(
        NAMES.filter(lambda name: "." not in name), st.from_regex(r"[A-Za-z0-9]*", fullmatch=True)
    ),
)


@given(plan=PLANS)
def test_text_and_json_give_the_plan_back(plan: Plan) -> None:
    assert Plan.parse(str(plan)) == plan
    assert Plan.from_json(plan.json()) == plan


def test_the_text_is_as_short_as_its_plan() -> None:
    plan = Plan(1, {40: IRQ, 34: 3057456}, (("netlink.deliver", 3),), {"unplug-mouse0": 17}, {"cpus": "2"})
    assert str(plan) == "1,34+3057456,40!,netlink.deliver#3,unplug-mouse0@17,cpus=2"


@pytest.mark.parametrize("text", ["", "x", "1,", "1,34", "1,34+", "1,34+1.5", "1,a#b", "1;2"])
def test_another_text_is_refused_with_the_syntax(text: str) -> None:
    with pytest.raises(SimulationError, match="write SEED"):
        Plan.parse(text)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seed": 1, "points": 3}'])
def test_another_json_is_refused(text: str) -> None:
    with pytest.raises(SimulationError, match="not a plan in JSON"):
        Plan.from_json(text)
