"""A driver tests and increments its open count without a lock. Two programs can then open a device that
should be exclusive.

After https://github.com/sysprog21/lkmpg/issues/93, fixed by https://github.com/sysprog21/lkmpg/pull/94.
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.fcntl import O_WRONLY
from tests.planted.bug import Bug


async def use(app: Any, holders: list[int]) -> None:
    """Try five times to open the device. After each successful open, write to the device and close it."""
    for _ in range(5):
        await app.sleep(0.001)
        try:
            fd = await app.open("/dev/exclusive", O_WRONLY)
        except OSError:
            continue
        holders.append(fd)
        assert len(holders) == 1, "two programs have the exclusive device open"
        await app.write(fd, b"x")
        await app.sleep(0.002)
        holders.pop()
        await app.close(fd)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """Two programs use the exclusive device concurrently."""
    holders: list[int] = []
    await app.spawn(use, holders)
    await app.spawn(use, holders)
    await sim.quiet()


BUG = Bug(body, sound=("exclusive",), faulty=("exclusive sound=0",))
