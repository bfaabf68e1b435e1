"""The bus, which connects the processor, memory and devices.

The kernel uses `readl`, `writel`, `memory` and `interrupts`, and attaches a `Processor`.  The user calls
`plug` and `unplug` at any instant.  A device uses DMA and its interrupt line.  An invalid access is a bus
error: it is reported and counted, and never raises an exception.
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
"""Code objects of the methods of `Device` that call code of a device class, such as `write_NAME()` for a
register. `_is_acting()` searches the call stack for these code objects.
"""


class Processor(Protocol):
    """The processor as the bus sees it. The kernel implements this interface."""

    def interrupt(self, line: int, weight: int = 1) -> None:
        """Handle an interrupt of line number `line`, which is high and not masked. One call stands for
        `weight` interrupts in a row.
        """

    def bus_error(self, text: str) -> None:
        """Report an invalid access to the bus."""


class Bus:
    """The bus of one machine.

    `readl_ns` and `writel_ns` are the time in ns that a register access takes the processor.  A read waits
    for the device's answer; a write does not.
    """

    def __init__(
        self, engine: Engine, *, slots: int = 16, lines: int = 32, readl_ns: int = 300, writel_ns: int = 50
    ) -> None:
        if not 2 <= slots <= 32:
            raise SimulationError(
                f"slots={slots}: use 2 to 32, including the slot of the hot-plug controller"
            )
        if lines < slots:
            raise SimulationError(
                f"lines={lines}: a bus with {slots} slots needs at least {slots} interrupt lines"
            )
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
        """Attach the processor, to which the bus then reports interrupts and bus errors. A bus without a
        processor only counts and traces them.
        """
        self._processor = processor

    def readl(self, address: int) -> int:
        """Read the 32-bit register at `address`.  Return all ones if no device answers."""
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
        """Write the 32-bit register at `address`.  No effect if no device answers."""
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
        """Plug `device` into slot number `slot`, or into the lowest free slot, and power it on.

        Its interrupt line is `line`, which devices can share, or the line with the slot's number.  Raise
        SimulationError if the device is plugged in already, the slot is taken, or no slot is free.
        """
        if device.slot is not None:
            raise SimulationError(f"{device.name} is plugged in already, in slot {device.slot.number}")
        if _is_acting(device):
            raise SimulationError(
                f"{device.name} was unplugged while its code was running: plug it in after this code returns"
            )
        place = self._free_slot() if slot is None else self._checked_slot(slot)
        if line is not None and not 0 <= line < len(self.interrupts.lines):
            raise SimulationError(
                f"interrupt line {line} does not exist: use 0 to {len(self.interrupts.lines) - 1}"
            )
        self._identify(device)
        place.line = place.number if line is None else line
        self._insert(device, place)
        self._hotplug.slot_changed(place.number)
        return place

    def unplug(self, device: Device) -> None:
        """Remove `device` without warning the kernel first (surprise removal).

        It can be plugged in again.  SimulationError if it is not plugged in.
        """
        slot = device.slot
        if slot is None or device.bus is not self:
            raise SimulationError(f"{device.name or device.kind} is not plugged into this bus")
        if device is self._hotplug:
            raise SimulationError("the hot-plug controller cannot be unplugged")
        device.catch_up()
        if slot.device is not device:
            return  # the device or a trace listener has unplugged the device in catch_up()
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
        """Return the devices that are plugged in, in the order of their slots, without the hot-plug
        controller.
        """
        return [slot.device for slot in self.slots[1:] if slot.device is not None]

    def all_devices(self) -> list[Device]:
        """Return all devices that were ever plugged in, in the order of their first plug-in, without the
        hot-plug controller.
        """
        return [device for device in self._names.values() if device is not self._hotplug]

    # A device's side

    def dma_write(self, device: Device, address: int, *parts: bytes | memoryview) -> bool:
        """Write the buffers `parts`, one after another, to memory on behalf of `device`.

        If they do not fit into one region, report a bus error; return False.
        """
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
        """Read `size` bytes of memory on behalf of `device`, and return them.

        If they are not in one region, report a bus error and return None.
        """
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
            raise SimulationError(
                f"a device called {device.name} has been in this machine before: use another name"
            )
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
            raise SimulationError(f"slot {number} does not exist: use 1 to {len(self.slots) - 1}")
        if (device := self.slots[number].device) is not None:
            raise SimulationError(f"slot {number} is taken by {device.name}: use a free slot")
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
    """Return True if code of the device is on the call stack.

    Plugging it in again now would let that code continue on the newly powered device.
    """
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
