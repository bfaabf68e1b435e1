"""ip_tunnel: a module that exports a GPL-only symbol."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def ip_tunnel_xmit(state: object) -> None:
    """An exported function that does nothing: cases only import its symbol."""


MODULE = Module(license="GPL", exports_gpl=(ip_tunnel_xmit,))


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
