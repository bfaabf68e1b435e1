"""tcp_bic: parameters of type int, as those of BIC TCP."""

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
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
