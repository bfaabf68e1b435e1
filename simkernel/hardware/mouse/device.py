"""The mouse device: it implements the data sheet in `registers.py`.

The mouse samples its state periodically, from the instant at which it is enabled.  An event is scheduled
only for a sample that will differ from the last report.  So a mouse that is not moved costs no events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import attrs

from simkernel.engine import SECOND, SimulationError
from simkernel.hardware.bus import RO, RW, W1C, WO, Device, Register
from simkernel.hardware.bus.registers import CLASS_INPUT
from simkernel.hardware.mouse import registers as sheet
from simkernel.hardware.mouse.motion import STILL, Motion, Move

LOW_32: Final = 0xFFFF_FFFF


@attrs.define
class MouseStatistics:
    """Counters of reports since the mouse object was made.

    made = taken + lost + flushed + queued.  Flushed reports were in the queue when it was emptied.
    """

    made: int = 0
    taken: int = 0
    lost: int = 0
    flushed: int = 0


class Report(NamedTuple):
    """A report of the mouse: the values of the registers REPORT_MOTION and REPORT_STATE, the time of the
    report in ns, and the id of the report's trace flow.
    """

    motion: int = 0
    state: int = 0
    time: int = 0
    flow: int = 0


NOTHING: Final = Report()


class Mouse(Device):
    """A USB-like mouse with a FIFO of reports."""

    vendor_id = sheet.VENDOR
    device_id = sheet.DEVICE
    class_code = CLASS_INPUT
    revision = 1
    registers = (
        Register("CONTROL", sheet.CONTROL, RW, writable=sheet.CONTROL_ENABLE),
        Register("RATE", sheet.RATE, RW, sheet.RATE_DEFAULT, values=sheet.RATES),
        Register("IRQ_STATUS", sheet.IRQ_STATUS, W1C, writable=sheet.IRQ_OVERFLOW),
        Register("IRQ_ENABLE", sheet.IRQ_ENABLE, RW, writable=sheet.IRQ_REPORTS | sheet.IRQ_OVERFLOW),
        Register("THRESHOLD", sheet.THRESHOLD, RW, 1, values=range(1, sheet.FIFO_DEPTH + 1)),
        Register("FIFO_COUNT", sheet.FIFO_COUNT, RO),
        Register("FIFO_POP", sheet.FIFO_POP, WO),
        Register("LOST", sheet.LOST, RO),
        Register("REPORT_MOTION", sheet.REPORT_MOTION, RO),
        Register("REPORT_STATE", sheet.REPORT_STATE, RO),
        Register("REPORT_TIME_LOW", sheet.REPORT_TIME_LOW, RO),
        Register("REPORT_TIME_HIGH", sheet.REPORT_TIME_HIGH, RO),
    )

    def __init__(self, motion: Motion = STILL, *, name: str = "") -> None:
        if not hasattr(motion, "moves"):
            raise SimulationError(
                f"{motion!r} is not a motion: pass Script([...]), recording(file), Walk() or another Motion"
            )
        self.name = name
        self.motion = motion
        self.statistics = MouseStatistics()
        self._queue: deque[Report] = deque()

    @property
    def queued(self) -> int:
        """Number of reports in the queue."""
        return len(self._queue)

    def move(self, dx: int = 0, dy: int = 0, *, wheel: int = 0, buttons: int | None = None) -> None:
        """Move the mouse by (`dx`, `dy`) and turn its wheel by `wheel` at the current instant.

        `buttons` are the buttons that are held from now on; None leaves them unchanged.
        """
        if self.slot is None:
            raise SimulationError(f"{self!r} is not plugged in, so it cannot be moved: plug it in first")
        if buttons is not None and buttons & ~sheet.BUTTON_ALL:
            raise SimulationError(f"buttons {buttons:#x}: use the five bits of {sheet.BUTTON_ALL:#x}")
        self.catch_up()
        self._accumulate_until(self.now)
        self._accumulate(dx, dy, self._buttons if buttons is None else buttons, wheel)
        self._schedule_sample()

    # Registers

    def power_on(self) -> None:
        self._plugged = self.now
        self._grid = self.now
        self._sequence = 0
        self._buttons = 0
        self._reported = 0
        self._moves: Iterator[Move] = self.motion.moves(self.engine.rng(self.name))
        self._next = next(self._moves, None)
        self._clear_motion()

    def power_off(self) -> None:
        self._flush()

    def asserts(self) -> bool:
        return self.read_irq_status() & self.values[sheet.IRQ_ENABLE] != 0

    def read_irq_status(self) -> int:
        reports = len(self._queue) >= self.values[sheet.THRESHOLD]
        return self.values[sheet.IRQ_STATUS] | (sheet.IRQ_REPORTS if reports else 0)

    def read_fifo_count(self) -> int:
        return len(self._queue)

    def read_report_motion(self) -> int:
        return self._oldest().motion

    def read_report_state(self) -> int:
        return self._oldest().state

    def read_report_time_low(self) -> int:
        return self._oldest().time & LOW_32

    def read_report_time_high(self) -> int:
        return self._oldest().time >> 32 & LOW_32

    def write_fifo_pop(self, value: int) -> None:
        if self._queue:
            self._queue.popleft()
            self.statistics.taken += 1

    def write_control(self, value: int) -> None:
        if value & sheet.CONTROL_ENABLE:
            self._flush()
            self._accumulate_until(self.now)
            self._clear_motion()
            self._reported = 0
            self.values[sheet.LOST] = 0
        self._grid = self.now
        self._schedule_sample()

    def write_rate(self, value: int) -> None:
        self._grid = self.now
        self._schedule_sample()

    def _oldest(self) -> Report:
        """Return the oldest report in the queue, or an empty report.  Make the report's trace flow the
        current flow.
        """
        if not self._queue:
            return NOTHING
        self.engine.trace.flow = self._queue[0].flow
        return self._queue[0]

    def _flush(self) -> None:
        self.statistics.flushed += len(self._queue)
        self._queue.clear()

    # Motion

    def _accumulate(self, dx: int, dy: int, buttons: int, wheel: int) -> None:
        self._dx += dx
        self._dy += dy
        self._wheel += wheel
        self._pressed |= buttons & ~self._buttons
        self._buttons = buttons

    def _accumulate_until(self, time: int) -> None:
        while (move := self._next) is not None and self._plugged + move.time <= time:
            self._accumulate(move.dx, move.dy, move.buttons, move.wheel)
            self._next = next(self._moves, None)

    def _clear_motion(self) -> None:
        self._dx = self._dy = self._wheel = self._pressed = 0

    def _has_changed(self) -> bool:
        return bool(self._dx or self._dy or self._wheel) or self._buttons | self._pressed != self._reported

    def _schedule_sample(self) -> None:
        """Schedule the next sample whose report will differ from the last report. Do nothing if no motion or
        click will follow.
        """
        self.cancel_all()
        if not self.values[sheet.CONTROL] & sheet.CONTROL_ENABLE:
            return
        if self._has_changed():
            earliest = self.now + 1
        elif self._next is not None:
            earliest = max(self.now + 1, self._plugged + self._next.time)
        else:
            return
        period = SECOND // self.values[sheet.RATE]
        samples = -(-(earliest - self._grid) // period)
        self.after(self._grid + samples * period - self.now, self._sample)

    def _sample(self) -> None:
        self._accumulate_until(self.now)
        if self._has_changed():
            self._report()
        self._schedule_sample()

    def _report(self) -> None:
        dx, dy = _clip(self._dx, sheet.MOTION_MAX), _clip(self._dy, sheet.MOTION_MAX)
        wheel = _clip(self._wheel, sheet.WHEEL_MAX)
        self._dx -= dx
        self._dy -= dy
        self._wheel -= wheel
        self._reported = self._buttons | self._pressed
        self._pressed = 0
        flow = self.engine.trace.new_flow()
        report = Report(
            (dy & 0xFFFF) << 16 | dx & 0xFFFF,
            self._sequence << 16 | (wheel & 0xFF) << 8 | self._reported,
            self.now,
            flow,
        )
        self._sequence = self._sequence + 1 & 0xFFFF
        self.statistics.made += 1
        self.emit("report", sequence=report.state >> 16, dx=dx, dy=dy, wheel=wheel, buttons=self._reported)
        if len(self._queue) < sheet.FIFO_DEPTH:
            self._queue.append(report)
            return
        self.statistics.lost += 1
        self.values[sheet.LOST] += 1
        self.values[sheet.IRQ_STATUS] |= sheet.IRQ_OVERFLOW
        self.emit("report_lost", sequence=report.state >> 16)


def _clip(value: int, limit: int) -> int:
    return max(-limit, min(value, limit))
