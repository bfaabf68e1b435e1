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

Theory of operation.  `registers` is the data sheet as a table, without the four header registers
that every device has.  A plain register needs no code.  If an access has an effect, define the method
`write_NAME(value)` or `read_NAME() -> int` (NAME in small letters).  `values` maps offsets to the
registers' contents, ints from 0 to 0xffffffff, as `read_NAME` returns.  A read of any other value raises
DeviceError with the register's name.  Set other state in `power_on`, since a device may be unplugged and
plugged in again.  Schedule the device's own actions with `after`.
Before each access the device catches up: it runs the events that are due by the instant of the access.
That instant may lie ahead of the clock by the time that the section has charged.
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
    """What has passed over a bus.

    `aborts` are accesses to the window of an empty slot, `events` what devices did that they record
    (`Device.emit`: a frame begun, a report made), whether anyone listens or not.
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
    """The bus as a device sees it."""

    engine: Engine
    interrupts: Interrupts
    statistics: BusStatistics

    def dma_write(self, device: Device, address: int, *parts: bytes | memoryview) -> bool:
        """Write `parts` to memory for `device`.  False, and a bus error, if that is not in one region."""

    def dma_read(self, device: Device, address: int, size: int) -> bytes | None:
        """`size` bytes of memory for `device`.  None, and a bus error, if that is not in one region."""


@attrs.define(eq=False)
class Slot:
    """A place for a device: its number, the address of its window, the interrupt line it is wired to."""

    number: int
    address: int
    line: int
    device: Device | None = None


@attrs.define(eq=False)
class Event:
    """Something that a device is going to do."""

    _function: Callable[..., None] | None
    _arguments: tuple[Any, ...]
    _flow: int
    _timer: Timer
    _own: bool
    """True if an event of the device scheduled it, False if a register access did."""

    @property
    def pending(self) -> bool:
        """Whether it is still going to happen."""
        return self._function is not None

    def cancel(self) -> None:
        """Make it not happen.  Harmless when it has happened."""
        self._function = None
        self._timer.cancel()

    def happen(self, device: Device) -> None:
        """Run the event under the flow in which it was scheduled.  No effect if it is cancelled.

        A flow is finished once the device has raised an interrupt for it.  Under a finished flow, an event
        that the device scheduled begins a new flow.  An event that a register access scheduled keeps it.
        DeviceError if the device's code raises an error.
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
    """A virtual device; see the top of this file for how to make one.

    `kind` is what names are made of (camera0, camera1 ...); it defaults to the class's name.
    `name` is its track in a trace and its random stream; `serial` is its SERIAL register.  Both are
    given when it is first plugged, unless set before.  `now` is the instant at which it acts.
    `statistics` are its public counters, if it has any: an attrs object of ints.
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
    """The flow in which the device last raised its interrupt line."""
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

    # What a device class may define

    def power_on(self) -> None:
        """Called when plugged, with all registers at their reset values."""

    def power_off(self) -> None:
        """Called when unplugged, with nothing pending any more and no interrupt raised."""

    def accepts(self, register: Register, value: int) -> bool:
        """Whether a write of `value` to `register` has an effect.  By default its `values` decide."""
        return register.values is None or value in register.values

    def asserts(self) -> bool:
        """Whether the device holds its interrupt line high.  Asked after all that may change it."""
        return False

    # What a device class may use

    @property
    def plugged(self) -> bool:
        """True while the device is in a slot.  False in `power_off`."""
        return self.slot is not None and self.slot.device is self

    def after(self, delay: int, function: Callable[..., None], *arguments: Any) -> Event:
        """Call `function` when `delay` ns have passed, unless unplugged by then."""
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
        """Cancel all that `after` has planned."""
        for _, _, event in self._agenda:
            event.cancel()
        self._agenda.clear()

    def dma_write(self, address: int, *parts: bytes | memoryview) -> bool:
        """Write `parts` to memory, one after the other, as one transfer.

        False, and a bus error, if that is not within one allotted region.
        """
        return self.plugged and self.bus.dma_write(self, address, *parts)

    def dma_read(self, address: int, size: int) -> bytes | None:
        """`size` bytes of memory.  None, and a bus error, if that is not within one allotted region."""
        return self.bus.dma_read(self, address, size) if self.plugged else None

    def emit(self, event: str, **fields: Any) -> None:
        """Count `event` and emit its record on the device's track.  No effect if the device is unplugged."""
        if self.slot is None:
            return
        self.bus.statistics.events += 1
        if (emit := self.engine.trace.emit) is not None:
            emit(event, HARDWARE, self.name, **fields)

    # What the bus uses

    def connect(self, bus: DeviceBus, slot: Slot) -> None:
        """Power the device, in `slot` of `bus`."""
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
        """Take the power away: nothing happens any more, the interrupt line is released."""
        slot = self.slot
        if slot is None:
            raise SimulationError(f"{self.name} is not plugged in")
        self.cancel_all()
        self.bus.interrupts.release(slot.line, self)
        self.power_off()
        self.slot = None

    def read(self, offset: int) -> int:
        """What a 32-bit read at `offset` gives.  Reserved registers read as zero."""
        self.catch_up()
        port = self.ports.get(offset)
        if self.slot is None:
            return sheet.ALL_ONES  # a listener has unplugged it
        if port is None or port.register.access == WO:
            return 0
        if port.read is None:
            return self.values[offset]
        value = port.read(self)
        self.drive()
        return value if self.slot is not None else sheet.ALL_ONES

    def write(self, offset: int, value: int) -> None:
        """Do what a 32-bit write at `offset` does.  Reserved and read-only registers ignore it."""
        self.catch_up()
        port = self.ports.get(offset)
        if port is None or (register := port.register).access == RO or self.slot is None:
            return  # no slot: a listener has unplugged it since the access began
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
        """What the data sheet calls the register at `offset`."""
        port = self.ports.get(offset)
        return "reserved" if port is None else port.register.name

    def catch_up(self) -> None:
        """Let everything happen that was due by `engine.time()`; that is then `now`."""
        time = self.engine.time()
        if self._agenda and self._agenda[0][0] <= time:
            trace = self.engine.trace
            flow = trace.flow
            self.advance(time)
            trace.flow = flow
        if time > self.now:
            self.now = time

    def advance(self, to: int) -> None:
        """Do what is due up to and including the instant `to`, in order."""
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
        """Set the interrupt line to what `asserts` says."""
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
