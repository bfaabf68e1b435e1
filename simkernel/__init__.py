"""simkernel: one simulated computer in one Python process, in virtual time.

from simkernel import Machine, seconds
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simkernel.application.app import App
    from simkernel.blocking import Blocking
    from simkernel.engine import (
        Deadlock,
        DeviceError,
        InternalError,
        KernelBug,
        Leak,
        NotModelled,
        SimulationError,
        micros,
        millis,
        seconds,
    )
    from simkernel.machine import Machine

__all__ = [
    "App",
    "Blocking",
    "Deadlock",
    "DeviceError",
    "InternalError",
    "KernelBug",
    "Leak",
    "Machine",
    "NotModelled",
    "SimulationError",
    "micros",
    "millis",
    "seconds",
]


def __getattr__(name: str) -> object:
    """Import a public name of the package on its first use (PEP 562).  Thus a command imports only the parts
    that it needs.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "App":
        from simkernel.application.app import App

        return App
    if name == "Blocking":
        from simkernel.blocking import Blocking

        return Blocking
    if name == "Machine":
        from simkernel.machine import Machine

        return Machine
    import simkernel.engine

    return getattr(simkernel.engine, name)
