"""vrf: a module that cannot be unloaded, for it has no `exit`."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="GPL")


def init(this: ThisModule) -> None:
    """Register nothing."""
