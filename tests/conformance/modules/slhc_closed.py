"""slhc_closed: a proprietary module without imports."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="Proprietary")


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
