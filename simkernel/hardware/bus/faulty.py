"""A bus that fails on demand: accesses, transfers and interrupts (kernel/lib/fault.py has the table)."""

from __future__ import annotations

from typing import Any, Final, Protocol

from simkernel.engine import Engine
from simkernel.hardware.bus import registers as sheet
from simkernel.hardware.bus.bus import Bus
from simkernel.hardware.bus.device import Device

STORM: Final = 100
"""Interrupts of a storm; Linux disables a line after 100 000 (`note_interrupt()`)."""
WEIGHT: Final = 1000
"""Interrupts that each of them stands for."""


class FaultPoints(Protocol):
    """Decides at each fault point."""

    def hit(self, point: str, **about: object) -> bool:
        """Return True if the operation at `point` is to fail."""


class FaultyBus(Bus):
    """A bus with fault points."""

    def __init__(self, engine: Engine, faults: FaultPoints, **options: Any) -> None:
        self._faults = faults
        self._phantoms: dict[int, tuple[int, int]] = {}
        """Lines that are high without cause: for how many interrupts, and the weight of each."""
        super().__init__(engine, **options)

    def readl(self, address: int) -> int:
        self._access(address)
        return super().readl(address)

    def writel(self, address: int, value: int) -> None:
        self._access(address)
        super().writel(address, value)

    def _access(self, address: int) -> None:
        """Unplug the device before the access, if that is to happen (`bus.access`)."""
        number = address - sheet.WINDOW_BASE >> 12
        if not 0 < number < len(self.slots):
            return  # the hot-plug controller cannot be unplugged
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
        """Hold a line high for a number of interrupts that no device wants."""
        self._phantoms[line] = interrupts, weight
        self.interrupts.drive(line, self, "bus")

    def _take_phantom(self, line: int) -> None:
        """Deliver one of those interrupts, and release the line before the last."""
        left, weight = self._phantoms.pop(line)
        if left > 1:
            self._phantoms[line] = left - 1, weight
        else:
            self.interrupts.release(line, self)
        if self._processor is not None:
            self._processor.interrupt(line, weight)
