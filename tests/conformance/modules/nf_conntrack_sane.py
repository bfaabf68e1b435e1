"""nf_conntrack_sane: a module with an array parameter and an import from nf_conntrack."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ModuleParameter, ThisModule

MODULE = Module(
    license="GPL",
    imports=("nf_conntrack_helpers_register",),
    parameters=(ModuleParameter("ports", int, (6566,), array=8, perm=0o400),),
)


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
