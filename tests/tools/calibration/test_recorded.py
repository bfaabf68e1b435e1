"""The prices against the figures that were recorded on a real kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from simkernel.kernel.lib.costs import CostModel
from simkernel.tools import calibration
from simkernel.tools.calibration.compare import Figure, compare, read

RECORDED = Path(calibration.__file__).with_name("linux-6.18.json")
FIGURES = read(RECORDED.read_text("utf-8"))
TOLERANCE = 0.10


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: f"{figure.name}, {figure.size}")
def test_every_figure_comes_out_within_a_tenth(figure: Figure) -> None:
    (row,) = compare([figure], CostModel())
    assert row.error is not None, row.problem
    assert abs(row.error) <= TOLERANCE, row
