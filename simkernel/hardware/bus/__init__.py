"""The bus: slots with register windows, interrupt lines, memory, DMA, hot-plug.  All a kernel sees."""

from simkernel.hardware.bus.bus import Bus, Processor
from simkernel.hardware.bus.device import BusStatistics, Device, Event, Slot
from simkernel.hardware.bus.interrupts import Interrupts, Line
from simkernel.hardware.bus.memory import Memory
from simkernel.hardware.bus.register_table import RO, RW, W1C, WO, Register

__all__ = [
    "RO",
    "RW",
    "W1C",
    "WO",
    "Bus",
    "BusStatistics",
    "Device",
    "Event",
    "Interrupts",
    "Line",
    "Memory",
    "Processor",
    "Register",
    "Slot",
]
