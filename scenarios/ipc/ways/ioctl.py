"""ioctl(2): a request with a number, and a structure that it points at."""

from __future__ import annotations

from typing import Any, ClassVar

from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.ioctl import _IOR
from simkernel.uapi.ipc_demo import IPC_DEMO_ASK, IPC_DEMO_LAST, IpcDemoAsk

from .child import ORDINARY, child
from .driver import EVENTS, QUESTION, Driver, DriverWay
from .way import EVENT, LONGEST, NUMBER, WORKS, Exchange, Limit, Looker, Settings

ONCE = _IOR("D", 0x06, NUMBER)
"""IPC_DEMO_LAST of a program that was made when the structure was shorter: its size is in the number."""


class IoctlExchange(Exchange):
    """The device, and memory of the program's own for question and answer."""

    def __init__(self, app: Any, fd: int, memory: Any) -> None:
        self.app = app
        self.fd = fd
        self.memory = memory

    async def ask(self, question: bytes) -> bytes:
        """One call, with the addresses of both."""
        size = len(question)
        self.memory[:size] = question
        there = self.memory.address
        await self.app.ioctl(self.fd, IPC_DEMO_ASK, IpcDemoAsk(there, there + LONGEST, size).pack())
        answer: bytes = self.memory[LONGEST : LONGEST + size]
        return answer

    async def close(self) -> None:
        """Close it."""
        await self.memory.close()
        await self.app.close(self.fd)


class IoctlListener(Looker):
    """Asks for the last event."""

    def __init__(self, app: Any, fd: int, source: Driver, settings: Settings) -> None:
        self.app = app
        self.fd = fd
        self.settings = settings
        self.seen = source.base
        self.losses = []

    async def look(self) -> bytes:
        """One call."""
        record: bytes = await self.app.ioctl(self.fd, IPC_DEMO_LAST, bytes(EVENT))
        return record

    async def read_as_once(self) -> list[int]:
        """The request has another number."""
        return [int.from_bytes(await self.app.ioctl(self.fd, ONCE, bytes(NUMBER)), "little")]


class Ioctl(DriverWay):
    """Requests to the devices of `ipc_demo`."""

    name = "ioctl"
    about = "IPC_DEMO_ASK and IPC_DEMO_LAST of /dev/ipc_demo/*"
    lacks: ClassVar = {"frame": "no request"}
    limit = Limit(
        "The shortest way to an answer: one call, and each byte is copied once. But the kernel cannot begin: "
        "who waits for something asks again and again, and pays for every time that nothing was there. And a "
        "structure that has once been published never changes: its size is part of the request's number.",
        "--set job=event --set ways=ioctl,netlink --set poll=2",
    )

    async def opened(self, app: Any) -> IoctlExchange:
        """Open the device."""
        fd = await app.open(QUESTION, O_RDWR)
        return IoctlExchange(app, fd, await app.mmap(-1, 2 * LONGEST))

    async def listener(self, app: Any, source: Driver, place: int) -> IoctlListener:
        """Open the device."""
        return IoctlListener(app, await app.open(EVENTS, O_RDWR), source, self.settings)

    async def between(self, app: Any) -> str:
        """Who answers is the driver, whoever asks: nobody is reached."""
        exchange = await self.opened(app)
        answer = await exchange.ask(b"for another program")
        return WORKS if answer == b"for another program" else "driver answers"

    async def forbidden(self, app: Any) -> str:
        """The node's mode."""
        return await locked(app, QUESTION)


async def locked(app: Any, path: str) -> str:
    """What an ordinary user gets who opens a node that its mode denies him."""
    mode = (await app.stat(path)).st_mode & 0o777
    await app.chmod(path, 0o600)
    got = await child(app, _open, path, uid=ORDINARY)
    await app.chmod(path, mode)
    return f"file mode: {got}"


async def _open(app: Any, path: str) -> str:
    await app.open(path, O_RDWR)
    return WORKS
