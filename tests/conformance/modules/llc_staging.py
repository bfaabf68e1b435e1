"""llc_staging: a copy of llc that is marked as a staging driver."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def llc_sap_open(state: object) -> None:
    """An exported function that does nothing: cases only import its symbol."""


def llc_mac_hdr_init(state: object) -> None:
    """An exported function that does nothing: cases only import its symbol."""


MODULE = Module(license="GPL", staging=True, exports=(llc_sap_open, llc_mac_hdr_init))


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
