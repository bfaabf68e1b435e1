"""Two ioctl requests of a driver take the same two mutexes in opposite orders, so two programs can deadlock.

After https://github.com/tenstorrent/tt-kmd/issues/271: pinning pages and mapping a window took the file's
mutex and the lock of the address space in opposite orders. Lockdep is off, because it would report the
orders in the first run, without a deadlock.
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.fcntl import O_RDWR
from tests.planted.bug import Bug

PIN, MAP = 0x5001, 0x5002
CHECKS = ("hung", "references", "sockets", "memory")


async def request(app: Any, number: int, done: list[int]) -> None:
    """Make one of the driver's two ioctl requests three times."""
    fd = await app.open("/dev/pinner", O_RDWR)
    for _ in range(3):
        await app.ioctl(fd, number)
    done.append(number)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """Two programs make different requests concurrently."""
    done: list[int] = []
    for number in (PIN, MAP):
        await app.spawn(request, number, done)
    await sim.quiet()
    assert sorted(done) == [PIN, MAP], "a program is blocked forever"


BUG = Bug(body, sound=("pinner",), faulty=("pinner sound=0",), options={"checks": CHECKS})
