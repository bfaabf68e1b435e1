"""Targets that worker processes load by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import attrs

from simkernel.explore.run import Target, Trial
from tests.explore import tally


def sound() -> Target:
    """Return a target that passes under every plan."""
    return tally.IN_TURN


def racy() -> Target:
    """Return a target that fails under some plans."""
    return tally.TALLY


@attrs.frozen
class Deadly:
    """A loader of a search target. If the target runs with the seed `seed`, it kills the worker process that
    runs it. `times` is the maximum number of these kills.

    Each death leaves a file in the folder.
    """

    folder: Path
    seed: int
    times: int = 1

    def __call__(self) -> Target:
        return DeadlyTarget(self)


@attrs.frozen
class DeadlyTarget:
    """A target that kills its own process as often as the loader `Deadly` allows, and passes after that."""

    how: Deadly

    def run(self, trial: Trial) -> None:
        """Kill the worker process if the loader `Deadly` allows it for this seed. Otherwise, run the target
        that `sound()` returns.
        """
        died = self.how.folder / f"died{len(list(self.how.folder.iterdir()))}"
        if trial.plan.seed == self.how.seed and len(list(self.how.folder.iterdir())) < self.how.times:
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        tally.IN_TURN.run(trial)
