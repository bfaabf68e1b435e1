"""vrf: a module that cannot be unloaded because it has no `exit` function."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="GPL")


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""
