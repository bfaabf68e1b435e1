"""842_compress: a module with parameters of type bool."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ModuleParameter, ThisModule

MODULE = Module(
    license="GPL",
    parameters=(
        ModuleParameter("strict", bool, False),
        ModuleParameter("template_counts", bool, False),
    ),
)


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
