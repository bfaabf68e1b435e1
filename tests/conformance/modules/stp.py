"""stp: a symbol for GPL modules, and an import from llc."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule


def stp_proto_register(state: object) -> None:
    """Do nothing."""


MODULE = Module(license="GPL", exports_gpl=(stp_proto_register,), imports=("llc_sap_open",))


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
