"""slhc: a module that exports a symbol to all modules."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def slhc_init(state: object) -> None:
    """An exported function that does nothing: cases only import its symbol."""


MODULE = Module(license="Dual BSD/GPL", exports=(slhc_init,))


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
