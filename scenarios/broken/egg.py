"""egg: needs hen, which needs egg."""

from __future__ import annotations

from simkernel.driverapi.module import Module

MODULE = Module(license="GPL", description="Needs hen", exports=("hatch",), imports=("lay",))


def hatch(state: None) -> str:
    """What hen needs."""
    return "hen"
