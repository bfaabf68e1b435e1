"""A test bench for devices: a simulated bus without a kernel, which records interrupts and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simkernel.engine import Engine, Record
from simkernel.hardware import Bus, Device
from simkernel.hardware.bus.registers import HOTPLUG_LINE


class Bench:
    """A discrete-event engine and a bus. All interrupt lines except the hot-plug controller's are unmasked.

    If a test sets `handler(line)`, it serves interrupts with the line masked, like a kernel. Without a
    handler, a line stays masked after its first interrupt.
    """

    def __init__(self, seed: int = 0, **options: Any) -> None:
        self.engine = Engine(seed)
        self.bus = Bus(self.engine, **options)
        self.interrupts: list[tuple[int, int]] = []
        self.errors: list[str] = []
        self.records: list[Record] = []
        self.handler: Callable[[int], None] | None = None
        self.bus.attach(self)
        for line in self.bus.interrupts.lines:
            if line.number != HOTPLUG_LINE:
                self.bus.interrupts.unmask(line.number)

    def bus_error(self, text: str) -> None:
        self.errors.append(text)

    def interrupt(self, line: int) -> None:
        self.interrupts.append((self.engine.time(), line))
        self.bus.interrupts.mask(line)
        if self.handler is not None:
            self.handler(line)
            self.bus.interrupts.unmask(line)

    def trace(self) -> list[Record]:
        """Start recording the engine's trace. Return the list to which each record is appended."""
        self.engine.trace.subscribe(self.records.append)
        return self.records

    def read(self, device: Device, offset: int) -> int:
        """Read a register of `device`."""
        assert device.slot is not None
        return self.bus.readl(device.slot.address + offset)

    def write(self, device: Device, offset: int, value: int) -> None:
        """Write a register of `device`."""
        assert device.slot is not None
        self.bus.writel(device.slot.address + offset, value)

    def run(self, ns: int) -> None:
        """Run the engine for `ns` of simulated time. This time begins when the test's last register access
        ends.
        """
        self.engine.run(self.engine.time() + ns)
