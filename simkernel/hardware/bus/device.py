"""Virtual devices: registers in an MMIO window, an interrupt line, DMA and scheduled events.

A device is a subclass of `Device`.  This one measures for 2 ms after a write to START, then interrupts:

    class Thermometer(Device):
        vendor_id, device_id = 0x1234, 0x0001
        registers = (
            Register("START", 0x10, WO),
            Register("DONE", 0x14, W1C),
            Register("TEMPERATURE", 0x18, RO, reset=20),
        )

        def write_start(self, value: int) -> None:
            self.after(millis(2), self.measured)

        def measured(self) -> None:
            self.values[0x18] += 1
            self.values[0x14] = 1

        def asserts(self) -> bool:
            return self.values[0x14] != 0

    machine.plug(Thermometer())

`registers` is the data sheet as a table, without the four header registers that every device has.  A plain
register needs no code.  If an access has an effect, define the method `write_NAME(value)` or `read_NAME()
-> int` (NAME in lower case).

`values` maps offsets to the contents of the registers, ints from 0 to 0xffffffff.  `read_NAME` returns
such an int too.  A read of any other value raises DeviceError with the register's name.  Initialize other
state in `power_on`, because a device can be unplugged and plugged in again.  Schedule the device's actions
with `after`.

Before each access the device catches up: it runs the events that are due at the instant of the access.
That instant is ahead of the clock if the current section has charged time.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, ClassVar, Protocol

import attrs

from simkernel.engine import DeviceError, Engine, InternalError, SimulationError, Timer
from simkernel.engine.engine import MIN_CANCELLED
from simkernel.hardware.bus import registers as sheet
from simkernel.hardware.bus.interrupts import Interrupts
from simkernel.hardware.bus.register_table import RO, W1C, WO, Port, Register, compile_table
from simkernel.hardware.layer import HARDWARE


@attrs.define
class BusStatistics:
    """Counters of one bus.

    `aborts` counts accesses to the window of an empty slot.  `events` counts the calls of `Device.emit`,
    such as a started frame or a new report, even if no trace listener is attached.
    """

    reads: int = 0
    writes: int = 0
    dma_reads: int = 0
    dma_writes: int = 0
    dma_bytes: int = 0
    aborts: int = 0
    errors: int = 0
    events: int = 0


class DeviceBus(Protocol):
    """The interface through which a device uses the bus."""

    engine: Engine
    interrupts: Interrupts
    statistics: BusStatistics

    def dma_write(self, device: Device, address: int, *parts: bytes | memoryview) -> bool:
        """Write the buffers `parts`, one after another, to memory on behalf of `device`.

        If they do not fit into one region, report a bus error; return False.
        """

    def dma_read(self, device: Device, address: int, size: int) -> bytes | None:
        """Read `size` bytes of memory on behalf of `device`, and return them.

        If they are not in one region, report a bus error and return None.
        """


@attrs.define(eq=False)
class Slot:
    """A slot for a device: its number, the address of its register window, and its interrupt line."""

    number: int
    address: int
    line: int
    device: Device | None = None


@attrs.define(eq=False)
class Event:
    """An action of a device that is scheduled for an instant."""

    _function: Callable[..., None] | None
    _arguments: tuple[Any, ...]
    _flow: int
    _timer: Timer
    _own: bool
    """True if the device scheduled this event while the function of another of its events was running. False
    otherwise, for example if a register access scheduled it.
    """

    @property
    def pending(self) -> bool:
        """True if the event has not happened and is not cancelled."""
        return self._function is not None

    def cancel(self) -> None:
        """Cancel the event.  No effect if it has happened."""
        self._function = None
        self._timer.cancel()

    def happen(self, device: Device) -> None:
        """Run the event's function, in the trace flow (the message or frame) of the code that scheduled the
        event. No effect if the event is cancelled.

        A flow is finished when the device has raised an interrupt for it.  If the flow is finished, an
        event that the device scheduled begins a new flow.  An event that a register access scheduled keeps
        the flow.  Raise DeviceError if the device's code raises an error.
        """
        function = self._function
        if function is None:
            return
        self.cancel()
        device.engine.trace.follow(self._flow, device.raised_flow if self._own else 0)
        try:
            function(*self._arguments)
            device.drive()
        except (DeviceError, InternalError):
            raise
        except Exception as error:
            where = getattr(function, "__name__", "an event")
            raise DeviceError(f"{device.name}: {type(error).__name__} in {where}: {error}") from error


class Device:
    """Base class of virtual devices; the docstring of this module shows an example.

    Names are made from `kind` (camera0, camera1, ...), which defaults to the name of the class.  `name` is
    the device's track in a trace and its random stream.  `serial` is its SERIAL register.  If they are not
    set, the bus sets both when the device is first plugged in.  `now` is the instant at which the device
    acts.  `statistics` is an attrs object with public counters, or None.
    """

    kind: ClassVar[str] = ""
    vendor_id: ClassVar[int] = 0
    device_id: ClassVar[int] = 0
    class_code: ClassVar[int] = sheet.CLASS_OTHER
    revision: ClassVar[int] = 0
    registers: ClassVar[tuple[Register, ...]] = ()
    ports: ClassVar[dict[int, Port]] = {}

    name: str = ""
    serial: int = 0
    statistics: Any = None
    slot: Slot | None = None
    bus: DeviceBus
    engine: Engine
    values: dict[int, int]
    now: int
    raised_flow: int = 0
    """Id of the trace flow (the message or frame in progress) in which the device last raised its interrupt
    line.
    """
    _acting: bool = False
    _order: int
    _purge_at: int

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        hooks = {
            name: getattr(cls, name)
            for base in reversed(cls.__mro__)
            for name in vars(base)
            if name.startswith(("read_", "write_"))
        }
        cls.ports = compile_table(cls.__name__, cls.registers, hooks)
        if "kind" not in vars(cls):
            cls.kind = cls.__name__.lower()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name or '(never plugged)'}>"

    # Methods that a device class may define

    def power_on(self) -> None:
        """Initialize the device when it is plugged in.  All registers have their reset values."""

    def power_off(self) -> None:
        """Clean up when the device is unplugged.  Its events are already cancelled, and its interrupt line is
        released.
        """

    def accepts(self, register: Register, value: int) -> bool:
        """Return True if a write of `value` to `register` has an effect.

        By default `register.values` decides.
        """
        return register.values is None or value in register.values

    def asserts(self) -> bool:
        """Return True if the device holds its interrupt line high.

        It is called after each event and access.
        """
        return False

    # Methods that a device class may call

    @property
    def plugged(self) -> bool:
        """True while the device is in a slot.  While `power_off` runs, it is False."""
        return self.slot is not None and self.slot.device is self

    def after(self, delay: int, function: Callable[..., None], *arguments: Any) -> Event:
        """Schedule a call of `function` in `delay` ns. The call is dropped if the device is unplugged before
        this time.
        """
        if not self.plugged:
            return Event(None, (), 0, Timer(self._due, (), None), self._acting)
        time = max(self.now, self.engine.now) + delay
        timer = self.engine.call_at(time, self._due)
        event = Event(function, arguments, self.engine.trace.flow, timer, self._acting)
        self._order += 1
        agenda = self._agenda
        if len(agenda) >= self._purge_at:
            agenda[:] = [entry for entry in agenda if entry[2].pending]
            heapify(agenda)
            self._purge_at = 2 * len(agenda) + MIN_CANCELLED
        heappush(agenda, (time, self._order, event))
        return event

    def cancel_all(self) -> None:
        """Cancel all events that `after` has scheduled."""
        for _, _, event in self._agenda:
            event.cancel()
        self._agenda.clear()

    def dma_write(self, address: int, *parts: bytes | memoryview) -> bool:
        """Write the buffers `parts` to memory, one after another, in one DMA transfer.

        If they do not fit into one allocated region, report a bus error and return False.
        """
        return self.plugged and self.bus.dma_write(self, address, *parts)

    def dma_read(self, address: int, size: int) -> bytes | None:
        """Read `size` bytes of memory in one DMA transfer, and return them.

        If they are not in one allocated region, report a bus error and return None.
        """
        return self.bus.dma_read(self, address, size) if self.plugged else None

    def emit(self, event: str, **fields: Any) -> None:
        """Count `event`, and emit a trace record of it on the device's track.  No effect if the device is
        unplugged.
        """
        if self.slot is None:
            return
        self.bus.statistics.events += 1
        if (emit := self.engine.trace.emit) is not None:
            emit(event, HARDWARE, self.name, **fields)

    # What the bus uses

    def connect(self, bus: DeviceBus, slot: Slot) -> None:
        """Power on the device in `slot` of `bus`."""
        self.bus = bus
        self.engine = bus.engine
        self.slot = slot
        self.now = bus.engine.time()
        self.values = {offset: port.register.reset for offset, port in self.ports.items()}
        self.values[sheet.ID] = self.vendor_id << 16 | self.device_id
        self.values[sheet.CLASS] = self.class_code << 8 | self.revision
        self.values[sheet.INTERRUPT] = slot.line
        self.values[sheet.SERIAL] = self.serial
        self._agenda: list[tuple[int, int, Event]] = []
        self._purge_at = MIN_CANCELLED
        self._order = 0
        self._asserted = False
        self.power_on()
        self.drive()

    def disconnect(self) -> None:
        """Power off the device: cancel its events and release its interrupt line."""
        slot = self.slot
        if slot is None:
            raise SimulationError(f"{self.name} is not plugged in")
        self.cancel_all()
        self.bus.interrupts.release(slot.line, self)
        self.power_off()
        self.slot = None

    def read(self, offset: int) -> int:
        """Return the result of a 32-bit read at `offset`.  Reserved registers read as zero."""
        self.catch_up()
        port = self.ports.get(offset)
        if self.slot is None:
            return sheet.ALL_ONES  # a trace listener has unplugged the device
        if port is None or port.register.access == WO:
            return 0
        if port.read is None:
            return self.values[offset]
        value = port.read(self)
        self.drive()
        return value if self.slot is not None else sheet.ALL_ONES

    def write(self, offset: int, value: int) -> None:
        """Handle a 32-bit write at `offset`.  Reserved and read-only registers ignore it."""
        self.catch_up()
        port = self.ports.get(offset)
        if port is None or (register := port.register).access == RO or self.slot is None:
            return  # no slot: a trace listener has unplugged the device during this access
        if self.accepts(register, value):
            old = self.values[offset]
            if register.access == W1C:
                self.values[offset] = old & ~(value & register.writable)
            else:
                self.values[offset] = old & ~register.writable | value & register.writable
            if port.write is not None:
                port.write(self, value)
        self.drive()

    def register_name(self, offset: int) -> str:
        """Return the name of the register at `offset` in the data sheet."""
        port = self.ports.get(offset)
        return "reserved" if port is None else port.register.name

    def catch_up(self) -> None:
        """Run the events that are due by `engine.time()`, and set the device's clock `now` to that time."""
        time = self.engine.time()
        if self._agenda and self._agenda[0][0] <= time:
            trace = self.engine.trace
            flow = trace.flow
            self.advance(time)
            trace.flow = flow
        if time > self.now:
            self.now = time

    def advance(self, to: int) -> None:
        """Run the events that are due up to and including the instant `to`, in the order of their times."""
        agenda = self._agenda
        while agenda and agenda[0][0] <= to:
            self.now, _, event = heappop(agenda)
            self._acting = True
            event.happen(self)
            self._acting = False

    def _due(self) -> None:
        interrupts = self.bus.interrupts
        interrupts.inline = True
        try:
            self.advance(self.engine.now)
        finally:
            interrupts.inline = False

    def drive(self) -> None:
        """Drive the interrupt line high if the method `asserts()` returns True, else release the line."""
        if self.slot is None or (level := self.asserts()) == self._asserted:
            return
        self._asserted = level
        if level:
            trace = self.engine.trace
            flow = trace.flow
            trace.follow(flow)
            self.raised_flow = trace.flow
            self.bus.interrupts.drive(self.slot.line, self, self.name)
            trace.flow = flow
        else:
            self.bus.interrupts.release(self.slot.line, self)
