"""Data sheet of the mouse: a motion sensor, five buttons, a wheel, and a queue of reports.

All registers are 32 bits wide; times are in nanoseconds of the bus clock unless said otherwise.

Reports.  While CONTROL_ENABLE is set the mouse looks at itself RATE times a second and, if it was moved,
clicked or turned since the last time, puts a report into its queue.  A press shorter than that is
reported all the same.  Writing a one to CONTROL_ENABLE empties the queue and begins anew; a button
that is held then is reported first.

Queue.  It holds FIFO_DEPTH reports; FIFO_COUNT tells how many there are.  The REPORT_ registers show the
oldest and read as zero when there is none; a write of anything to FIFO_POP removes it.  A report
that finds the queue full is lost: LOST counts it and IRQ_OVERFLOW is set.

Interrupt.  IRQ_REPORTS is set while the queue holds THRESHOLD reports or more, and is cleared by taking
them out; IRQ_OVERFLOW is cleared by writing a one.  The line is high while IRQ_STATUS & IRQ_ENABLE.

A write of a value that a register does not take is ignored.
"""

from __future__ import annotations

from typing import Final

VENDOR: Final = 0x51B5
DEVICE: Final = 0x0020

# Registers
CONTROL: Final = 0x10  # rw
RATE: Final = 0x14  # rw: reports a second at most, one of RATES
IRQ_STATUS: Final = 0x18  # w1c
IRQ_ENABLE: Final = 0x1C  # rw
THRESHOLD: Final = 0x20  # rw: 1 to FIFO_DEPTH
FIFO_COUNT: Final = 0x24  # ro
FIFO_POP: Final = 0x28  # wo
LOST: Final = 0x2C  # ro: reports lost since CONTROL_ENABLE was set
REPORT_MOTION: Final = 0x30  # ro: dx in bits 0-15, dy in bits 16-31, two's complement
REPORT_STATE: Final = 0x34  # ro: buttons in bits 0-7, wheel in bits 8-15 (two's complement), sequence above
REPORT_TIME_LOW: Final = 0x38  # ro: when the report was made
REPORT_TIME_HIGH: Final = 0x3C  # ro

CONTROL_ENABLE: Final = 1 << 0

IRQ_REPORTS: Final = 1 << 0
IRQ_OVERFLOW: Final = 1 << 1

RATES: Final = (125, 250, 500, 1000)
RATE_DEFAULT: Final = 125
FIFO_DEPTH: Final = 16
MOTION_MAX: Final = 32767  # more than this, either way, goes into the next report
WHEEL_MAX: Final = 127

# Buttons
BUTTON_LEFT: Final = 1 << 0
BUTTON_RIGHT: Final = 1 << 1
BUTTON_MIDDLE: Final = 1 << 2
BUTTON_SIDE: Final = 1 << 3
BUTTON_EXTRA: Final = 1 << 4
BUTTON_ALL: Final = 0x1F
