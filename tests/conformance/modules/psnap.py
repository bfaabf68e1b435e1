"""psnap: a module that imports from llc."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="GPL", imports=("llc_sap_open",))


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
