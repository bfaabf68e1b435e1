"""A driver adds to a counter without taking a lock. If two CPUs add at the same time, one addition is lost.

After https://github.com/Kookiejarz/Auto_XDP/issues/6: a BPF program counted with plain increments in a map
that all CPUs share, and lost most of them.
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.fcntl import O_RDWR
from tests.planted.bug import Bug


async def add(app: Any, numbers: range) -> None:
    """Write a number to the device every millisecond."""
    fd = await app.open("/dev/adder", O_RDWR)
    for number in numbers:
        await app.write(fd, str(number).encode())
        await app.sleep(0.001)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """Two programs add numbers concurrently."""
    await app.spawn(add, range(5))
    await app.spawn(add, range(5))
    await sim.quiet()
    total = int(await app.read_file("/dev/adder"))
    assert total == 2 * sum(range(5)), total


BUG = Bug(body, sound=("adder",), faulty=("adder sound=0",))
