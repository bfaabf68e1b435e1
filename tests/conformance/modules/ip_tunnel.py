"""ip_tunnel: a symbol for GPL modules."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def ip_tunnel_xmit(state: object) -> None:
    """Do nothing."""


MODULE = Module(license="GPL", exports_gpl=(ip_tunnel_xmit,))


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
