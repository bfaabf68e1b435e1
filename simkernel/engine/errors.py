"""Exceptions for errors that have no errno.  The class shows whether the fault is in the user's code, in the
kernel, in a device or in simkernel.

A modelled errno is an `OSError`.  Each class here can be rebuilt from its `args`, because simpy's `step()`
re-raises `type(error)(*error.args)`.
"""

from __future__ import annotations


class SimulationError(Exception):
    """A wrong use of simkernel's API.  The text says what to do instead."""


class Deadlock(SimulationError):
    """A blocking call can never return, because no scheduled event can wake it.

    The text lists the sleeping tasks and where they sleep.
    """


class TimeLimit(SimulationError):
    """A blocking call took longer than its limit of simulated time."""


class Leak(SimulationError):
    """Programs or drivers still held resources when their machine was closed."""


class KernelBug(SimulationError):
    """A checker has found a bug in a driver or in the kernel.  The text contains the reports."""


class NotModelled(SimulationError):
    """Linux has this feature and simkernel does not model it (see the guide, "what is modelled")."""


class DeviceError(Exception):
    """The code of a device has raised an error, or a register does not hold a 32-bit value.

    It ends the run, because the bug is in the device and not in the kernel or a driver.  `__cause__` is
    the error.
    """


class InternalError(Exception):
    """A bug in simkernel itself.  Please report it with the seed that the text names."""
