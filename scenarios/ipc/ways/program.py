"""What the ways between programs share: a program that does what the driver does.

It answers questions as the driver does, has frames, and begins events.  A question goes over as REQUEST and
its bytes; `wanted` bytes of a frame are asked for with no question.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from struct import Struct
from typing import Any, Final

from simkernel.uapi.ipc_demo import IpcDemoEvent

from .way import LONGEST, Exchange, Settings, Source, Way

REQUEST: Final = Struct("<II")
"""Bytes of the question, and of the frame that is wanted."""
TURNED_OVER: Final = bytes(byte ^ 0xFF for byte in range(256))
FRAME_BYTE: Final = b"\x5a"
PART: Final = 65536
"""Bytes of a frame in one message, where there are messages."""

Receive = Callable[[int], Awaitable[bytes]]
Send = Callable[[bytes], Awaitable[object]]


def reply(question: bytes, wanted: int) -> bytes:
    """What the other program answers."""
    return FRAME_BYTE * wanted if wanted else question.translate(TURNED_OVER)


# -- over bytes in a row ------------------------------------------------------------


async def exactly(receive: Receive, size: int) -> bytes:
    """So many bytes, in as many calls as it takes; fewer at the end of all."""
    pieces = []
    while size:
        piece = await receive(size)
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def all_of(write: Callable[[bytes], Awaitable[int]], data: bytes) -> None:
    """Write in as many calls as it takes."""
    while data:
        data = data[await write(data) :]


async def serve_stream(receive: Receive, send: Send) -> None:
    """Answer till the other end is closed.  Where a question ends is in what is before it."""
    while head := await exactly(receive, REQUEST.size):
        size, wanted = REQUEST.unpack(head)
        await send(reply(await exactly(receive, size), wanted))


class StreamExchange(Exchange):
    """The asking end of a stream, or of two."""

    def __init__(self, receive: Receive, send: Send, end: Callable[[], Awaitable[object]]) -> None:
        self.receive = receive
        self.send = send
        self.end = end

    async def ask(self, question: bytes) -> bytes:
        """The answer is as long as the question."""
        await self.send(REQUEST.pack(len(question), 0) + question)
        return await exactly(self.receive, len(question))

    async def take(self, size: int) -> bytes:
        """All of it in a row."""
        await self.send(REQUEST.pack(0, size))
        return await exactly(self.receive, size)

    async def close(self) -> None:
        """Close this end, and wait for the other."""
        await self.end()


# -- over messages ------------------------------------------------------------------


async def serve_messages(receive: Receive, send: Send) -> None:
    """Answer each message, a frame in parts; an empty one ends it."""
    while message := await receive(REQUEST.size + LONGEST):
        _, wanted = REQUEST.unpack_from(message)
        answer = reply(message[REQUEST.size :], wanted)
        for start in range(0, len(answer), PART):
            await send(answer[start : start + PART])


class MessageExchange(StreamExchange):
    """The asking end where bounds are kept: a question is a message, and so is each part of the answer."""


# -- events -------------------------------------------------------------------------


class Program(Source):
    """A program that begins events and tells its listeners."""

    def __init__(self, app: Any, listeners: int, settings: Settings) -> None:
        self.app = app
        self.listeners = listeners
        self.settings = settings
        self.base = 0
        self.begun = {}
        self.pids = []
        self.last = 0

    async def tell(self, record: bytes, wait: bool) -> int:
        """Let every listener have it; the number of calls.  BlockingIOError if one has no room."""
        raise NotImplementedError

    async def run(self, count: int, interval: int, *, wait: bool = True) -> int:
        """An event, a sleep, and so on.  In no interval there is no sleep."""
        app = self.app
        due = app.monotonic_ns()
        for done in range(count):
            if interval:
                due += interval
                await app.sleep(max(0, due - app.monotonic_ns()) / 1e9)
                self.aside += 1
            begun = self.begun[self.last + 1] = app.monotonic_ns()
            try:
                self.sends += await self.tell(IpcDemoEvent(self.last + 1, begun).pack(), wait)
            except BlockingIOError:
                del self.begun[self.last + 1]
                return done
            self.longest = max(self.longest, app.monotonic_ns() - begun)
            self.last += 1
        return count


class ProgramWay(Way):
    """A way from program to program."""

    other = "program"

    async def between(self, app: Any) -> str:
        """A question is answered by another program."""
        if "question" in self.lacks:
            return await self._one_event(app)
        exchange = await self.opened(app)
        answer = await exchange.ask(b"ping" * 4)
        await exchange.close()
        return "yes" if answer == reply(b"ping" * 4, 0) else "no answer"

    async def _one_event(self, app: Any) -> str:
        """Another program is told of an event."""
        source: Any = await self.source(app, 1)
        heard: list[Any] = []

        async def listen(app: Any) -> None:
            listener = await self.listener(app, source, 0)
            heard.append(0)
            heard[0] = len(await listener.hear())

        source.pids.append(await app.spawn(listen))
        while not heard:
            await app.sleep(1e-4)
        await source.run(1, 1)
        await app.waitpid(source.pids[0])
        return "yes" if heard == [1] else "nothing came"
