"""The recorded clock and counters of a simkernel machine at the end of each case.

No kernel is the source of these numbers.  They pin that a run stays the same, so that a change of a cost or
of the number of copies is deliberate: `python -m tests.conformance.clock` writes them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tests.conformance.case import Case, load_cases
from tests.conformance.runner import Outcome, run_here
from tests.conformance.simulated import simulated

FILE = Path(__file__).parent / "recorded" / "clock.json"


def timed(case: Case) -> tuple[Outcome, list[Any]]:
    """Run a case on simkernel.  Return its outcome, the clock in ns, and a digest of the counters."""
    end: list[Any] = []

    @contextmanager
    def factory(*, privileged: bool = True) -> Iterator[Any]:
        with simulated(privileged=privileged) as world:
            yield world
            counters = json.dumps(world.machine.statistics, sort_keys=True)
            end[:] = world.machine.now, blake2b(counters.encode(), digest_size=6).hexdigest()

    return run_here(case, factory), end


@cache
def pinned() -> dict[str, list[Any]]:
    """Return the recorded clock and digest of each case, from clock.json."""
    content: dict[str, list[Any]] = json.loads(FILE.read_text())
    return content


def main() -> None:
    """Run all cases and write their clocks and digests to clock.json."""
    ends = {case.name: timed(case)[1] for case in load_cases()}
    lines = (f"{json.dumps(name)}: {json.dumps(end)}" for name, end in sorted(ends.items()))
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
