"""The comparison of ways, run once for all who look at it."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel.cli import stories
from simkernel.scenario import Run

Cells = dict[str, dict[str, str]]


def run(**parameters: Any) -> Run:
    """A run of it."""
    return stories.load(stories.find("ipc")).run(parameters=parameters)


@pytest.fixture(scope="session")
def whole() -> Run:
    """All of it, with fewer messages than usual."""
    return run(messages=20)


@pytest.fixture(scope="session")
def cells(whole: Run) -> Cells:
    """What each way can do."""
    return {row["way"]: row for row in whole.metrics["abilities"]}
