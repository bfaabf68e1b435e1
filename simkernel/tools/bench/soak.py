"""Long runs: what memory does meanwhile.

Counted are Python's own blocks, everywhere, and what the system says the process has in memory, where
it says so (Linux).
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
"""proc_pid_statm(5): sizes in pages, the second of which is the resident one."""


@attrs.frozen
class Soak:
    """Something to be done long; `memory` is what it was before and after: (of what, before, after)."""

    name: str
    what: str
    subject: Subject
    often: int
    memory: tuple[tuple[str, int, int], ...] = ()

    def run(self) -> Soak:
        """Do it, once warmed up."""
        with self.subject() as work:
            work.run(WARM_UP)
            before = memory()
            work.run(self.often)
            after = memory()
        return attrs.evolve(self, memory=tuple((of, before[of], after[of]) for of in before))

    def as_json(self) -> dict[str, Any]:
        """As `simkernel bench --soak --json` prints it."""
        told = [dict(zip(("of", "before", "after"), row, strict=True)) for row in self.memory]
        return {"name": self.name, "what": self.what, "memory": told}


SOAKS: Final = (
    Soak("trips", "ten million round trips in one machine", round_trips, 10_000_000),
    Soak("machines", "ten thousand machines made and closed", bare, 10_000),
)


def memory() -> dict[str, int]:
    """How much is in use now, garbage aside."""
    gc.collect()
    used = {"blocks": sys.getallocatedblocks()}
    if STATM.exists():
        used["resident KiB"] = int(STATM.read_text().split()[1]) * PAGE_KIB
    return used
