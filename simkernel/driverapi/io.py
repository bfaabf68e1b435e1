"""include/linux/io.h: access to a device's 32-bit registers.

A read waits for the bus and costs far more than a write, which is posted. If the device was unplugged,
every register reads as all ones, and writes are ignored.
"""

from __future__ import annotations

from simkernel.driverapi.context import driver_of, kernel_of
from simkernel.kernel.device.iomem import ALL_ONES as ALL_ONES
from simkernel.kernel.device.iomem import IoMemory as IoMemory
from simkernel.kernel.device.simbus import SimbusDevice

_UNMAPPED = 0


def devm_ioremap(device: SimbusDevice) -> IoMemory:
    """Map the register window of `device`. Unbinding the driver unmaps the window; a later access causes a
    bus error.
    """
    io = IoMemory(kernel_of(driver_of(device)).bus, device.window)

    def unmap() -> None:
        io.base = _UNMAPPED

    device.devres.add(io, unmap)
    return io


def readl(io: IoMemory, offset: int) -> int:
    """Return the value of the register at `offset`."""
    return io.bus.readl(io.base + offset)


def writel(value: int, io: IoMemory, offset: int) -> None:
    """Write `value` to the register at `offset`."""
    io.bus.writel(io.base + offset, value)
