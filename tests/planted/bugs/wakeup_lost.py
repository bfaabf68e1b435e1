"""A driver tests a condition under the lock, but sets its sleeping flag only later. A wakeup between these
two steps is lost.

After https://github.com/unikraft/unikraft/pull/1763 (the futex's value was tested before its waiter was
queued) and https://github.com/AymenSekhri/CyanOS/issues/5 (a keyboard driver).
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.fcntl import O_RDONLY
from tests.planted.bug import Bug


async def reader(app: Any, samples: list[int]) -> None:
    """Read four samples from the converter."""
    fd = await app.open("/dev/converter", O_RDONLY)
    for _ in range(4):
        samples.append(int(await app.read(fd, 16)))


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A program reads four samples."""
    samples: list[int] = []
    await app.spawn(reader, samples)
    await sim.quiet()
    assert samples == [1, 2, 3, 4], samples


BUG = Bug(body, sound=("converter",), faulty=("converter sound=0",))
