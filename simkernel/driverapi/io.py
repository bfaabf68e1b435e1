"""include/linux/io.h: a device's registers, 32 bits each.

A read waits for the bus and costs far more than a write, which is posted.  Of a device that has been
torn out every register reads as all ones, and writes are lost.
"""

from __future__ import annotations

from simkernel.driverapi.context import driver_of, kernel_of
from simkernel.kernel.device.iomem import ALL_ONES as ALL_ONES
from simkernel.kernel.device.iomem import IoMemory as IoMemory
from simkernel.kernel.device.simbus import SimbusDevice

_UNMAPPED = 0


def devm_ioremap(device: SimbusDevice) -> IoMemory:
    """Map the window of `device`, until the driver is unbound; after that, an access is a bus error."""
    io = IoMemory(kernel_of(driver_of(device)).bus, device.window)

    def unmap() -> None:
        io.base = _UNMAPPED

    device.devres.add(io, unmap)
    return io


def readl(io: IoMemory, offset: int) -> int:
    """The value of the register at `offset`."""
    return io.bus.readl(io.base + offset)


def writel(value: int, io: IoMemory, offset: int) -> None:
    """Give the register at `offset` a value."""
    io.bus.writel(io.base + offset, value)
