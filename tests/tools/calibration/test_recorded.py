"""The prices against the figures that were recorded on a real kernel."""

from __future__ import annotations

import json

import pytest

from simkernel.kernel.lib.costs import CostModel
from simkernel.tools.calibration.compare import Figure, compare, read
from simkernel.tools.calibration.recorded import RECORDED, accuracy

FIGURES = read(RECORDED.read_text("utf-8"))
TOLERANCE = 0.10


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: f"{figure.name}, {figure.size}")
def test_every_figure_comes_out_within_a_tenth(figure: Figure) -> None:
    (row,) = compare([figure], CostModel())
    assert row.error is not None, row.problem
    assert abs(row.error) <= TOLERANCE, row


def test_stated_accuracy_is_the_largest_error_of_all_figures() -> None:
    errors = [abs(row.error or 0) for row in compare(FIGURES, CostModel())]
    assert json.loads(RECORDED.read_text("utf-8"))["largest_error"] == round(max(errors), 4)
    assert f" at most {max(errors):.1%}".replace("%", " %") in accuracy()
    assert f" {len(errors)} measured calls" in accuracy()
