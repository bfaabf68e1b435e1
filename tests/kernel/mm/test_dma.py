"""DMA memory: buffers that the kernel shares with the bus, and sizes that are refused."""

from __future__ import annotations

import errno

import pytest

from simkernel import Machine
from simkernel.hardware.bus.registers import MEMORY_BASE


def test_a_buffer_is_zeroed_and_shared_with_the_bus() -> None:
    with Machine(udev=False) as machine:
        buffer = machine.kernel.dma.allocate(None, "camera0", 4096)
        assert buffer.address >= MEMORY_BASE
        assert bytes(buffer.memory) == bytes(4096)
        machine.bus.memory.view(buffer.address, 4)[:] = b"abcd"
        assert bytes(buffer.memory[:4]) == b"abcd"
        assert machine.kernel.dma.allotted == machine.bus.memory.allotted == 4096
        machine.kernel.dma.free(buffer)
        assert machine.kernel.dma.allotted == machine.bus.memory.allotted == 0


@pytest.mark.parametrize(("size", "number"), [(0, errno.EINVAL), (-1, errno.EINVAL), (1 << 40, errno.ENOMEM)])
def test_sizes_that_will_not_do(size: int, number: int) -> None:
    with Machine(udev=False) as machine:
        with pytest.raises(OSError) as raised:
            machine.kernel.dma.allocate(None, "camera0", size)
        assert raised.value.errno == number
        assert machine.kernel.dma.allotted == 0
