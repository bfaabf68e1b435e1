"""tunnel4_closed: a proprietary module that exports a symbol to all modules."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def xfrm4_tunnel_register(state: object) -> None:
    """An exported function that does nothing: cases only import its symbol."""


MODULE = Module(license="Proprietary", exports=(xfrm4_tunnel_register,))


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
