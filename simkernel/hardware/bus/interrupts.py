"""Interrupt lines and their controller: level triggered, shareable, maskable, like PCI's INTx.

A line is high while at least one device drives it.  If a line is high and not masked, `deliver(line)` is
called.  If a device's own event drives the line, the call is immediate.  In all other cases (a register
access, an unmask) the processor is still busy with the current section.  Then the interrupt is a new event
at `engine.time()`.

Lines are masked after reset.  The interrupt handler masks the line, serves the devices, and unmasks the
line. A line that is still high then interrupts again (Linux: handle_level_irq()).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import attrs

from simkernel.engine import Engine, SimulationError, Timer
from simkernel.hardware.layer import HARDWARE


@attrs.define(eq=False)
class Line:
    """One interrupt line. `drivers` maps each source that holds the line high, such as a device, to the id of
    the trace flow in which the source raised it.
    """

    number: int
    masked: bool = True
    drivers: dict[Hashable, int] = attrs.field(factory=dict)
    coming: Timer | None = None
    raised: int = 0
    delivered: int = 0


class Interrupts:
    """The interrupt controller of one machine.

    `inline` is true while an event of a device runs.  Then an interrupt is delivered immediately.
    """

    def __init__(self, engine: Engine, deliver: Callable[[int], None], count: int) -> None:
        self.lines = tuple(Line(number) for number in range(count))
        self.inline = False
        self._engine = engine
        self._deliver_to = deliver

    def __repr__(self) -> str:
        return f"<Interrupts with {len(self.lines)} lines>"

    def mask(self, line: int) -> None:
        """Disable interrupts of `line` until `unmask`."""
        self.lines[line].masked = True

    def unmask(self, line: int) -> None:
        """Enable interrupts of `line`.  If it is high, schedule an interrupt."""
        state = self.lines[line]
        state.masked = False
        if state.drivers:
            self._take_later(state)

    def is_high(self, line: int) -> bool:
        """Return True if a source, such as a device, drives `line` high."""
        return bool(self.lines[line].drivers)

    def drive(self, line: int, source: Hashable, track: str) -> None:
        """Drive `line` high for `source`. Raise SimulationError if the line does not exist."""
        if not 0 <= line < len(self.lines):
            raise SimulationError(f"interrupt line {line} does not exist: use 0 to {len(self.lines) - 1}")
        state = self.lines[line]
        trace = self._engine.trace
        state.drivers[source] = trace.flow
        state.raised += 1
        if (emit := trace.emit) is not None:
            emit("irq_raise", HARDWARE, track, line=line)
        if state.masked:
            return
        if self.inline:
            self._take(state)
        else:
            self._take_later(state)

    def release(self, line: int, source: Hashable) -> None:
        """Stop driving `line` high for `source`. The line stays high while another source drives it."""
        self.lines[line].drivers.pop(source, None)

    def _take_later(self, line: Line) -> None:
        if line.coming is None or not line.coming.pending:
            line.coming = self._engine.call_later(0, self._take, line)

    def _take(self, line: Line) -> None:
        if line.masked or not line.drivers:
            return
        line.delivered += 1
        self._engine.trace.follow(next(iter(line.drivers.values())))
        inline, self.inline = self.inline, False
        try:
            self._deliver_to(line.number)
        finally:
            self.inline = inline
