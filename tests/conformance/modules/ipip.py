"""ipip: a module that imports a GPL-only symbol of ip_tunnel and a symbol of tunnel4."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="GPL", imports=("ip_tunnel_xmit", "xfrm4_tunnel_register"))


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
