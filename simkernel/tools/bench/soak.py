"""Long runs that measure the use of memory before and after.

Measured are Python's allocated blocks, and on Linux the resident memory of the process.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any, Final

import attrs

from simkernel.tools.bench.machines import bare
from simkernel.tools.bench.round_trips import round_trips
from simkernel.tools.bench.stopwatch import Subject

WARM_UP: Final = 100
PAGE_KIB: Final = 4
STATM: Final = Path("/proc/self/statm")
"""The file of proc_pid_statm(5).  It has sizes in pages, and the second number is the resident size."""


@attrs.frozen
class Soak:
    """A long run that measures the use of memory. After the run, `memory` has each kind of memory by name,
    with its size before and after the run.
    """

    name: str
    what: str
    subject: Subject
    iterations: int
    memory: tuple[tuple[str, int, int], ...] = ()

    def run(self) -> Soak:
        """Run the warm-up iterations, then the measured iterations. Return a copy of this Soak with the
        memory in use before and after the measured iterations.
        """
        with self.subject() as work:
            work.run(WARM_UP)
            before = memory()
            work.run(self.iterations)
            after = memory()
        return attrs.evolve(self, memory=tuple((of, before[of], after[of]) for of in before))

    def as_json(self) -> dict[str, Any]:
        """Return the result in the format of `simkernel bench --soak --json`."""
        payload = [dict(zip(("of", "before", "after"), row, strict=True)) for row in self.memory]
        return {"name": self.name, "what": self.what, "memory": payload}


SOAKS: Final = (
    Soak("trips", "ten million round trips in one machine", round_trips, 10_000_000),
    Soak("machines", "ten thousand machines made and closed", bare, 10_000),
)


def memory() -> dict[str, int]:
    """Return the memory in use after a garbage collection, by kind."""
    gc.collect()
    used = {"blocks": sys.getallocatedblocks()}
    if STATM.exists():
        used["resident KiB"] = int(STATM.read_text().split()[1]) * PAGE_KIB
    return used
