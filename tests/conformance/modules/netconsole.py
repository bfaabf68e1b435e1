"""netconsole: a parameter with a file in sysfs and one without."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ModuleParameter, ThisModule

MODULE = Module(
    license="GPL",
    parameters=(
        ModuleParameter("netconsole", str, "", perm=0),
        ModuleParameter("oops_only", bool, False, perm=0o400),
    ),
)


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
