"""tcp_bic: parameters of type int, as those of BIC TCP."""

from __future__ import annotations

from simkernel.driverapi.module import Module, Parameter, ThisModule

MODULE = Module(
    license="GPL",
    parameters=(
        Parameter("smooth_part", int, 20),
        Parameter("initial_ssthresh", int, 0),
        Parameter("beta", int, 819),
        Parameter("low_window", int, 14),
        Parameter("max_increment", int, 16),
        Parameter("fast_convergence", int, 1),
    ),
)


def init(this: ThisModule) -> None:
    """Register nothing."""


def exit(this: ThisModule, state: object) -> None:
    """Release nothing."""
