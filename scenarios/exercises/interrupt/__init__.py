"""Complete a driver: its interrupt handler collects reports, and programs read them.

Your file is a kernel module, a driver of the mouse.  `probe` is complete.  It creates the file
/dev/reports.

Write `interrupt`.  The kernel calls it when the mouse has reports.  The interrupt line stays high until
all reports are taken, so take them until FIFO_COUNT is 0:

    readl(mouse.io, hw.FIFO_COUNT)      number of reports in the device; ALL_ONES if the mouse is unplugged
    readl(mouse.io, hw.REPORT_STATE)    the oldest report; its sequence number is in bits 16 to 31
    writel(1, mouse.io, hw.FIFO_POP)    removes the oldest report

Other devices can share the interrupt line, so return IRQ_NONE if the mouse has no report.  Otherwise put
each sequence number into the ring, wake the readers, and return IRQ_HANDLED.

Write `read`.  `file.cdev.data` is the `Mouse` of the open file.  `read` blocks until the ring has a
number, and returns it as text, such as b"17".  Each number goes to one reader.  Several programs read at
the same time.

    await wait_event_interruptible(mouse.readable, mouse.ready)     sleeps until the ring has a number
    wake_up_interruptible(mouse.readable)                           wakes the sleepers

Import what you need from simkernel.driverapi.interrupt, .io and .wait.

A handler can run between any two statements of `read`, and one number can wake two readers.  Use the ring
only under its lock: `with mouse.lock:`.  Do not sleep under the lock.
"""

from __future__ import annotations

from typing import Any

from simkernel import millis
from simkernel.hardware import Mouse, Move, Script
from simkernel.testing.exercise import Wrong, exercise

REPORTS = 8
POLLS = 2000


@exercise(module="interrupt", checks=("races",), options={"udev": False})
async def judge(app: Any, sim: Any, student: None) -> None:
    """Judge the student's driver: run two programs that read the reports of a mouse."""
    numbers: list[int] = []
    mouse = Mouse(Script([Move(millis(2 + each), dx=1) for each in range(REPORTS)]))
    sim.plug(mouse)
    for _ in range(POLLS):
        if await app.access("/dev/reports", 0):
            break
        await app.sleep(0.0001)
    else:
        raise Wrong("there is no file /dev/reports: probe has failed")
    for _ in range(2):
        await app.spawn(reader, numbers)
    await sim.quiet()
    if missing := sorted(set(range(mouse.statistics.made)) - set(numbers)):
        made = mouse.statistics.made
        raise Wrong(
            f"the mouse has made {made} reports, and the readers never get {missing}: they got {numbers}"
        )


async def reader(app: Any, numbers: list[int]) -> None:
    """Read report numbers in an endless loop. Fail if any reader has already received the same number."""
    fd = await app.open("/dev/reports", 0)
    while True:
        text = await app.read(fd, 16)
        if not text.isdigit():
            raise Wrong(f"a read returns {text!r}: it must return a number as text, such as b'17'")
        if int(text) in numbers:
            raise Wrong(f"a read returns {int(text)} a second time: the readers already have {numbers}")
        numbers.append(int(text))
