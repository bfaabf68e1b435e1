"""Conversion to nanoseconds: seconds(), millis() and micros() round to the nearest nanosecond. Timeouts of
Python's calls are rounded up.
"""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import SimulationError, micros, millis, seconds
from simkernel.engine import nanoseconds_up, whole_nanoseconds


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (seconds(5), 5_000_000_000),
        (seconds(0.1), 100_000_000),
        (seconds(Decimal("0.1")), 100_000_000),
        (seconds(Fraction(1, 3)), 333_333_333),
        (millis(1.5), 1_500_000),
        (micros(Fraction(1, 2)), 500),
        (micros(0.0004), 0),
    ],
)
def test_rounds_to_the_nearest_nanosecond(made: int, expected: int) -> None:
    assert made == expected
    assert type(made) is int


@given(st.fractions(min_value=0, max_value=10**6))
def test_a_timeout_is_never_too_short_and_never_a_nanosecond_too_long(value: Fraction) -> None:
    made = nanoseconds_up(value)
    assert 0 <= made - value * 10**9 < 1


@pytest.mark.parametrize("wrong", ["1", None, True, float("nan"), float("inf")])
def test_a_text_that_is_no_number_is_refused_with_a_hint(wrong: object) -> None:
    with pytest.raises(SimulationError, match=r"seconds\(\)"):
        seconds(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [1.0, "1", True])
def test_an_instant_is_an_int_of_nanoseconds(wrong: object) -> None:
    with pytest.raises(SimulationError, match=r"write seconds\(\.\.\.\)"):
        whole_nanoseconds(wrong, "until")
