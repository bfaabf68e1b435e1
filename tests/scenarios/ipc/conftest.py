"""The comparison of transports, run once for all tests."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel.cli import stories
from simkernel.scenario import Run

Cells = dict[str, dict[str, str]]


def run(**parameters: Any) -> Run:
    """Run the scenario `ipc`, which compares transports, with some of its parameters set."""
    return stories.load(stories.find("ipc")).run(parameters=parameters)


@pytest.fixture(scope="session")
def whole() -> Run:
    """Return a run of the whole comparison of transports, with fewer messages than the default."""
    return run(messages=20)


@pytest.fixture(scope="session")
def cells(whole: Run) -> Cells:
    """Return the results of the capability probes, by transport."""
    return {row["transport"]: row for row in whole.metrics["probes"]}
