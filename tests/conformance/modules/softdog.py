"""softdog: a module with parameters that sysfs does not show."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ModuleParameter, ThisModule

MODULE = Module(
    license="GPL",
    parameters=(
        ModuleParameter("soft_margin", int, 60, minimum=0, perm=0),
        ModuleParameter("nowayout", bool, False, perm=0),
        ModuleParameter("soft_noboot", int, 0, perm=0),
        ModuleParameter("soft_panic", int, 0, perm=0),
        ModuleParameter("soft_reboot_cmd", str, "", perm=0),
        ModuleParameter("soft_active_on_boot", bool, False, perm=0),
    ),
)


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
