"""nf_conntrack: a symbol for GPL modules."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def nf_conntrack_helpers_register(state: object) -> None:
    """Do nothing."""


MODULE = Module(license="GPL", exports_gpl=(nf_conntrack_helpers_register,))


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
