"""garp: a module that imports from stp and llc."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="GPL", imports=("stp_proto_register", "llc_mac_hdr_init"))


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
