"""A bus that injects faults into register accesses, DMA transfers and interrupts (kernel/lib/fault.py lists
these faults).
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from simkernel.engine import Engine
from simkernel.hardware.bus import registers as sheet
from simkernel.hardware.bus.bus import Bus
from simkernel.hardware.bus.device import Device

STORM: Final = 100
"""Number of interrupt events in an interrupt storm. Each event represents WEIGHT interrupts, so a storm has
100 000 interrupts, after which Linux disables the line.
"""
WEIGHT: Final = 1000
"""In an interrupt storm, one simulated interrupt stands for this number of interrupts."""


class FaultPoints(Protocol):
    """The interface of an object that decides which operations of the bus fail."""

    def hit(self, point: str, **about: object) -> bool:
        """Return True if the operation at the fault point `point` must fail."""


class FaultyBus(Bus):
    """A bus whose accesses, DMA transfers and interrupts can fail."""

    def __init__(self, engine: Engine, faults: FaultPoints, **options: Any) -> None:
        self._faults = faults
        self._phantoms: dict[int, tuple[int, int]] = {}
        """Maps each interrupt line that the bus itself holds high to a pair: the number of interrupt events
        that are left, and the number of interrupts that each event represents.
        """
        super().__init__(engine, **options)

    def readl(self, address: int) -> int:
        self._access(address)
        return super().readl(address)

    def writel(self, address: int, value: int) -> None:
        self._access(address)
        super().writel(address, value)

    def _access(self, address: int) -> None:
        """Unplug the device before the access, if the fault point `bus.access` requires it."""
        number = address - sheet.WINDOW_BASE >> 12
        if not 0 < number < len(self.slots):
            return  # the address is in no slot, or in slot 0: the hot-plug controller cannot be unplugged
        device = self.slots[number].device
        if device is not None and self._faults.hit("bus.access", device=device.name):
            self.unplug(device)

    def dma_write(self, device: Device, address: int, *parts: bytes | memoryview) -> bool:
        if self._faults.hit("dma.write", device=device.name):
            data = b"".join(parts)
            parts = (data[: len(data) // 2],)
        return super().dma_write(device, address, *parts)

    # Interrupts

    def _interrupt(self, line: int) -> None:
        if line in self._phantoms:
            self._take_phantom(line)
            return
        drivers = self.interrupts.lines[line].drivers
        device = next((each.name for each in drivers if isinstance(each, Device)), None)
        if self._faults.hit("irq.lost", device=device, irq=line):
            return
        super()._interrupt(line)
        if self._faults.hit("irq.spurious", device=device, irq=line):
            self._drive_phantom(line, 1, 1)
        if self._faults.hit("irq.storm", device=device, irq=line):
            self._drive_phantom(line, STORM, WEIGHT)

    def _drive_phantom(self, line: int, interrupts: int, weight: int) -> None:
        """Hold a line high for a number of interrupts that no device has caused."""
        self._phantoms[line] = interrupts, weight
        self.interrupts.drive(line, self, "bus")

    def _take_phantom(self, line: int) -> None:
        """Deliver one interrupt that no device has caused. Before the last one, release the line."""
        left, weight = self._phantoms.pop(line)
        if left > 1:
            self._phantoms[line] = left - 1, weight
        else:
            self.interrupts.release(line, self)
        if self._processor is not None:
            self._processor.interrupt(line, weight)
