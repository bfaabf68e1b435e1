"""Scenarios: stories that run, with parameters, a readable report and figures.

    \"\"\"Two programs greet each other.

    Covers: what it shows of the kernel.
    Scenario: what happens in it.
    When useful: what one learns from it.
    \"\"\"

    from simkernel.scenario import Run, ScenarioParameter, scenario

    @scenario(ScenarioParameter("greetings", int, 3, minimum=1, maximum=1000, help="how many"))
    def story(run: Run) -> None:
        machine = run.machine()
        machine.spawn(...)
        machine.run()
        run.text("They greeted each other.")
        run.metric("greetings", run["greetings"])

`simkernel run ./story.py` runs it; `story.run(seed=7)` does in Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.scenario.parameter import ScenarioParameter, Value
from simkernel.scenario.report import Goal, Table, Text
from simkernel.scenario.run import Followed, Run, Scenario, scenario

if TYPE_CHECKING:
    from simkernel.scenario.transcript import Transcript, Watch

__all__ = [
    "Followed",
    "Goal",
    "Run",
    "Scenario",
    "ScenarioParameter",
    "Table",
    "Text",
    "Transcript",
    "Value",
    "Watch",
    "scenario",
]


def __getattr__(name: str) -> object:
    """Import on first use: a scenario without a transcript does not pay for strace (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simkernel.scenario import transcript

    return getattr(transcript, name)
