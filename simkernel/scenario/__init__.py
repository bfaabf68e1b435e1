r"""Scenarios: example runs with parameters, a readable report and metrics.

    \"\"\"Two programs greet each other.

    Covers: the features of the kernel that it uses.
    Scenario: the course of events.
    When useful: what a reader learns from it.
    \"\"\"

    from simkernel.scenario import Run, ScenarioParameter, scenario

    @scenario(ScenarioParameter("greetings", int, 3, minimum=1, maximum=1000, help="how many"))
    def greet(run: Run) -> None:
        machine = run.machine()
        machine.spawn(...)
        machine.run()
        run.text("They greeted each other.")
        run.metric("greetings", run["greetings"])

`simkernel run ./greet.py` runs it.  In Python, `greet.run(seed=7)` does.
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
    """Import `Transcript` and `Watch` on first use (PEP 562), because the import of strace is slow."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simkernel.scenario import transcript

    return getattr(transcript, name)
