"""nf_conntrack: a module that exports a GPL-only symbol."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def nf_conntrack_helpers_register(state: object) -> None:
    """An exported function that does nothing: cases only import its symbol."""


MODULE = Module(license="GPL", exports_gpl=(nf_conntrack_helpers_register,))


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
