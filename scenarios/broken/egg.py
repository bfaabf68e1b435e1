"""egg: a module that imports a symbol from the module hen. hen imports a symbol from egg."""

from __future__ import annotations

from simkernel.driverapi.module import Module


def hatch(state: None) -> str:
    """The symbol that the module hen imports."""
    return "hen"


MODULE = Module(license="GPL", description="Needs hen", exports=(hatch,), imports=("lay",))
