"""Targets that worker processes load by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import attrs

from simkernel.explore.run import Target, Trial
from tests.explore import tally


def sound() -> Target:
    """Return a target that no plan lets fail."""
    return tally.IN_TURN


def racy() -> Target:
    """Return a target that some plans let fail."""
    return tally.TALLY


@attrs.frozen
class Deadly:
    """Loads a target that kills its process in the run of one seed, as often as `times`.

    A file in the folder stands for each death.
    """

    folder: Path
    seed: int
    times: int = 1

    def __call__(self) -> Target:
        return DeadlyTarget(self)


@attrs.frozen
class DeadlyTarget:
    """The target of `Deadly`."""

    how: Deadly

    def run(self, trial: Trial) -> None:
        """Run the sound target, or die."""
        died = self.how.folder / f"died{len(list(self.how.folder.iterdir()))}"
        if trial.plan.seed == self.how.seed and len(list(self.how.folder.iterdir())) < self.how.times:
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        tally.IN_TURN.run(trial)
