"""A driver's read changes the fill count of a ring without the lock, while an interrupt handler changes it
too.

After https://github.com/QuantumLeaps/lock-free-ring-buffer/issues/1: an interrupt between two statements
of the reader found an invalid index and corrupted the data.
"""

from __future__ import annotations

from typing import Any

from simkernel import millis
from simkernel.hardware import Mouse
from simkernel.hardware.mouse.motion import Move, Script
from simkernel.uapi.fcntl import O_RDONLY
from tests.planted.bug import Bug

REPORTS = 12


async def reader(app: Any, numbers: list[int]) -> None:
    """Read the numbers of mouse reports from /dev/gesture in an endless loop."""
    fd = await app.open("/dev/gesture", O_RDONLY)
    while True:
        numbers.append(int(await app.read(fd, 16)))


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A program reads all reports of a moving mouse."""
    numbers: list[int] = []
    mouse = Mouse(Script([Move(millis(2 + number), dx=1) for number in range(REPORTS)]))
    sim.plug(mouse)
    while not await app.access("/dev/gesture", 0):
        await app.sleep(0.0001)
    await app.spawn(reader, numbers)
    await sim.quiet()
    assert numbers == list(range(mouse.statistics.made)), numbers


BUG = Bug(body, sound=("gesture",), faulty=("gesture sound=0",), options={"udev": False})
