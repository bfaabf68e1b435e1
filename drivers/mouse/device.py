"""The state of one mouse, and the functions that take reports from it, add them up and forward them.

The device's queue is short, and its interrupt line stays high until the queue is empty.  So the interrupt
handler empties the queue.  It adds each report to the state and appends the report to a queue of the
driver.  A work item sends the queued reports to the netlink group.  If the work item runs late and the
driver's queue is full, a report is not sent, but the state contains it.  A program that sees a gap in the
sequence numbers requests the state.

The interrupt handler itself passes reports to the input core, which has a queue for each reader.
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
"""Maximum number of reports in the driver's queue. At the lowest rate, the queue fills in half a second."""

BUTTONS: Final = (
    ("left", hw.BUTTON_LEFT, ev.BTN_LEFT),
    ("right", hw.BUTTON_RIGHT, ev.BTN_RIGHT),
    ("middle", hw.BUTTON_MIDDLE, ev.BTN_MIDDLE),
    ("side", hw.BUTTON_SIDE, ev.BTN_SIDE),
    ("extra", hw.BUTTON_EXTRA, ev.BTN_EXTRA),
)
"""Each button's name over netlink, its bit in a report, and its key code in the input subsystem."""


class MouseReport(NamedTuple):
    """A report of the mouse. `time` is the machine's time in ns."""

    sequence: int
    time: int
    dx: int
    dy: int
    wheel: int
    buttons: int


@attrs.define
class MouseState:
    """The state of the mouse: the sum of all its reports.

    `sequence` is the number of the last report in the sum, or -1 before the first report.
    """

    sequence: int = -1
    x: int = 0
    y: int = 0
    wheel: int = 0
    buttons: int = 0


@attrs.define(eq=False)
class Mouse:
    """A mouse that is bound to the driver.

    `lock` protects the state, the queue and the counters from the interrupt handler.
    """

    family: GenlFamily
    device: SimbusDevice
    io: IoMemory
    lock: SpinLock
    pointer: Pointer
    send_work: Work = attrs.field(init=False)
    node: Device = attrs.field(init=False)
    """The class device, such as mouse0.  Programs use its name."""
    state: MouseState = attrs.field(factory=MouseState)
    queue: deque[MouseReport] = attrs.field(factory=deque)
    """Reports that the driver has taken from the device and not yet sent to the netlink group."""
    reports: int = 0
    announced: int = 0
    missed: int = 0
    interrupts: int = 0
    gone: bool = False
    """True once the driver is being unbound from the mouse. After that the registers can be unmapped."""

    @property
    def name(self) -> str:
        """The name that programs use, such as mouse0."""
        return self.node.name

    def read(self, register: int) -> int:
        """Read a register of the mouse and return its value, an unsigned 32-bit number.

        Raise ENODEV if the mouse is unplugged: all its registers then read as ones.
        """
        with self.lock:
            self.check_present()
            value = readl(self.io, register)
        if value == ALL_ONES:
            raise os_error(ENODEV)
        return value

    def check_present(self) -> None:
        """Raise ENODEV if the driver is being unbound.

        The caller holds `lock`, so the registers stay mapped until it releases `lock`.
        """
        if self.gone:
            raise os_error(ENODEV)

    def start(self) -> None:
        """Enable reports, with an interrupt for each report."""
        writel(1, self.io, hw.THRESHOLD)
        writel(hw.IRQ_OVERFLOW, self.io, hw.IRQ_STATUS)
        writel(hw.IRQ_REPORTS | hw.IRQ_OVERFLOW, self.io, hw.IRQ_ENABLE)
        writel(hw.CONTROL_ENABLE, self.io, hw.CONTROL)

    def stop(self) -> None:
        """Disable reports and interrupts."""
        writel(0, self.io, hw.CONTROL)
        writel(0, self.io, hw.IRQ_ENABLE)


def interrupt(irq: int, mouse: Mouse) -> int:
    """Handle an interrupt of the mouse.  Other devices can share the interrupt line."""
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
    """Remove a report from the device, add it to `mouse.state`, and pass it to the input core. Queue the
    report for netlink. If the queue is full, count the report in `mouse.missed` instead.
    """
    motion, state = readl(mouse.io, hw.REPORT_MOTION), readl(mouse.io, hw.REPORT_STATE)
    low, high = readl(mouse.io, hw.REPORT_TIME_LOW), readl(mouse.io, hw.REPORT_TIME_HIGH)
    if high == ALL_ONES:  # the mouse was unplugged while its registers were read
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
    """Send all queued reports to the netlink group. This is the function of the work item; it runs in a
    kernel thread.
    """
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
    """Return the names of the buttons whose bits are set in `held`."""
    return tuple(name for name, bit, _ in BUTTONS if held & bit)


def _extend(sequence: int, last: int) -> int:
    """Extend a 16-bit sequence number to 32 bits; `last` is the previous 32-bit number."""
    return last + ((sequence - last) & 0xFFFF or 0x10000) & 0xFFFF_FFFF


def _signed(value: int, bits: int) -> int:
    """Return the low `bits` bits of a value as a signed number (two's complement)."""
    sign = 1 << (bits - 1)
    return (value & (sign - 1)) - (value & sign)
