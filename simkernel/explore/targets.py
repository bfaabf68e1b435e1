"""A scenario as the target of a search."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from simkernel.explore.run import Trial
from simkernel.machine import Machine
from simkernel.scenario.parameter import Value
from simkernel.scenario.run import Run, Scenario


@attrs.frozen(eq=False)
class ScenarioTarget:
    """A scenario that a search can run many times, with the scenario's parameters and its module path (a list
    of folders).

    A run fails if the scenario raises, if a module has an unexpected oops, or if a requested module does not
    load.
    """

    scenario: Scenario
    parameters: Mapping[str, Value] = {}
    module_path: tuple[str | Path, ...] = ()

    def run(self, trial: Trial) -> None:
        """Run the scenario once, on a machine with the perturbations, the faults and the CPUs of the
        trial.
        """

        def make(**options: Any) -> Machine:
            machine = trial.machine(**options)
            trial.began()
            return machine

        run = Run(
            self.scenario,
            seed=trial.plan.seed,
            parameters=self.parameters,
            module_path=self.module_path,
            make=make,
        ).execute()
        for oops in run.oopses:
            raise AssertionError(f"an oops in {oops.module}, {oops.where}: {oops.error!r}") from oops.error
        for text, error in run.broken_modules.items():
            if error.requested:
                raise AssertionError(text) from error
