"""simkernel as a world, with modules in `modules/` that stand for those of a real kernel's tree."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from simkernel.testing import World, world

MODULES = Path(__file__).parent / "modules"


def simulated(*, privileged: bool = True) -> AbstractContextManager[World]:
    """Make a world of simkernel."""
    return world(privileged=privileged, module_path=[MODULES])
