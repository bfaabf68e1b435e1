"""One mouse: taking its reports, adding them up, handing them on.

The device's queue is short and its interrupt stays up till the queue is empty, so the interrupt handler
empties it: it adds each report to the state and puts it into a queue of the driver's own.  A work
item, which may take its time, sends them to the programs.  If it comes late and that queue is full as
well, reports are not sent, but the state has them: who sees a gap in the sequence numbers asks for it.

The input core is told in the interrupt handler itself: it has a queue for each reader.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import attrs

from simkernel.driverapi.device import Device
from simkernel.driverapi.genetlink import GenlFamily, Reply, genlmsg_multicast
from simkernel.driverapi.interrupt import IRQ_HANDLED, IRQ_NONE
from simkernel.driverapi.io import ALL_ONES, IoMemory, readl, writel
from simkernel.driverapi.simbus import SimbusDevice
from simkernel.driverapi.spinlock import SpinLock
from simkernel.driverapi.workqueue import Work, schedule_work
from simkernel.hardware.mouse import registers as hw
from simkernel.uapi import input_event_codes as ev
from simkernel.uapi.errno import ENODEV, os_error

if TYPE_CHECKING:
    from .pointer import Pointer

QUEUE_DEPTH: Final = 64
"""Reports in the driver's queue, at most: half a second's at the slowest rate."""

BUTTONS: Final = (
    ("left", hw.BUTTON_LEFT, ev.BTN_LEFT),
    ("right", hw.BUTTON_RIGHT, ev.BTN_RIGHT),
    ("middle", hw.BUTTON_MIDDLE, ev.BTN_MIDDLE),
    ("side", hw.BUTTON_SIDE, ev.BTN_SIDE),
    ("extra", hw.BUTTON_EXTRA, ev.BTN_EXTRA),
)
"""The name over netlink, the bit in a report, the key of the input device."""


class MouseReport(NamedTuple):
    """One report.  `time` is in nanoseconds of the machine's clock."""

    sequence: int
    time: int
    dx: int
    dy: int
    wheel: int
    buttons: int


@attrs.define
class MouseState:
    """The sum of all reports; `sequence` is the number of the last one that is in it, -1 before the first."""

    sequence: int = -1
    x: int = 0
    y: int = 0
    wheel: int = 0
    buttons: int = 0


@attrs.define(eq=False)
class Mouse:
    """A mouse that the driver is bound to.

    `lock` protects the state, the queue and the counters, which the interrupt handler works on.
    """

    family: GenlFamily
    device: SimbusDevice
    io: IoMemory
    lock: SpinLock
    pointer: Pointer
    send_work: Work = attrs.field(init=False)
    node: Device = attrs.field(init=False)
    """The device of class mouse; its name is what programs call the mouse."""
    state: MouseState = attrs.field(factory=MouseState)
    queue: deque[MouseReport] = attrs.field(factory=deque)
    """Reports that are taken and not sent yet."""
    reports: int = 0
    announced: int = 0
    missed: int = 0
    interrupts: int = 0
    gone: bool = False
    """The driver is being unbound: its registers are unmapped next."""

    @property
    def name(self) -> str:
        """What programs call it."""
        return self.node.name

    def read(self, register: int) -> int:
        """A register.  ENODEV if the mouse has been torn out: then every register reads as all ones."""
        with self.lock:
            self.check_present()
            value = readl(self.io, register)
        if value == ALL_ONES:
            raise os_error(ENODEV)
        return value

    def check_present(self) -> None:
        """ENODEV if the mouse is gone; `lock` is held, and the registers stay mapped until it is released."""
        if self.gone:
            raise os_error(ENODEV)

    def start(self) -> None:
        """Let it report, and interrupt for every report."""
        writel(1, self.io, hw.THRESHOLD)
        writel(hw.IRQ_OVERFLOW, self.io, hw.IRQ_STATUS)
        writel(hw.IRQ_REPORTS | hw.IRQ_OVERFLOW, self.io, hw.IRQ_ENABLE)
        writel(hw.CONTROL_ENABLE, self.io, hw.CONTROL)

    def stop(self) -> None:
        """Let it be still."""
        writel(0, self.io, hw.CONTROL)
        writel(0, self.io, hw.IRQ_ENABLE)


def interrupt(irq: int, mouse: Mouse) -> int:
    """Called in interrupt context, for a line that others may share."""
    status = readl(mouse.io, hw.IRQ_STATUS)
    if status == ALL_ONES or not status:
        return IRQ_NONE
    writel(hw.IRQ_OVERFLOW, mouse.io, hw.IRQ_STATUS)
    with mouse.lock:
        mouse.interrupts += 1
        while 0 < readl(mouse.io, hw.FIFO_COUNT) < ALL_ONES:
            _take(mouse)
    schedule_work(mouse.send_work)
    return IRQ_HANDLED


def _take(mouse: Mouse) -> None:
    """Take one report out of the device."""
    motion, state = readl(mouse.io, hw.REPORT_MOTION), readl(mouse.io, hw.REPORT_STATE)
    low, high = readl(mouse.io, hw.REPORT_TIME_LOW), readl(mouse.io, hw.REPORT_TIME_HIGH)
    if high == ALL_ONES:  # torn out just now: some of this is not a report
        return
    writel(1, mouse.io, hw.FIFO_POP)
    report = MouseReport(
        _extend(state >> 16, mouse.state.sequence),
        high << 32 | low,
        _signed(motion, 16),
        _signed(motion >> 16, 16),
        _signed(state >> 8, 8),
        state & hw.BUTTON_ALL,
    )
    total = mouse.state
    total.sequence = report.sequence
    total.x = _signed(total.x + report.dx, 32)
    total.y = _signed(total.y + report.dy, 32)
    total.wheel = _signed(total.wheel + report.wheel, 32)
    total.buttons = report.buttons
    mouse.reports += 1
    mouse.pointer.report(report)
    if len(mouse.queue) < QUEUE_DEPTH:
        mouse.queue.append(report)
    else:
        mouse.missed += 1


def send(mouse: Mouse) -> None:
    """Send what is queued to the programs; run by a worker."""
    while True:
        with mouse.lock:
            if not mouse.queue:
                return
            report = mouse.queue.popleft()
            mouse.announced += 1
        genlmsg_multicast(mouse.family, "motion", _motion(mouse, report))


def _motion(mouse: Mouse, report: MouseReport) -> Reply:
    return {
        "device": mouse.name,
        "sequence": report.sequence,
        "time": report.time,
        "dx": report.dx,
        "dy": report.dy,
        "wheel": report.wheel,
        "buttons": button_names(report.buttons),
    }


def button_names(held: int) -> tuple[str, ...]:
    """The buttons of a mask, by name."""
    return tuple(name for name, bit, _ in BUTTONS if held & bit)


def _extend(sequence: int, last: int) -> int:
    """A 16-bit sequence number as 32 bits, given the last one that came."""
    return last + ((sequence - last) & 0xFFFF or 0x10000) & 0xFFFF_FFFF


def _signed(value: int, bits: int) -> int:
    """The low `bits` of a value, as two's complement."""
    sign = 1 << (bits - 1)
    return (value & (sign - 1)) - (value & sign)
