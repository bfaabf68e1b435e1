"""ppp_generic: a module with a device class and one device."""

from __future__ import annotations

from typing import Final

from simkernel.driverapi.device import (
    Class,
    class_register,
    class_unregister,
    device_create,
    device_unregister,
)
from simkernel.driverapi.module import Module, ThisModule

MAJOR: Final = 108

MODULE = Module(license="GPL", imports=("slhc_init",), aliases=("char-major-108-0", "devname:ppp"))


class Ppp:
    """State of the loaded module: its class and its device."""

    def __init__(self, this: ThisModule) -> None:
        self.kind: Class = class_register(this, "ppp")
        self.device = device_create(this, self.kind, None, "ppp", node="ppp", number=(MAJOR, 0))


def init(this: ThisModule) -> Ppp:
    """Register the class and its device."""
    return Ppp(this)


def exit(this: ThisModule, ppp: Ppp) -> None:
    """Unregister the device and its class."""
    device_unregister(ppp.device)
    class_unregister(ppp.kind)
