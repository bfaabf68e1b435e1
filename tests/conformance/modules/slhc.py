"""slhc: a symbol for all modules."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def slhc_init(state: object) -> None:
    """Do nothing."""


MODULE = Module(license="Dual BSD/GPL", exports=(slhc_init,))


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
