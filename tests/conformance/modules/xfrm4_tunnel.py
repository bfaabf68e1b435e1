"""xfrm4_tunnel: a GPL module that imports from tunnel4 and uses no GPL-only symbol."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="GPL", imports=("xfrm4_tunnel_register",))


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
