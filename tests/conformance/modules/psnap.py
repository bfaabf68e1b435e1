"""psnap: an import from llc."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="GPL", imports=("llc_sap_open",))


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
