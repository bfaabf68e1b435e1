"""llc_staging: llc as a module of the staging directory."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def llc_sap_open(state: object) -> None:
    """Do nothing."""


def llc_mac_hdr_init(state: object) -> None:
    """Do nothing."""


MODULE = Module(license="GPL", staging=True, exports=(llc_sap_open, llc_mac_hdr_init))


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
