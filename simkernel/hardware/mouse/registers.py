"""Data sheet of the mouse: a motion sensor, five buttons, a wheel, and a queue of reports.

All registers are 32 bits wide.  Times are in nanoseconds of the bus clock unless another unit is given.

Reports.  While CONTROL_ENABLE is set, the mouse samples its state RATE times a second.  If it was moved,
clicked or turned since the last sample, it adds a report to its queue.  A button press that is shorter
than the sample period is reported too.  Writing a one to CONTROL_ENABLE empties the queue and restarts the
sampling.  If a button is held at that instant, the first report contains it.

Queue.  It holds up to FIFO_DEPTH reports; FIFO_COUNT is their number.  The REPORT_ registers show the
oldest report. They read as zero if the queue is empty.  Writing any value to FIFO_POP removes the oldest
report.  If the queue is full, a new report is lost: LOST counts it and IRQ_OVERFLOW is set.

Interrupts.  IRQ_REPORTS is set while the queue holds at least THRESHOLD reports.  IRQ_OVERFLOW is cleared
by writing a one.  The interrupt line is high while IRQ_STATUS & IRQ_ENABLE is not zero.

A write of an invalid value to a register is ignored.
"""

from __future__ import annotations

from typing import Final

VENDOR: Final = 0x51B5
DEVICE: Final = 0x0020

# Registers
CONTROL: Final = 0x10  # rw
RATE: Final = 0x14  # rw: samples per second, one of RATES
IRQ_STATUS: Final = 0x18  # w1c
IRQ_ENABLE: Final = 0x1C  # rw
THRESHOLD: Final = 0x20  # rw: 1 to FIFO_DEPTH
FIFO_COUNT: Final = 0x24  # ro
FIFO_POP: Final = 0x28  # wo
LOST: Final = 0x2C  # ro: reports lost since CONTROL_ENABLE was set
REPORT_MOTION: Final = 0x30  # ro: dx in bits 0-15, dy in bits 16-31, both in two's complement
REPORT_STATE: Final = (
    0x34  # ro: buttons in bits 0-7, wheel in bits 8-15 (two's complement), report number in bits 16-31
)
REPORT_TIME_LOW: Final = 0x38  # ro: time of the report, bits 0-31
REPORT_TIME_HIGH: Final = 0x3C  # ro: time of the report, bits 32-63

CONTROL_ENABLE: Final = 1 << 0

IRQ_REPORTS: Final = 1 << 0
IRQ_OVERFLOW: Final = 1 << 1

RATES: Final = (125, 250, 500, 1000)
RATE_DEFAULT: Final = 125
FIFO_DEPTH: Final = 16
MOTION_MAX: Final = 32767  # maximum dx or dy of one report; the next report has the rest of the motion
WHEEL_MAX: Final = 127

# Buttons
BUTTON_LEFT: Final = 1 << 0
BUTTON_RIGHT: Final = 1 << 1
BUTTON_MIDDLE: Final = 1 << 2
BUTTON_SIDE: Final = 1 << 3
BUTTON_EXTRA: Final = 1 << 4
BUTTON_ALL: Final = 0x1F
