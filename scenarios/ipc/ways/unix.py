"""Unix sockets: a stream, or datagrams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from simkernel.uapi.socket import AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM, SOCK_STREAM

from .child import ORDINARY, child
from .program import (
    MessageExchange,
    Program,
    ProgramWay,
    StreamExchange,
    serve_messages,
    serve_stream,
)
from .way import WORKS, Exchange, Limit, Listener, Settings


async def adopted(app: Any, fd: int) -> Any:
    """A socket that was inherited."""
    return await app.socket(fileno=fd)


async def _server(app: Any, ours: int, theirs: int, serve: Callable[..., Awaitable[None]]) -> None:
    await app.close(theirs)
    sock = await adopted(app, ours)
    await serve(sock.recv, sock.sendall)


class UnixListener(Listener):
    """Has one end of a pair."""

    def __init__(self, app: Any, sock: Any) -> None:
        self.app = app
        self.sock = sock
        self.fd = sock.fileno()
        self.losses = []

    async def receive(self, room: int) -> bytes:
        """One call."""
        data: bytes = await self.sock.recv(room)
        return data


class UnixSource(Program):
    """A pair of sockets for each listener."""

    def __init__(self, app: Any, pairs: list[Any], settings: Settings) -> None:
        super().__init__(app, len(pairs), settings)
        self.pairs = pairs

    async def tell(self, record: bytes, wait: bool) -> int:
        """A send to each."""
        for sock, _ in self.pairs:
            await sock.send(record, 0 if wait else MSG_DONTWAIT)
        return len(self.pairs)


class UnixWay(ProgramWay):
    """A pair of sockets."""

    kind: int
    exchange: type[StreamExchange]
    serve: Callable[..., Awaitable[None]]

    async def opened(self, app: Any) -> Exchange:
        """A pair, and a program at the other end."""
        here, there = await app.socketpair(AF_UNIX, self.kind)
        serve = type(self).serve
        pid = await app.spawn(_server, there.fileno(), here.fileno(), serve, name="server")
        await there.close()

        async def end() -> None:
            if self.kind == SOCK_DGRAM:
                await here.send(b"")
            await here.close()
            await app.waitpid(pid)

        return self.exchange(here.recv, here.sendall, end)

    async def source(self, app: Any, listeners: int) -> UnixSource:
        """A pair for each."""
        pairs = [await app.socketpair(AF_UNIX, self.kind) for _ in range(listeners)]
        return UnixSource(app, pairs, self.settings)

    async def listener(self, app: Any, source: UnixSource, place: int) -> UnixListener:
        """It has been inherited."""
        return UnixListener(app, await adopted(app, source.pairs[place][1].fileno()))

    async def forbidden(self, app: Any) -> str:
        """A socket may have a path name: who may not write to that may not connect."""
        path = f"/tmp/{self.name}"
        sock = await app.socket(AF_UNIX, self.kind)
        await sock.bind(path)
        if self.kind == SOCK_STREAM:
            await sock.listen()
        await app.chmod(path, 0o600)
        got = await child(app, _connect, path, self.kind, uid=ORDINARY)
        await app.unlink(path)
        return f"file mode: {got}"


async def _connect(app: Any, path: str, kind: int) -> str:
    sock = await app.socket(AF_UNIX, kind)
    await sock.connect(path)
    return WORKS


class UnixStream(UnixWay):
    """SOCK_STREAM."""

    name = "unix-stream"
    about = "socketpair(2), SOCK_STREAM"
    kind = SOCK_STREAM
    exchange = StreamExchange
    serve = staticmethod(serve_stream)
    limit = Limit(
        "As a pipe, with both directions in one, and credentials and descriptors beside the bytes. Bounds "
        "are the programs' own business; a group is a send for each; a large picture goes through a buffer "
        "of 208 KiB, with a switch each time that it is full.",
        "--set job=frame --set ways=unix-stream,mmap --set cpus=1",
    )


class UnixDatagram(UnixWay):
    """SOCK_DGRAM."""

    name = "unix-dgram"
    about = "socketpair(2), SOCK_DGRAM"
    kind = SOCK_DGRAM
    exchange = MessageExchange
    serve = staticmethod(serve_messages)
    limit = Limit(
        "Messages with bounds, and none lost: when 208 KiB are not read, the sender waits. But none is "
        "longer than that, and to a group each has to be sent by itself.",
        "--set job=question --set ways=unix-dgram --set size=262144",
    )
