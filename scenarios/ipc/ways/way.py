"""What a way is: the interface that the jobs and the demonstrations are written against.

A way lets a program deal with somebody, who is a driver (drivers/ipc_demo) or another program.  Up to three
things can be done with it; `lacks` says, briefly, why one cannot.

    question   `opened()` gives an Exchange, whose `ask` has a question answered
    frame      `take` of the same Exchange gets a picture of so many bytes
    event      `source()` begins events, and a `listener()` in another process is told of them
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import attrs

from simkernel.uapi.errno import error_name
from simkernel.uapi.ipc_demo import IpcDemoEvent
from simkernel.uapi.poll import POLLIN

EVENT: Final = IpcDemoEvent.SIZE
"""Bytes of the record that tells of an event: its number and its time."""
LINE: Final = 72
"""Characters in a line of a command."""
LONGEST: Final = 1 << 20
"""Bytes of a question, at most: more than some ways take."""
NUMBER: Final = 8
"""Bytes of the record as it once was, in the eyes of an old program: the number alone."""
SPIN: Final = 1000
"""How long a look takes who looks without a pause, in ns."""

WORKS: Final = "yes"

Numbers = list[int | None]
"""Which events somebody has been told of; None where it is not said which."""


class Cut(Exception):
    """Only `size` bytes of a message got through."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


@attrs.frozen
class Settings:
    """What is set for all ways: SO_RCVBUF (0: as it is), and ns between two looks of who has to look."""

    rcvbuf: int = 0
    poll: int = 50_000

    async def pause(self, app: Any) -> None:
        """Until the next look.  A signal ends it."""
        if self.poll:
            await app.sleep(self.poll / 1e9)
        else:
            await app.compute(SPIN)


@attrs.frozen
class Limit:
    """Where a way ends: in words, and by what arguments `simkernel run ipc` shows it."""

    text: str
    arguments: str

    @property
    def command(self) -> str:
        """The run; a line that is too long goes on after a backslash."""
        line = f"simkernel run ipc {self.arguments}"
        if len(line) <= LINE:
            return line
        head, option, tail = line[:LINE].rpartition(" --set ")
        return f"{head} \\\n      {option.strip()} {tail}{line[LINE:]}"


class Exchange:
    """A program's end of a way to somebody who answers."""

    async def ask(self, question: bytes) -> bytes:
        """The answer to a question: each bit turned over.  Cut, or OSError, if it is too long."""
        raise NotImplementedError

    async def take(self, size: int) -> Any:
        """A frame of `size` bytes, each of them the same."""
        raise NotImplementedError

    async def close(self) -> None:
        """Leave; who answers, if it is a program, ends."""


class Listener:
    """A program's end of a way to be told of events."""

    room: int = EVENT
    """What `hear` has room for."""
    fd: int = -1
    app: Any
    losses: list[str]
    """How it was told that it had missed something."""
    looks: int = 0
    """How often it has looked for something new."""

    async def hear(self) -> Numbers:
        """Wait till there is something, and take it."""
        while True:
            try:
                numbers, _ = self.parse(await self.receive(self.room))
            except OSError as error:
                self.losses.append(error_name(error.errno or 0))
                return []
            if numbers:
                return numbers

    async def ready(self) -> bool:
        """Whether `hear` would not wait."""
        return bool(await self.app.poll([(self.fd, POLLIN)], 0))

    async def receive(self, room: int) -> bytes:
        """What one call brings that has room for so many bytes."""
        raise NotImplementedError

    def parse(self, data: bytes) -> tuple[Numbers, int]:
        """Which events `data` tells of, and bytes of another that is not there as a whole."""
        whole = len(data) // EVENT
        records = [IpcDemoEvent.unpack(data, start * EVENT) for start in range(whole)]
        return [record.number for record in records], len(data) - whole * EVENT

    async def read_as_once(self) -> list[int]:
        """Two events, as a program reads them that was made when there was nothing but a number."""
        return [int.from_bytes(await self.receive(NUMBER), "little") for _ in range(2)]


class Looker(Listener):
    """A listener who is not told, but has to look."""

    settings: Settings
    seen: int
    """The number that it has seen last."""

    async def look(self) -> bytes:
        """What is there now."""
        raise NotImplementedError

    async def hear(self) -> Numbers:
        """Look until there is something new."""
        self.looks += 1
        while not await self.ready():
            await self.settings.pause(self.app)
            self.looks += 1
        numbers, _ = self.parse(await self.look())
        last = numbers[-1]
        assert last is not None
        self.seen = last
        return numbers

    async def ready(self) -> bool:
        """Whether it shows another number than before."""
        numbers, _ = self.parse(await self.look())
        return numbers[-1] != self.seen

    async def receive(self, room: int) -> bytes:
        """What there is to see."""
        return (await self.look())[:room]


class Source:
    """Who begins events, in a program of its own.  `base` is the number before the first."""

    base: int
    begun: dict[int, int]
    """When each began, in ns."""
    sends: int = 0
    """Calls that were made to tell of them."""
    longest: int = 0
    """How long it had to wait at most till it could tell of one, in ns."""
    aside: int = 0
    """Calls that had to be made otherwise: to have them begun, to wait meanwhile."""
    copied_aside: int = 0
    """Bytes that were copied for those."""
    pids: list[int]
    """The listeners' processes; the job fills it."""

    async def run(self, count: int, interval: int, *, wait: bool = True) -> int:
        """Begin `count` events `interval` ns apart, and see to it that all have begun; how many have.

        Without `wait` an event that cannot be sent at once is the last.
        """
        raise NotImplementedError


class Way:
    """One way."""

    name: ClassVar[str]
    other: ClassVar[Literal["driver", "program"]]
    about: ClassVar[str]
    """What it is made of."""
    lacks: ClassVar[Mapping[str, str]] = {}
    limit: ClassVar[Limit]

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def opened(self, app: Any) -> Exchange:
        """Open it for questions and frames."""
        raise NotImplementedError

    async def source(self, app: Any, listeners: int) -> Source:
        """Prepare it for events, which so many listeners will be told of."""
        raise NotImplementedError

    async def listener(self, app: Any, source: Any, place: int) -> Listener:
        """Be the listener at this place, in a process that the source's program has spawned."""
        raise NotImplementedError

    async def between(self, app: Any) -> str:
        """Try to reach another program by it: WORKS, or what came of it."""
        raise NotImplementedError

    async def forbidden(self, app: Any) -> str:
        """Let somebody try who shall not: what refuses him, and how; or that nothing does."""
        raise NotImplementedError
