"""Other work on the same processors, by chance, and interrupts: so that there is something to wait for."""

from __future__ import annotations

from typing import Any, Final

from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.ipc_demo import IPC_DEMO_START, IpcDemoStart

from ..ways.driver import EVENTS

BURST: Final = 100_000
"""How long one of the others computes at a time, in ns, on average."""
BURNERS: Final = 2
"""Programs for each processor."""
TICK: Final = 20_000
"""From one interrupt to the next, in ns."""
ENDLESS: Final = 0xFFFFFFFF


class Contention:
    """Programs that compute and sleep in turns; they use `share` of the processors' time.

    With `ticks` the driver's timer interrupts as well; nobody hears of those events.
    """

    def __init__(self, machine: Any, cpus: int, share: float, *, ticks: bool = False) -> None:
        self.on = share > 0
        for number in range(BURNERS * cpus if self.on else 0):
            machine.spawn(self._burn, share / BURNERS, name=f"burner{number}")
        if self.on and ticks:
            machine.spawn(self._tick, name="ticks")

    async def _burn(self, app: Any, share: float) -> None:
        draw = app.random.expovariate
        idle = BURST * (1 - share) / share
        while self.on:
            await app.sleep(draw(1 / idle) / 1e9 if idle else 0)
            await app.compute(round(draw(1 / BURST)))

    async def _tick(self, app: Any) -> None:
        fd = await app.open(EVENTS, O_RDWR)
        await app.ioctl(fd, IPC_DEMO_START, IpcDemoStart(TICK, ENDLESS).pack())
        while self.on:
            await app.sleep(BURST / 1e9)
        await app.ioctl(fd, IPC_DEMO_START, IpcDemoStart(1, 1).pack())

    def stop(self) -> None:
        """Let them end."""
        self.on = False
