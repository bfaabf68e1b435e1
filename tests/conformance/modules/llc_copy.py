"""llc_copy: the symbols of llc once more."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def llc_sap_open(state: object) -> None:
    """Do nothing."""


def llc_mac_hdr_init(state: object) -> None:
    """Do nothing."""


MODULE = Module(license="GPL", exports=(llc_sap_open, llc_mac_hdr_init))


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
