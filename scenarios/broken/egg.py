"""egg: needs hen, which needs egg."""

from __future__ import annotations

from simkernel.driverapi.module import Module


def hatch(state: None) -> str:
    """What hen needs."""
    return "hen"


MODULE = Module(license="GPL", description="Needs hen", exports=(hatch,), imports=("lay",))
