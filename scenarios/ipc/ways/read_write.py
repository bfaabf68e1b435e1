"""read(2) and write(2) on a device."""

from __future__ import annotations

from typing import Any

from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.ipc_demo import IPC_DEMO_TAKE

from .child import child
from .driver import EVENTS, FRAME, QUESTION, Driver, DriverWay
from .ioctl import locked
from .listeners import FileListener
from .way import WORKS, Exchange, Limit


class ReadWriteExchange(Exchange):
    """Two devices."""

    def __init__(self, app: Any, fd: int, frames: int) -> None:
        self.app = app
        self.fd = fd
        self.frames = frames

    async def ask(self, question: bytes) -> bytes:
        """The question is written, the answer read."""
        await self.app.write(self.fd, question)
        answer: bytes = await self.app.read(self.fd, len(question))
        return answer

    async def take(self, size: int) -> bytes:
        """Let there be a frame, and read it."""
        await self.app.ioctl(self.frames, IPC_DEMO_TAKE, size)
        frame: bytes = await self.app.read(self.frames, size)
        return frame

    async def close(self) -> None:
        """Close both."""
        await self.app.close(self.fd)
        await self.app.close(self.frames)


class ReadWrite(DriverWay):
    """The devices of `ipc_demo` as files."""

    name = "read"
    about = "read(2) and write(2) on /dev/ipc_demo/*"
    limit = Limit(
        "What a file is made for: a stream of records or pixels from one device, each byte copied once. A "
        "question takes two calls with a state in between. Each driver invents its own records, which cannot "
        "grow, and its own queues: this one keeps 64 events, and who comes later finds a gap, of which "
        "nobody tells him.",
        "--set job=event --set ways=read --set asleep=100",
    )

    async def opened(self, app: Any) -> ReadWriteExchange:
        """Open both devices."""
        return ReadWriteExchange(app, await app.open(QUESTION, O_RDWR), await app.open(FRAME, O_RDWR))

    async def listener(self, app: Any, source: Driver, place: int) -> FileListener:
        """Open the device."""
        return FileListener(app, await app.open(EVENTS, O_RDWR))

    async def between(self, app: Any) -> str:
        """One writes, another reads: it has a file of its own, in which there is nothing."""
        fd = await app.open(QUESTION, O_RDWR)
        await app.write(fd, b"for another program")
        got = await child(app, _read)
        return WORKS if got else "other reads 0 B"

    async def forbidden(self, app: Any) -> str:
        """The node's mode."""
        return await locked(app, EVENTS)


async def _read(app: Any) -> bytes:
    data: bytes = await app.read(await app.open(QUESTION, O_RDWR), 100)
    return data
