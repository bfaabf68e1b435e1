"""SIGIO: the driver interrupts the program, whatever that is doing."""

from __future__ import annotations

from typing import Any, ClassVar

from simkernel.uapi.fcntl import F_SETFL, F_SETOWN, O_ASYNC, O_RDWR
from simkernel.uapi.signal import SIGIO

from .child import ORDINARY, child
from .driver import EVENTS, Driver, DriverWay
from .way import Limit, Listener, Numbers


class SignalListener(Listener):
    """Has a handler for a signal."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.rung = 0
        self.losses = []

    def handler(self, number: int) -> None:
        """A signal is a number and nothing else."""
        self.rung += 1

    async def hear(self) -> Numbers:
        """Sleep till a signal ends it."""
        while not self.rung:
            try:
                await self.app.poll([])  # for nothing, for ever: pause(2)
            except InterruptedError:
                continue
        rung, self.rung = self.rung, 0
        return self.parse(bytes(rung))[0]

    async def ready(self) -> bool:
        """Whether the handler has run."""
        await self.app.getppid()  # signals are delivered at the end of a call
        return bool(self.rung)

    async def receive(self, room: int) -> bytes:
        """One byte for each time that the handler has run."""
        await self.app.getppid()
        rung, self.rung = self.rung, 0
        return bytes(rung)

    def parse(self, data: bytes) -> tuple[Numbers, int]:
        """Something has happened."""
        return [None] * len(data), 0

    async def read_as_once(self) -> list[int]:
        """There is nothing to read."""
        return []


class Sigio(DriverWay):
    """O_ASYNC on the device."""

    name = "sigio"
    about = "O_ASYNC and F_SETOWN on /dev/ipc_demo/event"
    lacks: ClassVar = {"question": "no bytes", "frame": "no bytes"}
    limit = Limit(
        "It reaches a program that does not wait at all. But it says nothing, is pending once however "
        "often it is sent, and ends calls that slept with EINTR.",
        "--set job=event --set ways=sigio,read",
    )

    async def listener(self, app: Any, source: Driver, place: int) -> SignalListener:
        """Ask for the signal."""
        listener = SignalListener(app)
        await app.signal(SIGIO, listener.handler)
        fd = await app.open(EVENTS, O_RDWR)
        await app.fcntl(fd, F_SETOWN, await app.getpid())
        await app.fcntl(fd, F_SETFL, O_ASYNC)
        return listener

    async def between(self, app: Any) -> str:
        """A child sends it to its parent."""
        listener = SignalListener(app)
        await app.signal(SIGIO, listener.handler)
        got: str = await child(app, _kill, await app.getpid(), SIGIO)
        return got if await listener.ready() else "nothing came"

    async def forbidden(self, app: Any) -> str:
        """An ordinary user sends it to root."""
        return f"same user: {await child(app, _kill, await app.getpid(), SIGIO, uid=ORDINARY)}"


async def _kill(app: Any, pid: int, number: int) -> str:
    await app.kill(pid, number)
    return "yes"
