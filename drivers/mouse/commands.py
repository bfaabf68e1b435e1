"""What programs may ask of a mouse: the operations of mouse.yaml."""

from __future__ import annotations

from collections.abc import Callable

from simkernel.driverapi.genetlink import GenlFamily, GenlInfo, Reply, genl_register_family
from simkernel.driverapi.io import writel
from simkernel.driverapi.module import ThisModule
from simkernel.hardware.mouse import registers as hw
from simkernel.uapi.errno import EINVAL

from .device import Mouse, button_names


class Commands:
    """The handlers of one load of the module.

    `find` finds the mouse that a request means, `mice` gives all of them.
    """

    def __init__(self, find: Callable[[GenlInfo], Mouse], mice: Callable[[], list[Mouse]]) -> None:
        self._find = find
        self._mice = mice

    def register(self, this: ThisModule) -> GenlFamily:
        """Let the family be there.  From now on programs may ask."""
        return genl_register_family(
            this,
            do={
                "get-device": lambda info: describe(self._find(info)),
                "set-rate": self.set_rate,
                "get-state": lambda info: state(self._find(info)),
                "get-statistics": lambda info: statistics(self._find(info)),
            },
            dump={
                "get-device": lambda info: map(describe, self._mice()),
                "get-state": lambda info: map(state, self._mice()),
            },
        )

    def set_rate(self, info: GenlInfo) -> None:
        """Set how often a mouse may report."""
        mouse = self._find(info)
        rate = info.required("rate")
        if rate not in hw.RATES:
            info.fail(EINVAL, f"the rates are {', '.join(map(str, hw.RATES))}", attribute="rate")
        writel(rate, mouse.io, hw.RATE)


def describe(mouse: Mouse) -> Reply:
    """What get-device says of a mouse.  ENODEV."""
    return {
        "device": mouse.name,
        "parent": mouse.device.name,
        "rate": mouse.read(hw.RATE),
        "rates": hw.RATES,
    }


def state(mouse: Mouse) -> Reply:
    """What get-state says of a mouse, all of it of one instant."""
    with mouse.lock:
        total = mouse.state
        reply = {
            "device": mouse.name,
            "x": total.x,
            "y": total.y,
            "wheel": total.wheel,
            "buttons": button_names(total.buttons),
        }
        return reply | {"sequence": total.sequence} if mouse.reports else reply


def statistics(mouse: Mouse) -> Reply:
    """What get-statistics says of a mouse.  ENODEV."""
    lost = mouse.read(hw.LOST)
    with mouse.lock:
        return {
            "device": mouse.name,
            "reports": mouse.reports,
            "announced": mouse.announced,
            "pending": len(mouse.queue),
            "missed": mouse.missed,
            "lost": lost,
            "interrupts": mouse.interrupts,
        }
