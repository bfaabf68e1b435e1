"""hen: a module that imports a symbol from the module egg. egg imports a symbol from hen."""

from __future__ import annotations

from simkernel.driverapi.module import Module


def lay(state: None) -> str:
    """The symbol that the module egg imports."""
    return "egg"


MODULE = Module(license="GPL", description="Needs egg", exports=(lay,), imports=("hatch",))
