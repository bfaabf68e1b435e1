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


class NotModelled(SimulationError):
    """Linux has this and simkernel does not (see the guide, "what is modelled")."""


class DeviceError(Exception):
    """The code of a device has raised, while a driver had its register in hand.

    It ends the run: no kernel could answer for it, and no driver is to blame.  `__cause__` is the error.
    """


class InternalError(Exception):
    """A bug of simkernel's.  Please report it, with the seed that the text names."""
