"""include/linux/dma-mapping.h: memory that a device reads and writes by itself.

buffer = dmam_alloc_coherent(device, size)
writel(buffer.address, io, registers.BUFFER_ADDRESS)
...
pixels = bytes(buffer.memory[:length])
"""

from __future__ import annotations

from simkernel.driverapi.context import driver_of, kernel_of, module_of, owner_of, this_of
from simkernel.kernel.device.device import Device
from simkernel.kernel.mm.dma import DmaBuffer as DmaBuffer


def dma_alloc_coherent(device: Device, size: int) -> DmaBuffer:
    """`size` zeroed bytes that `device` can reach.  EINVAL for no size, ENOMEM for no room."""
    this = owner_of(device)
    return kernel_of(this).dma.allocate(module_of(this), device.name, size)


def dma_free_coherent(device: Device, buffer: DmaBuffer) -> None:
    """Give a buffer back.  A device that still writes there causes a bus error.

    The driver may be unbound by now: a program unmaps a buffer when it likes.
    """
    kernel_of(this_of(buffer.resource.module)).dma.free(buffer)


def dmam_alloc_coherent(device: Device, size: int) -> DmaBuffer:
    """As `dma_alloc_coherent`; given back when the driver is unbound from `device`."""
    dma = kernel_of(driver_of(device)).dma
    buffer = dma_alloc_coherent(device, size)
    device.devres.add(buffer, lambda: dma.free(buffer))
    return buffer


def dmam_free_coherent(device: Device, buffer: DmaBuffer) -> None:
    """Give back now what `dmam_alloc_coherent` gave."""
    if device.devres.remove(buffer):
        dma_free_coherent(device, buffer)
