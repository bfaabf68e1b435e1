"""The bus: what joins processor, memory and devices.

The kernel's side is `readl`, `writel`, `memory`, `interrupts`, and the `Processor` that it attaches.  The
user's side is `plug` and `unplug`, at any instant.  A device's side is DMA and its
interrupt line.  A wrong access is a bus error: reported, counted, and never an exception.
"""

from __future__ import annotations

import sys
from typing import Final, Protocol

from simkernel.engine import DeviceError, Engine, SimulationError
from simkernel.hardware.bus import registers as sheet
from simkernel.hardware.bus.device import BusStatistics, Device, Slot
from simkernel.hardware.bus.hotplug import HotplugController
from simkernel.hardware.bus.interrupts import Interrupts
from simkernel.hardware.bus.memory import Memory
from simkernel.hardware.layer import HARDWARE

ACTIONS: Final = {
    each.__code__ for each in (Device.connect, Device.read, Device.write, Device.advance, Device.disconnect)
}
"""Code of the methods that call the hooks of a device."""


class Processor(Protocol):
    """What the bus calls: the kernel of the machine."""

    def interrupt(self, line: int, weight: int = 1) -> None:
        """Take an interrupt, or `weight` of them in a row: `line` is high and unmasked."""

    def bus_error(self, text: str) -> None:
        """Report a wrong access."""


