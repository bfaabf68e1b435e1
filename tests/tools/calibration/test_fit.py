"""The calibration fits the costs of the cost model to measured times. If the times were computed from known
costs, the fit finds these costs.
"""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel.kernel.lib.costs import CostModel
from simkernel.tools.calibration.fit import DETERMINED, Equation, Fit, fitted, leverage, payments, solve
from simkernel.tools.calibration.host import Timing
from simkernel.tools.calibration.operations import OPERATIONS
from tests.tools.calibration.test_operations import operation

CROWD = 10
FEW = tuple(each for each in OPERATIONS if each.count <= CROWD)


@pytest.mark.long
def test_fitted_costs_reproduce_the_times() -> None:
    costs = CostModel()
    for each in (operation("unix", 60_000), operation("pipe-echo", 64), operation("members", 64, 500)):
        paid = sum(often * getattr(costs, price) for price, often in payments(each, costs).items())
        assert paid == pytest.approx(each.simulated(costs), rel=0.01)


def test_a_call_pays_its_price_once() -> None:
    assert payments(operation("getppid"), CostModel()) == {"syscall": 1.0}


@given(st.lists(st.floats(0.2, 5.0), min_size=3, max_size=3))
@settings(deadline=None)
def test_equations_are_solved(factors: list[float]) -> None:
    guess = {"a": 100.0, "b": 20.0, "c": 3.0}
    prices = {name: guess[name] * factor for name, factor in zip(guess, factors, strict=True)}
    rows = [
        {"a": 1.0},
        {"b": 2.0},
        {"a": 1.0, "b": 2.0},
        {"a": 2.0, "b": 1.0, "c": 10.0},
        {"b": 1.0, "c": 50.0},
    ]
    found = solve(
        [Equation(row, sum(often * prices[name] for name, often in row.items())) for row in rows], guess
    )
    for name, price in prices.items():
        assert found[name] == pytest.approx(price, rel=0.05)


def test_no_price_is_negative() -> None:
    found = solve([Equation({"a": 1.0}, 100.0), Equation({"a": 1.0, "b": 1.0}, 50.0)], {"a": 10.0, "b": 10.0})
    assert found["b"] == 0.0


def test_indistinguishable_costs_keep_their_proportion() -> None:
    found = solve([Equation({"a": 1.0, "b": 1.0}, 300.0)], {"a": 50.0, "b": 100.0})
    assert found["a"] + found["b"] == pytest.approx(300.0, rel=0.01)
    assert found["b"] > found["a"]


@pytest.mark.long
def test_another_machines_prices_are_found_again() -> None:
    """The figures are computed from the costs of another machine, and the fit recovers these costs."""
    theirs = attrs.evolve(CostModel(), syscall=140, file=40, copy_per_kib=20, poll=12, pipe=60, attribute=50,
                          skb_alloc=300, memory_charge=60, multicast_member=150, schedule=200)  # fmt: skip
    figures = {each: each.simulated(theirs) for each in FEW}
    found = Fit(figures, CostModel()).costs()
    for name in ("syscall", "file", "poll", "schedule", "pipe", "attribute"):
        assert getattr(found, name) == pytest.approx(getattr(theirs, name), abs=4, rel=0.05), name
    for each, ns in figures.items():
        assert each.simulated(found) == pytest.approx(ns, rel=0.02), each.name


def test_undetermined_costs_scale_with_the_others() -> None:
    figures = {
        each: Timing(ns, (1.1 * ns, 1.2 * ns, 1.5 * ns))
        for each in (operation("getppid"), operation("pipe", 64), operation("comm"))
        for ns in [2 * each.simulated(CostModel())]
    }
    found = fitted(figures, CostModel())
    assert found.fork == pytest.approx(2 * CostModel().fork, rel=0.05)
    assert found.readl == CostModel().readl
    assert found.spread == (1100, 1200, 1500)


def test_leverage_distinguishes_determined_operations() -> None:
    guess = {"a": 100.0, "b": 50.0}
    both, one = Equation({"a": 1.0, "b": 1.0}, 150.0), Equation({"a": 1.0}, 100.0)
    other = Equation({"b": 1.0}, 50.0)
    assert leverage(both, [one, both], guess) <= DETERMINED
    assert leverage(other, [one, both], guess) > DETERMINED  # `b` is the difference of two measurements
    assert leverage(other, [one], guess) > 100


def test_prediction_does_not_use_the_measurement_that_it_predicts() -> None:
    sizes = [operation("pipe", size) for size in (16, 64, 1024, 4096)]
    figures = {each: each.simulated(CostModel()) for each in sizes}
    figures[sizes[2]] *= 10
    predicted = Fit(figures, CostModel()).predicted(sizes[2])
    assert predicted == pytest.approx(figures[sizes[2]] / 10, rel=0.05)


def test_operation_alone_in_paying_a_price_is_fixed_by_itself() -> None:
    alone, others = operation("thread"), [operation("pipe", size) for size in (16, 64, 128)]
    fit = Fit({each: each.simulated(CostModel()) for each in (alone, *others)}, CostModel())
    assert fit.predicted(alone) is None
    assert fit.predicted(others[0]) is not None
    assert fit.predicted(others[0], all_sizes=True) is None
