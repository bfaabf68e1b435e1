"""forgetful: a module that registers a class, and by mistake does not unregister it when the module is
unloaded.
"""

from __future__ import annotations

from simkernel.driverapi.device import class_register
from simkernel.driverapi.module import Module, ThisModule

MODULE = Module(license="GPL", description="Leaks a class")


def init(this: ThisModule) -> None:
    """Register a class."""
    class_register(this, "forgotten")


def exit(this: ThisModule, state: None) -> None:
    """Do nothing. This is the bug: the function should unregister the class."""