class Bus:
    """The bus of one machine.

    `readl_ns` and `writel_ns` are what an access costs the processor: a write is posted, a read
    waits for its answer.
    """

    def __init__(
        self, engine: Engine, *, slots: int = 16, lines: int = 32, readl_ns: int = 300, writel_ns: int = 50
    ) -> None:
        if not 2 <= slots <= 32:
            raise SimulationError(f"a bus has 2 to 32 slots, the hot-plug controller's included, not {slots}")
        if lines < slots:
            raise SimulationError(f"a bus of {slots} slots has as many interrupt lines or more, not {lines}")
        self.engine = engine
        self.memory = Memory()
        self.interrupts = Interrupts(engine, self._interrupt, lines)
        self.slots = tuple(Slot(number, sheet.window(number), number) for number in range(slots))
        self.statistics = BusStatistics()
        self._readl_ns = readl_ns
        self._writel_ns = writel_ns
        self._processor: Processor | None = None
        self._names: dict[str, Device] = {}
        self._serials = 0
        self._hotplug = HotplugController(slots)
        self._identify(self._hotplug)
        self._insert(self._hotplug, self.slots[0])

    # The kernel's side

    def attach(self, processor: Processor) -> None:
        """Report interrupts and bus errors to `processor`.  Without one they are only counted."""
        self._processor = processor

    def readl(self, address: int) -> int:
        """Read the 32-bit register at `address`.  All ones where there is none."""
        self.engine.charged += self._readl_ns
        offset = address - sheet.WINDOW_BASE
        number = offset >> 12
        if not 0 <= number < len(self.slots) or offset & 3:
            self._error(f"readl at {address:#010x}: {_why(address)}")
            return sheet.ALL_ONES
        device = self.slots[number].device
        if device is None:
            self.statistics.aborts += 1
            return sheet.ALL_ONES
        self.statistics.reads += 1
        offset &= 0xFFF
        try:
            value = device.read(offset)
            if not isinstance(value, int) or value >> 32:
                raise ValueError(
                    f"the register has the value {value!r}: it must be an int from 0 to 0xffffffff"
                )
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise _blame(device, "read", offset, error) from error
        if self.engine.trace.emit is not None and device.slot is not None:
            self._record("rwmmio_read", device, offset=offset, value=value)
        return value

    def writel(self, address: int, value: int) -> None:
        """Write the 32-bit register at `address`.  Ignored where there is none."""
        self.engine.charged += self._writel_ns
        offset = address - sheet.WINDOW_BASE
        number = offset >> 12
        if not 0 <= number < len(self.slots) or offset & 3:
            self._error(f"writel at {address:#010x}: {_why(address)}")
            return
        device = self.slots[number].device
        if device is None:
            self.statistics.aborts += 1
            return
        self.statistics.writes += 1
        offset &= 0xFFF
        value &= sheet.ALL_ONES
        if self.engine.trace.emit is not None:
            self._record("rwmmio_write", device, offset=offset, value=value)
        try:
            device.write(offset, value)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise _blame(device, "write", offset, error) from error

    # The user's side

    def plug(self, device: Device, *, slot: int | None = None, line: int | None = None) -> Slot:
        """Put `device` into the lowest free slot, or into number `slot`, and power it.

        Its interrupt line is the one with the slot's number, or `line`, which others may share.
        SimulationError if it is plugged in already, the place is taken, or no slot is free.
        """
        if device.slot is not None:
            raise SimulationError(f"{device.name} is plugged in already, in slot {device.slot.number}")
        if _is_acting(device):
            raise SimulationError(f"{device.name} was unplugged by its own code: plug it in a later event")
        place = self._free_slot() if slot is None else self._checked_slot(slot)
        if line is not None and not 0 <= line < len(self.interrupts.lines):
            raise SimulationError(
                f"there is no interrupt line {line}: they are 0 to {len(self.interrupts.lines) - 1}"
            )
        self._identify(device)
        place.line = place.number if line is None else line
        self._insert(device, place)
        self._hotplug.slot_changed(place.number)
        return place

    def unplug(self, device: Device) -> None:
        """Tear `device` out.  It may be plugged in again.  SimulationError if it is not plugged in."""
        slot = device.slot
        if slot is None or device.bus is not self:
            raise SimulationError(f"{device.name or device.kind} is not plugged in here")
        if device is self._hotplug:
            raise SimulationError("the hot-plug controller cannot be unplugged")
        device.catch_up()
        if slot.device is not device:
            return  # the device or a listener has unplugged it in catch_up(), or is just doing so
        self.engine.trace.follow(self.engine.trace.flow)
        slot.device = None
        device.disconnect()
        self.statistics.events += 1
        if (emit := self.engine.trace.emit) is not None:
            emit("unplug", HARDWARE, device.name, slot=slot.number)
        self._hotplug.slot_changed(slot.number)

    def __repr__(self) -> str:
        return f"<Bus with {len(self.devices())} devices>"

    def devices(self) -> list[Device]:
        """What is plugged in, by slot, without the hot-plug controller."""
        return [slot.device for slot in self.slots[1:] if slot.device is not None]

    def all_devices(self) -> list[Device]:
        """What is or was plugged in, in the order in which it first was, without the hot-plug controller."""
        return [device for device in self._names.values() if device is not self._hotplug]

    # A device's side

    def dma_write(self, device: Device, address: int, *parts: bytes | memoryview) -> bool:
        """Write `parts` to memory for `device`.  False, and a bus error, if that is not in one region."""
        size = sum(map(len, parts))
        view = self.memory.find(address, size)
        if view is None:
            self._error(f"{device.name}: DMA write of {size} bytes at {address:#010x}: not allotted")
            return False
        start = 0
        for part in parts:
            end = start + len(part)
            view[start:end] = part
            start = end
        self.statistics.dma_writes += 1
        self.statistics.dma_bytes += size
        if (emit := self.engine.trace.emit) is not None:
            emit("dma_write", HARDWARE, device.name, device=device.name, address=address, length=size)
        return True

    def dma_read(self, device: Device, address: int, size: int) -> bytes | None:
        """`size` bytes of memory for `device`.  None, and a bus error, if that is not in one region."""
        view = self.memory.find(address, size)
        if view is None:
            self._error(f"{device.name}: DMA read of {size} bytes at {address:#010x}: not allotted")
            return None
        self.statistics.dma_reads += 1
        self.statistics.dma_bytes += size
        return bytes(view)

    # Within

    def _record(self, event: str, device: Device, *, offset: int, value: int) -> None:
        if (emit := self.engine.trace.emit) is not None:
            name, register = device.name, device.register_name(offset)
            emit(event, HARDWARE, name, device=name, offset=offset, register=register, value=value)

    def _insert(self, device: Device, slot: Slot) -> None:
        slot.device = device
        device.connect(self, slot)
        self.engine.trace.follow(self.engine.trace.flow)
        device.emit("plug", slot=slot.number, line=slot.line, serial=device.serial)

    def _identify(self, device: Device) -> None:
        owner = self._names.get(device.name)
        if owner is device:
            return
        if owner is not None:
            raise SimulationError(f"there has been another device called {device.name} in this machine")
        if not device.name:
            index = 0
            while f"{device.kind}{index}" in self._names:
                index += 1
            device.name = f"{device.kind}{index}"
        self._names[device.name] = device
        self._serials += 1
        device.serial = device.serial or self._serials

    def _free_slot(self) -> Slot:
        for slot in self.slots:
            if slot.device is None:
                return slot
        raise SimulationError(f"all {len(self.slots) - 1} slots are taken: unplug a device first")

    def _checked_slot(self, number: int) -> Slot:
        if not 0 <= number < len(self.slots):
            raise SimulationError(f"there is no slot {number}: they are 1 to {len(self.slots) - 1}")
        if (device := self.slots[number].device) is not None:
            raise SimulationError(f"slot {number} holds {device.name}")
        return self.slots[number]

    def _error(self, text: str) -> None:
        self.statistics.errors += 1
        if (emit := self.engine.trace.emit) is not None:
            emit("bus_error", HARDWARE, "bus", text=text)
        if self._processor is not None:
            self._processor.bus_error(f"bus error: {text}")

    def _interrupt(self, line: int) -> None:
        if self._processor is not None:
            self._processor.interrupt(line)


def _is_acting(device: Device) -> bool:
    """Return True if code of the device is on the stack.  It would continue on the device as replugged."""
    frame = sys._getframe()
    while (caller := frame.f_back) is not None:
        frame = caller
        if frame.f_code in ACTIONS and frame.f_locals.get("self") is device:
            return True
    return False


def _why(address: int) -> str:
    return "not aligned to 4 bytes" if address & 3 else "no window there"


def _blame(device: Device, access: str, offset: int, error: BaseException) -> DeviceError:
    where = f"the device's {access} of {device.register_name(offset)}"
    return DeviceError(f"{device.name}: {type(error).__name__} in {where}: {error}")
