"""slhc_closed: a proprietary module without imports."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="Proprietary")


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
