"""include/linux/dma-mapping.h: memory that a device accesses by DMA.

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
    """Allocate `size` zeroed bytes that `device` can access. Raise EINVAL if `size` is 0, ENOMEM if no memory
    is free.
    """
    this = owner_of(device)
    return kernel_of(this).dma.allocate(module_of(this), device.name, size)


def dma_free_coherent(device: Device, buffer: DmaBuffer) -> None:
    """Free a DMA buffer. If the device later writes to the freed buffer, the write causes a bus error.

    It can be called after the driver was unbound, because a program can unmap a buffer at any time.
    """
    kernel_of(this_of(buffer.resource.module)).dma.free(buffer)


def dmam_alloc_coherent(device: Device, size: int) -> DmaBuffer:
    """Allocate like `dma_alloc_coherent`. The buffer is freed when the driver is unbound from `device`."""
    dma = kernel_of(driver_of(device)).dma
    buffer = dma_alloc_coherent(device, size)
    device.devres.add(buffer, lambda: dma.free(buffer))
    return buffer


def dmam_free_coherent(device: Device, buffer: DmaBuffer) -> None:
    """Free a buffer that `dmam_alloc_coherent` allocated, before the driver is unbound."""
    if device.devres.remove(buffer):
        dma_free_coherent(device, buffer)
