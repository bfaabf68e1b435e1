"""A client repeats a request after EINTR, although the driver has already executed the request.

After https://github.com/linux-nvme/libnvme/pull/987, which repeated the connect request of a fabric after
EINTR, and https://github.com/linux-nvme/libnvme/pull/1010, which reverted that.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.signal import SIGUSR1
from tests.planted.bug import Bug

CONNECT, COUNT = 0x4601, 0x4602


async def connect(app: Any, host: int, pids: dict[int, int], sound: bool) -> None:
    """Connect a host through /dev/fabric, and repeat the request after EINTR. If `sound` is true, repeat it
    only if the host has no controller yet.
    """
    await app.signal(SIGUSR1, lambda number: None)
    pids[host] = await app.getpid()
    fd = await app.open("/dev/fabric", O_RDWR)
    while True:
        try:
            await app.ioctl(fd, CONNECT, host)
            return
        except InterruptedError:
            if sound and await app.ioctl(fd, COUNT, host):
                return


async def interrupt(app: Any, pids: dict[int, int]) -> None:
    """Send a signal to the program of the first host. Do nothing if this program has no signal handler yet or
    has ended.
    """
    if 1 in pids:
        with suppress(ProcessLookupError):
            await app.kill(pids[1], SIGUSR1)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """Three hosts connect. The program of the first host gets a signal at an arbitrary step of the run."""
    pids: dict[int, int] = {}
    sim.any_step(sim.machine.spawn, interrupt, pids)
    for host in (1, 2, 3):
        sim.machine.spawn(connect, host, pids, sound)
    await sim.quiet()
    fd = await app.open("/dev/fabric", O_RDWR)
    counts = [await app.ioctl(fd, COUNT, host) for host in (1, 2, 3)]
    assert counts == [1, 1, 1], counts


BUG = Bug(body, sound=("fabric",), faulty=("fabric",))
