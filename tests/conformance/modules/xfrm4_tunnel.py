"""xfrm4_tunnel: a GPL module without GPL-only symbols, which imports from tunnel4."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="GPL", imports=("xfrm4_tunnel_register",))


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
