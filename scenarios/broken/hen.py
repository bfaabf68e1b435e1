"""hen: needs egg, which needs hen."""

from __future__ import annotations

from simkernel.driverapi.module import Module


def lay(state: None) -> str:
    """What egg needs."""
    return "egg"


MODULE = Module(license="GPL", description="Needs egg", exports=(lay,), imports=("hatch",))
