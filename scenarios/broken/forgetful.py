"""forgetful: registers a class and, when it is unloaded, forgets to take it away."""

from __future__ import annotations

from simkernel.driverapi.device import class_register
from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="GPL", description="Leaves something behind")


def init(this: ThisModule) -> None:
    """Register a class."""
    class_register(this, "forgotten")


def exit(this: ThisModule, state: None) -> None:
    """Here the class should be unregistered."""
