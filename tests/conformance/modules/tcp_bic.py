"""tcp_bic: a module with the int parameters of Linux's module of that name."""

from __future__ import annotations

from simkernel.driverapi.module import Module, ModuleParameter, ThisModule

MODULE = Module(
    license="GPL",
    parameters=(
        ModuleParameter("smooth_part", int, 20),
        ModuleParameter("initial_ssthresh", int, 0),
        ModuleParameter("beta", int, 819),
        ModuleParameter("low_window", int, 14),
        ModuleParameter("max_increment", int, 16),
        ModuleParameter("fast_convergence", int, 1),
    ),
)


def init(this: ThisModule) -> None:
    """Initialise the module, which registers nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Unload the module, which has nothing to release."""
