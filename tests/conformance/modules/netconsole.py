"""netconsole: a module with one parameter in sysfs and one that sysfs does not show."""

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
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
