"""include/linux/dev_printk.h: lines in the kernel log that begin with a driver's and a device's name."""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of, owner_of
from simkernel.kernel.device.device import Device
from simkernel.kernel.lib.log import Level


def dev_err(device: Device, text: str) -> None:
    """An error."""
    _print(device, Level.ERR, text)


def dev_warn(device: Device, text: str) -> None:
    """Something may be wrong."""
    _print(device, Level.WARNING, text)


def dev_info(device: Device, text: str) -> None:
    """Information."""
    _print(device, Level.INFO, text)


def dev_dbg(device: Device, text: str) -> None:
    """For whoever looks for a fault."""
    _print(device, Level.DEBUG, text)


def _print(device: Device, level: Level, text: str) -> None:
    kernel_of(owner_of(device)).log.printk(level, f"{device.label}: {text}")
