"""DMA memory, which a driver allocates and a device accesses by address (kernel/dma/)."""

from __future__ import annotations

import attrs

from simkernel.hardware.bus import Memory
from simkernel.kernel.lib.fault import Armed, check_fault
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resource, Resources
from simkernel.uapi.errno import EINVAL, ENOMEM, os_error


@attrs.frozen(eq=False)
class DmaBuffer:
    """A DMA buffer: `address` is for the device, `memory` for the driver."""

    address: int
    memory: memoryview
    resource: Resource

    @property
    def size(self) -> int:
        """Size of the buffer in bytes."""
        return len(self.memory)


class DmaMemory:
    """The DMA memory of a machine. `allotted` is the number of bytes that drivers have allocated and not
    freed.
    """

    def __init__(self, memory: Memory, resources: Resources, faults: Armed | None = None) -> None:
        self._memory = memory
        self._resources = resources
        self._faults = faults
        self.allotted = 0

    def allocate(self, module: LoadedModule | None, name: str, size: int) -> DmaBuffer:
        """Allocate `size` zeroed bytes (`dma_alloc_coherent()`).

        Raises EINVAL if `size` is not positive, ENOMEM if no memory is free.
        """
        if size <= 0:
            raise os_error(EINVAL)
        check_fault(self._faults, "dma.alloc", module=module and module.name, device=name)
        try:
            address = self._memory.allocate(size)
        except MemoryError:
            raise os_error(ENOMEM) from None
        self.allotted += size
        resource = self._resources.add(
            module, "dma", f"{size} bytes for {name}", lambda: self._release(address, size)
        )
        return DmaBuffer(address, self._memory.view(address, size), resource)

    def free(self, buffer: DmaBuffer) -> None:
        """Free a buffer.  A device that still accesses it gets a bus error."""
        self._resources.remove(buffer.resource)
        self._release(buffer.address, buffer.size)

    def _release(self, address: int, size: int) -> None:
        self._memory.free(address)
        self.allotted -= size
