"""mmap(2): memory that driver and program share."""

from __future__ import annotations

from typing import Any

from simkernel.uapi.fcntl import O_RDONLY, O_RDWR
from simkernel.uapi.ipc_demo import (
    ANSWER_OFFSET,
    IPC_DEMO_RING,
    IPC_DEMO_TAKE,
    LARGEST_FRAME,
    QUESTION_MEMORY,
)
from simkernel.uapi.mman import PROT_READ, PROT_WRITE

from .child import ORDINARY, child
from .driver import EVENTS, FRAME, PAGE, QUESTION, Driver, DriverWay
from .listeners import MemoryLooker
from .way import WORKS, Cut, Exchange, Limit


class MappedExchange(Exchange):
    """Memory for question and answer, and for frames."""

    def __init__(self, app: Any, fds: tuple[int, int], memory: Any, frames: Any) -> None:
        self.app = app
        self.fds = fds
        self.memory = memory
        self.frames = frames

    async def ask(self, question: bytes) -> bytes:
        """The question is put there; a call tells the driver of it, and the answer is there."""
        size = len(question)
        if size > ANSWER_OFFSET:
            raise Cut(ANSWER_OFFSET)
        self.memory[:size] = question
        await self.app.ioctl(self.fds[0], IPC_DEMO_RING, size)
        answer: bytes = self.memory[ANSWER_OFFSET : ANSWER_OFFSET + size]
        return answer

    async def take(self, size: int) -> memoryview:
        """Let there be a frame: it is there."""
        await self.app.ioctl(self.fds[1], IPC_DEMO_TAKE, size)
        there: memoryview = self.frames.memory[:size]
        return there

    async def close(self) -> None:
        """Unmap and close all."""
        for each in (self.memory, self.frames):
            await each.close()
        for fd in self.fds:
            await self.app.close(fd)


class Mapped(DriverWay):
    """Memory of `ipc_demo`."""

    name = "mmap"
    about = "memory of /dev/ipc_demo/* in the program"
    limit = Limit(
        "Nothing is copied, whatever the size: pixels belong here. But memory tells nobody that it has "
        "changed. Without a bell (an ioctl, an eventfd, a netlink event) one looks in vain or too late, and "
        "sees the last state only: what came between two looks is overwritten.",
        "--set job=event --set ways=mmap --set poll=1000",
    )

    async def opened(self, app: Any) -> MappedExchange:
        """Open both devices, and map them."""
        fds = (await app.open(QUESTION, O_RDWR), await app.open(FRAME, O_RDWR))
        memory = await app.mmap(fds[0], QUESTION_MEMORY)
        return MappedExchange(app, fds, memory, await app.mmap(fds[1], LARGEST_FRAME))

    async def listener(self, app: Any, source: Driver, place: int) -> MemoryLooker:
        """Map the page."""
        memory = await app.mmap(await app.open(EVENTS, O_RDONLY), PAGE, prot=PROT_READ)
        return MemoryLooker(app, memory, self.settings, source.base)

    async def between(self, app: Any) -> str:
        """One writes into a frame, another has the same memory."""
        fd = await app.open(FRAME, O_RDWR)
        await app.ioctl(fd, IPC_DEMO_TAKE, PAGE)
        memory = await app.mmap(fd, PAGE)
        memory[:4] = b"ping"
        return WORKS if await child(app, _peep) == b"ping" else "not the same memory"

    async def forbidden(self, app: Any) -> str:
        """Who may only read the file may not map it for writing."""
        return f"file mode: {await child(app, _map_for_writing, uid=ORDINARY)}"


async def _peep(app: Any) -> bytes:
    data: bytes = (await app.mmap(await app.open(FRAME, O_RDWR), PAGE))[:4]
    return data


async def _map_for_writing(app: Any) -> str:
    await app.mmap(await app.open(FRAME, O_RDONLY), PAGE, prot=PROT_READ | PROT_WRITE)
    return WORKS
