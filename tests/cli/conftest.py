"""Scenarios for tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

STORY = '''"""Somebody naps.

Covers: sleeping,
    and waking.
Scenario: a program naps.

This paragraph is for readers of the file.
When useful: never.
"""

from simkernel import seconds
from simkernel.scenario import Run, ScenarioParameter, scenario


@scenario(
    ScenarioParameter("naps", int, 3, minimum=1, maximum=1000000000, help="how many naps"),
    ScenarioParameter("nap", float, 0.1, minimum=0.0, maximum=1.0, unit="s"),
    ScenarioParameter("nightmare", bool, False),
)
def napping(run: Run) -> None:
    awake = []

    async def sleeper(app):
        for _ in range(run["naps"]):
            await app.sleep(run["nap"] * (1 + app.random.random()))
            awake.append(app.monotonic_ns())
        if run["nightmare"]:
            raise ValueError("monsters")

    machine = run.machine(udev=False)
    machine.spawn(sleeper)
    machine.run(until=seconds(1000))
    run.text("Good morning.")
    run.table("Naps", ("number", "mood"), [(1, "[red]sleepy[/red]"), (20, None)])
    run.metric("naps", len(awake))
    run.metric("awake_ns", {"last": awake[-1], "all": awake[:2]})
'''


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the file of a scenario into the current folder, and return its path."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "story.py"
    path.write_text(STORY, "utf-8")
    return path
