"""llc: a module that exports symbols to all modules."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def llc_sap_open(state: object) -> None:
    """An exported function that does nothing: cases only import its symbol."""


def llc_mac_hdr_init(state: object) -> None:
    """An exported function that does nothing: cases only import its symbol."""


MODULE = Module(license="GPL", exports=(llc_sap_open, llc_mac_hdr_init))


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
