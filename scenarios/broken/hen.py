"""hen: a module that imports a symbol from egg, which imports one from hen."""

from __future__ import annotations

from simkernel.driverapi.module import Module


def lay(state: None) -> str:
    """The symbol that egg imports."""
    return "egg"


MODULE = Module(license="GPL", description="Needs egg", exports=(lay,), imports=("hatch",))
