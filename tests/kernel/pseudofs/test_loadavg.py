"""Load averages: decay, growth, and missed samples (`calc_load()`, `calc_load_n()`, `fixed_power_int()`)."""

from __future__ import annotations

from random import Random

import pytest

from simkernel.engine import SECOND
from simkernel.kernel.pseudofs.proc.loadavg import LoadAverages, _fixed, power

ONE = 2048
"""A load of 1.00 (FIXED_1)."""
EXPONENTS = (1884, 2014, 2037)


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_powers_are_rounded(exponent: int) -> None:
    assert [power(exponent, times) for times in (0, 1)] == [ONE, exponent]
    assert power(exponent, 2) == (exponent * exponent + ONE // 2) // ONE
    assert power(exponent, 3) == (power(exponent, 2) * exponent + ONE // 2) // ONE
    assert power(ONE, 1000) == ONE
    assert power(exponent, 100_000) == 0


UPDATES = [
    # time in s and number of active tasks of each update; the three averages at the end, in units of 1/2048
    ([(0, 1)], (0, 0, 0)),
    ([(4.9, 1)], (0, 0, 0)),
    ([(5, 1)], (164, 34, 11)),
    ([(5, 2)], (328, 68, 22)),
    ([(5, 1), (9.9, 5)], (164, 34, 11)),
    ([(5, 1), (10, 1)], (315, 68, 22)),
    ([(10, 1)], (315, 67, 22)),
    ([(5, 1), (10, 0)], (150, 33, 10)),
    ([(3600, 1)], (2048, 2048, 2014)),
    ([(3600, 1), (3605, 0)], (1884, 2014, 2003)),
    ([(3600, 1), (7200, 0)], (0, 0, 34)),
]


def reference(updates: list[tuple[float, int]]) -> tuple[int, ...]:
    """Compute the load averages by the formula of `calc_load()` in Linux. If n samples are due at once, the
    decay factor of each average is raised to the power n.
    """
    loads, samples = [0, 0, 0], 0
    for seconds, active in updates:
        missed = int(seconds // 5) - samples
        samples += missed
        for place, exponent in enumerate(EXPONENTS):
            if missed > 0:
                factor = power(exponent, missed)
                new = loads[place] * factor + active * ONE * (ONE - factor)
                loads[place] = (new + (ONE - 1 if active * ONE >= loads[place] else 0)) // ONE
    return tuple(loads)


@pytest.mark.parametrize(("updates", "expected"), UPDATES)
def test_averages(updates: list[tuple[float, int]], expected: tuple[int, ...]) -> None:
    """The kernel takes a sample every 5 s. It rounds an average up if the load is not below it, and down
    otherwise.
    """
    loads = LoadAverages()
    found: tuple[int, ...] = ()
    for seconds, active in updates:
        found = loads.update(int(seconds * SECOND), active)
    assert found == reference(updates)
    assert found[0] == expected[0]


def test_averages_of_random_updates() -> None:
    random = Random(0)
    for _ in range(100):
        loads, updates, seconds = LoadAverages(), [], 0.0
        for _ in range(8):
            seconds += random.choice((0.1, 4.9, 5, 7, 60, 3600)) * random.random() * 2
            updates.append((seconds, random.randrange(4)))
            assert loads.update(int(seconds * SECOND), updates[-1][1]) == reference(updates)


def test_powers_of_any_fraction() -> None:
    """`fixed_power_int()` computes a power by repeated squaring, and rounds each product."""

    def rounded(one: int, other: int) -> int:
        return (2 * one * other + ONE) // (2 * ONE)

    for base in range(0, ONE + 1, 37):
        square = rounded(base, base)
        assert [power(base, times) for times in range(6)] == [
            ONE, base, square, rounded(base, square), rounded(square, square),
            rounded(base, rounded(square, square)),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("load", "text"),
    [(0, "0.00"), (20, "0.00"), (21, "0.01"), (1024, "0.50"), (2047, "0.99"), (2048, "1.00"), (5140, "2.50")],
)
def test_text_of_an_average(load: int, text: str) -> None:
    """LOAD_INT() and LOAD_FRAC() cut off the digits that are not shown. They do not round."""
    assert _fixed(load) == text
