"""The netlink commands of the mouse driver, as specified in mouse.yaml."""

from __future__ import annotations

from collections.abc import Callable

from simkernel.driverapi.genetlink import GenlFamily, GenlInfo, Reply, genl_register_family
from simkernel.driverapi.io import writel
from simkernel.driverapi.module import ThisModule
from simkernel.hardware.mouse import registers as hw
from simkernel.uapi.errno import EINVAL

from .device import Mouse, button_names


def register_family(
    this: ThisModule, find: Callable[[GenlInfo], Mouse], mice: Callable[[], list[Mouse]]
) -> GenlFamily:
    """Register the netlink family of the mouse driver, with the handlers of its commands.

    `find` returns the mouse that a request names; `mice` returns all bound mice.
    """

    def set_rate(info: GenlInfo) -> None:
        mouse, rate = find(info), info.required("rate")
        if rate not in hw.RATES:
            info.fail(EINVAL, f"the rates are {', '.join(map(str, hw.RATES))}", attribute="rate")
        with mouse.lock:
            mouse.check_present()
            writel(rate, mouse.io, hw.RATE)

    return genl_register_family(
        this,
        do={
            "get-device": lambda info: describe(find(info)),
            "set-rate": set_rate,
            "get-state": lambda info: state(find(info)),
            "get-statistics": lambda info: statistics(find(info)),
        },
        dump={
            "get-device": lambda info: map(describe, mice()),
            "get-state": lambda info: map(state, mice()),
        },
    )


def describe(mouse: Mouse) -> Reply:
    """Return the reply to the netlink command get-device. Raise ENODEV if the mouse is unplugged."""
    return {
        "device": mouse.name,
        "parent": mouse.device.name,
        "rate": mouse.read(hw.RATE),
        "rates": hw.RATES,
    }


def state(mouse: Mouse) -> Reply:
    """Return the reply to the netlink command get-state. The lock makes the reply a consistent snapshot."""
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
    """Return the reply to the netlink command get-statistics. Raise ENODEV if the mouse is unplugged."""
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
