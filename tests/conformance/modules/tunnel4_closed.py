"""tunnel4_closed: a proprietary module whose symbols all modules may use."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def xfrm4_tunnel_register(state: object) -> None:
    """Do nothing."""


MODULE = Module(license="Proprietary", exports=(xfrm4_tunnel_register,))


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
