"""garp_closed: a proprietary module that imports a GPL-only symbol."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="Proprietary", imports=("stp_proto_register", "llc_mac_hdr_init"))


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
