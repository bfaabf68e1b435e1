"""garp: imports from stp and llc."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="GPL", imports=("stp_proto_register", "llc_mac_hdr_init"))


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
