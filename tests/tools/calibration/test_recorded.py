"""Simulated costs, compared with figures recorded on a real kernel."""

from __future__ import annotations

import json

import pytest

from simkernel.cli import stories
from simkernel.kernel.lib.costs import CostModel
from simkernel.tools.calibration.compare import Figure, compare, cross_validate, read, summary
from simkernel.tools.calibration.recorded import RECORDED, accuracy

SECOND = RECORDED.with_name("linux-6.18-second.json")
FIGURES = read(RECORDED.read_text("utf-8"))
TOLERANCE = 0.10


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: f"{figure.name}, {figure.size}")
def test_every_figure_comes_out_within_a_tenth(figure: Figure) -> None:
    (row,) = compare([figure], CostModel())
    assert row.error is not None, row.problem
    assert abs(row.error) <= TOLERANCE, row


def test_recorded_error_is_the_largest_of_all_figures() -> None:
    errors = [abs(row.error or 0) for row in compare(FIGURES, CostModel())]
    assert json.loads(RECORDED.read_text("utf-8"))["largest_error"] == round(max(errors), 4)


def test_stated_accuracy_is_that_of_predictions() -> None:
    predicted = json.loads(RECORDED.read_text("utf-8"))["predicted"]
    assert f"error {predicted['median_error']:.1%}".replace("%", " %") in accuracy()
    assert f"{predicted['largest_error']:.1%} at most".replace("%", " %") in accuracy()
    assert len(f"Simulated times: {accuracy()}.") <= 80


def test_varied_camera_shows_the_quantiles_of_the_measured_path() -> None:
    event = next(figure for figure in FIGURES if "program in poll" in figure.name)
    quantiles = stories.load(stories.find("camera")).run(jitter=True).metrics["event_ns"]
    assert list(quantiles.values()) == pytest.approx(event.quantiles, rel=0.2)


def test_second_machine_has_the_transferred_rows() -> None:
    """In linux-6.18.json, the key `transferred` names the rows that were measured on a second machine. Their
    times were scaled to the first machine, by means of the nearest rows that were measured on both.
    """
    first, second = (json.loads(path.read_text("utf-8")) for path in (RECORDED, SECOND))
    for name, sizes in first["transferred"].items():
        for size in map(str, sizes):
            assert 0.75 < first["ns"][name][size] / second["ns"][name][size] < 1.25, name


@pytest.mark.long
def test_stated_prediction_is_that_of_the_cross_validation() -> None:
    rows, middle, largest = summary(cross_validate(FIGURES, CostModel()))
    stated = {"rows": rows, "median_error": round(middle, 4), "largest_error": round(largest, 4)}
    assert json.loads(RECORDED.read_text("utf-8"))["predicted"] == stated
    assert middle < 0.05
    assert largest < 0.20
