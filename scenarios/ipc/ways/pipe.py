"""A pipe: bytes from one end to the other."""

from __future__ import annotations

from functools import partial
from typing import Any

from simkernel.uapi.fcntl import F_SETFL, O_CLOEXEC, O_NONBLOCK, O_WRONLY

from .child import ORDINARY, child
from .listeners import FileListener
from .program import Program, ProgramWay, StreamExchange, all_of, serve_stream
from .way import WORKS, Limit, Settings

Ends = tuple[int, int]


async def _server(app: Any, questions: Ends, answers: Ends) -> None:
    await app.close(questions[1])
    await app.close(answers[0])
    await serve_stream(partial(app.read, questions[0]), partial(all_of, partial(app.write, answers[1])))


class PipeSource(Program):
    """A pipe to each listener."""

    def __init__(self, app: Any, pipes: list[Ends], settings: Settings) -> None:
        super().__init__(app, len(pipes), settings)
        self.pipes = pipes

    async def tell(self, record: bytes, wait: bool) -> int:
        """A write to each."""
        for _, fd in self.pipes:
            if not wait:
                await self.app.fcntl(fd, F_SETFL, O_WRONLY | O_NONBLOCK)
            await self.app.write(fd, record)
        return len(self.pipes)


class Pipe(ProgramWay):
    """Two pipes, there and back."""

    name = "pipe"
    about = "pipe(2)"
    limit = Limit(
        "Bytes in a row, from one to one: nothing marks where a message ends, fifty listeners want fifty "
        "pipes and fifty writes, and a listener who sleeps stops the sender when 64 KiB are full.",
        "--set job=event --set ways=pipe,usersock --set listeners=50",
    )

    async def opened(self, app: Any) -> StreamExchange:
        """Make both, and a program at the other ends."""
        questions, answers = await app.pipe(), await app.pipe()
        pid = await app.spawn(_server, questions, answers, name="server")
        await app.close(questions[0])
        await app.close(answers[1])

        async def end() -> None:
            await app.close(questions[1])
            await app.close(answers[0])
            await app.waitpid(pid)

        send = partial(all_of, partial(app.write, questions[1]))
        return StreamExchange(partial(app.read, answers[0]), send, end)

    async def source(self, app: Any, listeners: int) -> PipeSource:
        """A pipe for each."""
        return PipeSource(app, [await app.pipe() for _ in range(listeners)], self.settings)

    async def listener(self, app: Any, source: PipeSource, place: int) -> FileListener:
        """It has been inherited."""
        return FileListener(app, source.pipes[place][0])

    async def forbidden(self, app: Any) -> str:
        """A pipe that is not inherited has no name."""
        fd, _ = await app.pipe2(O_CLOEXEC)
        return f"descriptor: {await child(app, _read, fd, uid=ORDINARY)}"


async def _read(app: Any, fd: int) -> str:
    await app.read(fd, 1)
    return WORKS
