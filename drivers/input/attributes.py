"""The attributes of an input device in sysfs (`input_dev_attr_groups` in drivers/input/input.c)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from simkernel.driverapi.device import Device, dev_get_drvdata
from simkernel.driverapi.sysfs import DeviceAttribute

from .bits import to_text
from .device import BITMAPS, InputDev, modalias
from .inhibit import set_inhibited


def _shows(text: Callable[[InputDev], str]) -> Callable[[Any], str]:
    return lambda device: f"{text(dev_get_drvdata(device))}\n"


def _bitmap(type: int) -> Callable[[Any], str]:
    return _shows(lambda dev: to_text(dev.bits.get(type, 0)))


def _set_inhibited(device: Device, data: bytes) -> Awaitable[None] | None:
    return set_inhibited(dev_get_drvdata(device), data)


ATTRIBUTES: Final = (
    DeviceAttribute("name", _shows(lambda dev: dev.name or "")),
    DeviceAttribute("phys", _shows(lambda dev: dev.phys or "")),
    DeviceAttribute("uniq", _shows(lambda dev: dev.uniq or "")),
    DeviceAttribute("modalias", _shows(modalias)),
    DeviceAttribute("properties", _shows(lambda dev: to_text(dev.propbit))),
    DeviceAttribute("inhibited", _shows(lambda dev: str(int(dev.inhibited))), _set_inhibited),
    DeviceAttribute("id/bustype", _shows(lambda dev: f"{dev.id.bustype:04x}")),
    DeviceAttribute("id/vendor", _shows(lambda dev: f"{dev.id.vendor:04x}")),
    DeviceAttribute("id/product", _shows(lambda dev: f"{dev.id.product:04x}")),
    DeviceAttribute("id/version", _shows(lambda dev: f"{dev.id.version:04x}")),
    DeviceAttribute("capabilities/ev", _shows(lambda dev: to_text(dev.evbit))),
    *(DeviceAttribute(f"capabilities/{name.lower()}", _bitmap(type)) for name, type, _, _ in BITMAPS),
)
"""The sysfs attributes of an input device. A `/` in a name separates a subdirectory (an attribute group) from
the attribute.
"""
