"""The comparison of transports, run once for all tests."""

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
    """What each transport can do."""
    return {row["transport"]: row for row in whole.metrics["probes"]}
