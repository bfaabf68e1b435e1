"""The tables that the guide draws from the project are up to date."""

from __future__ import annotations

import pytest

from simkernel import guide
from tests.guide.drawn import DRAWINGS, Drawing, redrawn


@pytest.mark.parametrize(
    "drawing",
    [
        pytest.param(
            each, id=f"{each.topic}-{each.draw.__name__}", marks=[pytest.mark.long] if each.long else []
        )
        for each in DRAWINGS
    ],
)
def test_is_up_to_date(drawing: Drawing) -> None:
    drawn = drawing.draw()
    assert f"\n{drawn}\n" in guide.text(drawing.topic), "python -m tests.guide.drawn draws it anew"


def test_only_the_paragraph_is_replaced() -> None:
    text = "before\n\n| a |\n| old |\n\nafter\n```mermaid\nflow\nold\n```\n"
    assert redrawn(text, "| a |\n| new |") == text.replace("| old |", "| new |")
    assert redrawn(text, "flow\nnew") == text.replace("flow\nold", "flow\nnew")
    block = text.replace("flow\nold", "flow\n\nolder\nold")
    assert redrawn(block, "flow\n\nnew") == text.replace("flow\nold", "flow\n\nnew")
    with pytest.raises(ValueError):
        redrawn(text, "| b |")
