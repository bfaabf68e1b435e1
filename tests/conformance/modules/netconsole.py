"""netconsole: a parameter with a file in sysfs and one without."""

from __future__ import annotations

from simkernel.driverapi.module import Module, Parameter, ThisModule

MODULE = Module(
    license="GPL",
    parameters=(
        Parameter("netconsole", str, "", perm=0),
        Parameter("oops_only", bool, False, perm=0o400),
    ),
)


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
