"""simkernel as one of the kernels on which conformance cases run. The modules in `modules/` are counterparts
of a real kernel's modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from simkernel.testing import world
from tests.conformance.programs.simulated import SimulatedPrograms

MODULES = Path(__file__).parent / "modules"


@contextmanager
def simulated(*, privileged: bool = True) -> Iterator[Any]:
    """Yield a world on a new simkernel machine."""
    with world(privileged=privileged, module_path=[MODULES]) as made:
        made.programs = partial(SimulatedPrograms, made.machine)  # type: ignore[attr-defined]
        yield made
