"""eventfd(2): a number that the driver counts up, and that can be waited for."""

from __future__ import annotations

from typing import Any, ClassVar

from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.ipc_demo import IPC_DEMO_SET_EVENTFD

from .child import ORDINARY, child
from .driver import EVENTS, Driver, DriverWay
from .way import WORKS, Limit, Listener, Numbers


class EventfdListener(Listener):
    """Has handed an eventfd to the driver."""

    def __init__(self, app: Any, fd: int, source: Driver) -> None:
        self.app = app
        self.fd = fd
        self.seen = source.base
        self.losses = []

    async def receive(self, room: int) -> bytes:
        """How many there have been since."""
        data: bytes = await self.app.read(self.fd, room)
        return data

    def parse(self, data: bytes) -> tuple[Numbers, int]:
        """It says how many, not what: so one counts along."""
        first, count = self.seen + 1, int.from_bytes(data, "little")
        self.seen += count
        return [*range(first, first + count)], 0

    async def read_as_once(self) -> list[int]:
        """There is no room for a second field: it is added to the first."""
        await self.app.write(self.fd, bytes(16))
        return []


class Eventfd(DriverWay):
    """An eventfd for each listener."""

    name = "eventfd"
    about = "a counter that the driver adds to"
    lacks: ClassVar = {"question": "no bytes", "frame": "no bytes"}
    limit = Limit(
        "The cheapest bell, and one that is never lost: events that nobody waits for are added up. It says "
        "how many and nothing else, so that it goes with a way that carries something, as mapped memory "
        "does.",
        "--set job=event --set ways=eventfd --set asleep=1000",
    )

    async def listener(self, app: Any, source: Driver, place: int) -> EventfdListener:
        """Make one, and tell the driver."""
        device = await app.open(EVENTS, O_RDWR)
        fd = await app.eventfd(0, 0)
        await app.ioctl(device, IPC_DEMO_SET_EVENTFD, fd)
        return EventfdListener(app, fd, source)

    async def between(self, app: Any) -> str:
        """A child that has inherited it reads what its parent has added."""
        fd = await app.eventfd(0, 0)
        await app.eventfd_write(fd, 7)
        return WORKS if await child(app, _count, fd) == 7 else "not counted"

    async def forbidden(self, app: Any) -> str:
        """Who has not been given the descriptor has no name for it."""
        fd = await app.eventfd(1)  # close-on-exec: no program inherits it
        return f"descriptor: {await child(app, _count, fd, uid=ORDINARY)}"


async def _count(app: Any, fd: int) -> int:
    number: int = await app.eventfd_read(fd)
    return number
