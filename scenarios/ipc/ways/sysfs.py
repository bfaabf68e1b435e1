"""A file below /sys: one value as text, for who comes and looks."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from simkernel.uapi.fcntl import O_RDONLY, O_RDWR

from .child import ORDINARY, child
from .driver import PAGE, Driver, DriverWay
from .way import WORKS, Cut, Exchange, Limit, Looker, Numbers, Settings

ANSWER: Final = "/sys/class/ipc_demo/question/answer"
LAST: Final = "/sys/class/ipc_demo/event/last"


class SysfsExchange(Exchange):
    """An attribute that can be written to."""

    def __init__(self, app: Any, fd: int) -> None:
        self.app = app
        self.fd = fd

    async def ask(self, question: bytes) -> bytes:
        """Write the question, read the answer in hex digits."""
        taken = await self.app.pwrite(self.fd, question, 0)
        if taken < len(question):
            raise Cut(taken)
        text = await self.app.pread(self.fd, PAGE, 0)
        answer = bytes.fromhex(text[: len(text) // 2 * 2].decode())
        if len(answer) < len(question):
            raise Cut(len(answer))
        return answer

    async def close(self) -> None:
        """Close it."""
        await self.app.close(self.fd)


class SysfsListener(Looker):
    """Reads the attribute with the last event."""

    def __init__(self, app: Any, fd: int, source: Driver, settings: Settings) -> None:
        self.app = app
        self.fd = fd
        self.settings = settings
        self.seen = source.base
        self.losses = []

    async def look(self) -> bytes:
        """One call; it reads what is there now, from the beginning."""
        text: bytes = await self.app.pread(self.fd, PAGE, 0)
        return text

    def parse(self, data: bytes) -> tuple[Numbers, int]:
        """Two numbers in digits."""
        return [int(data.split()[0])], 0

    async def read_as_once(self) -> list[int]:
        """A program for which the file holds one value, and no second one after a blank."""
        return [int(await self.look())]


class Sysfs(DriverWay):
    """The attributes of `ipc_demo`."""

    name = "sysfs"
    about = "files in /sys/class/ipc_demo/*, polled"
    lacks: ClassVar = {"frame": "a page"}
    limit = Limit(
        "Made for shells and people: one value in one file, in text, and no program needed. A file is a page "
        "at most; each value is printed, copied and parsed; no two are read at one instant, and one has to "
        "look.",
        "--set job=question --set ways=sysfs --set size=4096",
    )

    async def opened(self, app: Any) -> SysfsExchange:
        """Open the attribute."""
        return SysfsExchange(app, await app.open(ANSWER, O_RDWR))

    async def listener(self, app: Any, source: Driver, place: int) -> SysfsListener:
        """Open the attribute."""
        return SysfsListener(app, await app.open(LAST, O_RDONLY), source, self.settings)

    async def between(self, app: Any) -> str:
        """One writes, another reads what the driver has made of it."""
        exchange = await self.opened(app)
        await app.pwrite(exchange.fd, b"ping", 0)
        return WORKS if await child(app, _read) == b"ping" else "driver answers"

    async def forbidden(self, app: Any) -> str:
        """An attribute that is there to be read."""
        return f"file mode: {await child(app, _open, uid=ORDINARY)}"


async def _read(app: Any) -> bytes:
    return bytes.fromhex((await app.read_file(ANSWER)).decode())


async def _open(app: Any) -> str:
    await app.open(LAST, O_RDWR)
    return WORKS
