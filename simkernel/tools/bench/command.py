"""Row 12: whole processes of Python."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from simkernel.tools.bench.stopwatch import Subject, Work


def process(*arguments: str) -> Subject:
    """The interpreter with these arguments, from its start to its end."""

    @contextmanager
    def subject() -> Iterator[Work]:
        def run(often: int) -> int:
            for _ in range(often):
                subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            return often

        yield Work(run, clock=perf_counter)

    return subject


listing = process("-m", "simkernel", "list")
import_simpy = process("-c", "import simpy")
