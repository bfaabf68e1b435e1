"""Percentiles by nearest rank."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simkernel.scenario.figures import distribution


@given(st.lists(st.integers(), min_size=1))
def test_half_and_nearly_all_of_the_values_are_not_above(values: list[int]) -> None:
    told = distribution(values)
    for name, share in (("p50", 50), ("p99", 99), ("max", 100)):
        figure = told[name]
        assert figure in values
        assert 100 * sum(value <= figure for value in values) >= share * len(values)
        assert 100 * sum(value < figure for value in values) < share * len(values)


def test_of_no_values_there_is_none() -> None:
    assert distribution([]) == {"p50": None, "p99": None, "max": None}
