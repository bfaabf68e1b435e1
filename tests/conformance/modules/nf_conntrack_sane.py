"""nf_conntrack_sane: a parameter that is an array, and an import from nf_conntrack."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ModuleParameter, ThisModule

MODULE = Module(
    license="GPL",
    imports=("nf_conntrack_helpers_register",),
    parameters=(ModuleParameter("ports", int, (6566,), array=8, perm=0o400),),
)


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
