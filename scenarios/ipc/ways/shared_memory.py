"""Memory that two programs share: a file that is in memory only, mapped by both."""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

from simkernel.uapi.fcntl import O_CREAT, O_RDWR
from simkernel.uapi.ipc_demo import LARGEST_FRAME

from .child import ORDINARY, child
from .listeners import MemoryLooker
from .program import FRAME_BYTE, Program, ProgramWay, reply
from .way import EVENT, WORKS, Exchange, Limit, Settings

HEAD: Final = Struct("<IIII")
"""The question's number, the answer's, bytes of the question, and of the frame that is wanted."""
ASKED, ANSWERED = 0, 4
"""Where in HEAD the numbers are."""
DATA: Final = 4096
SIZE: Final = DATA + LARGEST_FRAME
END: Final = 0xFFFFFFFF
PATH: Final = "/dev/shm/ipc"


def _number(memory: Any, place: int) -> int:
    return int.from_bytes(memory[place : place + 4], "little")


async def _server(app: Any, fd: int, settings: Settings) -> None:
    """Look for questions, write answers."""
    memory = await app.mmap(fd, SIZE)
    done = 0
    while True:
        while (asked := _number(memory, ASKED)) == done:
            await settings.pause(app)
        if asked == END:
            return
        _, _, size, wanted = HEAD.unpack(memory[: HEAD.size])
        if wanted:
            memory.memory[DATA : DATA + wanted] = FRAME_BYTE * wanted  # as a camera would: it lies there
        else:
            memory[DATA : DATA + size] = reply(memory[DATA : DATA + size], 0)
        memory[ANSWERED : ANSWERED + 4] = memory[ASKED : ASKED + 4]
        done = asked


class SharedExchange(Exchange):
    """The asking program's mapping."""

    def __init__(self, app: Any, fd: int, memory: Any, pid: int, settings: Settings) -> None:
        self.app = app
        self.fd = fd
        self.memory = memory
        self.pid = pid
        self.settings = settings
        self.number = 0

    async def _until_answered(self, size: int, wanted: int) -> None:
        self.number += 1
        self.memory[: HEAD.size] = HEAD.pack(self.number, self.number - 1, size, wanted)
        while _number(self.memory, ANSWERED) != self.number:
            await self.settings.pause(self.app)

    async def ask(self, question: bytes) -> bytes:
        """The answer is where the question was."""
        size = len(question)
        self.memory[DATA : DATA + size] = question
        await self._until_answered(size, 0)
        answer: bytes = self.memory[DATA : DATA + size]
        return answer

    async def take(self, size: int) -> memoryview:
        """It is there."""
        await self._until_answered(0, size)
        there: memoryview = self.memory.memory[DATA : DATA + size]
        return there

    async def close(self) -> None:
        """Tell the other, and unmap it."""
        self.memory[:4] = END.to_bytes(4, "little")
        await self.app.waitpid(self.pid)
        await self.memory.close()
        await self.app.close(self.fd)


class SharedSource(Program):
    """Writes each record over the last."""

    def __init__(self, app: Any, fd: int, memory: Any, listeners: int, settings: Settings) -> None:
        super().__init__(app, listeners, settings)
        self.fd = fd
        self.memory = memory

    async def tell(self, record: bytes, wait: bool) -> int:
        """No call, however many look."""
        self.memory[:EVENT] = record
        return 0


class SharedMemory(ProgramWay):
    """A memfd."""

    name = "shm"
    about = "memfd_create(2), mapped by both"
    limit = Limit(
        "Nothing is copied and no call made, and so nobody is woken: both sides look again and again. "
        "Without a pause they are quick and each burns a processor; on a single one, who looks keeps the "
        "other from answering till his slice is over.",
        "--set job=question --set ways=shm,pipe --set poll=0 --set cpus=1 --set size=64",
    )

    async def opened(self, app: Any) -> SharedExchange:
        """Make it, and a program that has it as well."""
        fd = await app.memfd_create("ipc", 0)
        await app.ftruncate(fd, SIZE)
        memory = await app.mmap(fd, SIZE)
        pid = await app.spawn(_server, fd, self.settings, name="server")
        return SharedExchange(app, fd, memory, pid, self.settings)

    async def source(self, app: Any, listeners: int) -> SharedSource:
        """Make it."""
        fd = await app.memfd_create("ipc", 0)
        await app.ftruncate(fd, DATA)
        return SharedSource(app, fd, await app.mmap(fd, DATA), listeners, self.settings)

    async def listener(self, app: Any, source: SharedSource, place: int) -> MemoryLooker:
        """Map it."""
        return MemoryLooker(app, await app.mmap(source.fd, DATA), self.settings)

    async def forbidden(self, app: Any) -> str:
        """The mode of the file, if it has a name."""
        await app.close(await app.open(PATH, O_CREAT | O_RDWR, 0o600))
        got = await child(app, _open, uid=ORDINARY)
        await app.unlink(PATH)
        return f"file mode: {got}"


async def _open(app: Any) -> str:
    await app.open(PATH, O_RDWR)
    return WORKS
