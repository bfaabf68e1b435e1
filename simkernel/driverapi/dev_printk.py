"""include/linux/dev_printk.h: kernel log lines with the names of a driver and a device as prefix."""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of, owner_of
from simkernel.kernel.device.device import Device
from simkernel.kernel.lib.log import Level


def dev_err(device: Device, text: str) -> None:
    """Log a line about a device with level ERR."""
    _print(device, Level.ERR, text)


def dev_warn(device: Device, text: str) -> None:
    """Log a line about a device with level WARNING."""
    _print(device, Level.WARNING, text)


def dev_info(device: Device, text: str) -> None:
    """Log a line about a device with level INFO."""
    _print(device, Level.INFO, text)


def dev_dbg(device: Device, text: str) -> None:
    """Log a line about a device with level DEBUG."""
    _print(device, Level.DEBUG, text)


def _print(device: Device, level: Level, text: str) -> None:
    kernel_of(owner_of(device)).log.printk(level, f"{device.label}: {text}")
