"""softdog: parameters without files in sysfs."""

from __future__ import annotations

from simkernel.driverapi.module import Module, Parameter, ThisModule

MODULE = Module(
    license="GPL",
    parameters=(
        Parameter("soft_margin", int, 60, minimum=0, perm=0),
        Parameter("nowayout", bool, False, perm=0),
        Parameter("soft_noboot", int, 0, perm=0),
        Parameter("soft_panic", int, 0, perm=0),
        Parameter("soft_reboot_cmd", str, "", perm=0),
        Parameter("soft_active_on_boot", bool, False, perm=0),
    ),
)


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
