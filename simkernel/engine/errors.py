"""Errors by blame: what is wrong, and whose fault it is.

A modelled errno is an `OSError`; these are the other kinds.  Each can be rebuilt from its
`args`, because simpy's `step()` re-raises `type(error)(*error.args)`.
"""

from __future__ import annotations


class SimulationError(Exception):
    """A wrong use of simkernel's own API.  The text says what to do instead."""


class Deadlock(SimulationError):
    """A blocking call can never return: nothing is scheduled that could wake it.

    The text lists who sleeps where.
    """


class TimeLimit(SimulationError):
    """A blocking call took longer than its limit of simulated time."""


class Leak(SimulationError):
    """Programs or drivers have left something held in a machine that was closed."""


class KernelBug(SimulationError):
    """A checker of the kernel has found a bug of a driver, or of the kernel.  The text has the reports."""


class NotModelled(SimulationError):
    """Linux has this and simkernel does not (see the guide, "what is modelled")."""


class DeviceError(Exception):
    """The code of a device has raised an error, or a register does not hold a 32-bit value.

    It ends the run: it is a bug of the device, not of the kernel or a driver.  `__cause__` is the error.
    """


class InternalError(Exception):
    """A bug of simkernel's.  Please report it, with the seed that the text names."""
