"""What a transport is: how a program reaches a driver, or another program.

A transport answers questions, delivers events and moves frames: three coroutine functions.  A string in place
of one is the reason why the transport cannot do that.

    question(end, question)    returns the answer: the same bytes, inverted
    event(session, n)          returns send and listen: `await send(record, wait)` delivers an event to n
                               listeners and returns the number of its calls (None: the driver sends);
                               `await listen(app, index)` returns the Listener of child process `index`
    frame(end, size)           returns a frame: `size` equal bytes

`end` is what `open(session)` returns: descriptors, sockets, memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Literal

import attrs

from simkernel import App
from simkernel.uapi.errno import error_name
from simkernel.uapi.ipc_demo import IpcDemoEvent
from simkernel.uapi.structure import U64

Numbers = list[int | None]
"""Numbers of events; None for an event whose number the transport does not carry."""
Function = Callable[..., Awaitable[Any]]

EVENT: Final = IpcDemoEvent.SIZE
"""Bytes of an event's record: its number and its time."""
MAX_QUESTION: Final = 1 << 20
"""Bytes; more than some transports accept."""
SPIN: Final = 1000
"""Duration of a lookup in shared memory without a pause, in ns."""
UNPRIVILEGED: Final = 1000
"""A user without capabilities."""
YES: Final = "yes"
INVERTED: Final = bytes(byte ^ 0xFF for byte in range(256))


def invert(question: bytes) -> bytes:
    """The answer to a question."""
    return question.translate(INVERTED)


class Truncated(Exception):
    """Only `args[0]` bytes of a message arrived."""


@attrs.frozen
class Transport:
    """One transport; limits.md says where it ends.

    `between(app)` reaches another program and returns YES, or what happens instead; None: do the first job.
    `forbidden(app)` tries without permission and returns what refuses it, and the errno.
    """

    name: str
    peer: Literal["driver", "program"]
    open: Function
    question: Function | str
    event: Function
    frame: Function | str
    between: Function | None
    forbidden: Function

    def lacks(self, job: str) -> str:
        """The reason why it cannot do a job, or ""."""
        function = getattr(self, job)
        return function if isinstance(function, str) else ""


@attrs.define
class Session:
    """One use of a transport by `app`: settings, and child processes, which `close` kills."""

    app: App
    poll: int = 0
    """Pause between lookups, in ns; 0: none."""
    rcvbuf: int = 0
    """SO_RCVBUF of netlink sockets; 0: the default."""
    device: int = -1
    """Descriptor of /dev/ipc_demo/event, if the driver sends events."""
    base: int = 0
    """Number of the last event before the session."""
    children: list[int] = attrs.field(factory=list)

    async def spawn(self, program: Function, *arguments: Any, name: str = "server") -> None:
        """Start a child process."""
        self.children.append(await self.app.spawn(program, *arguments, name=name))

    async def pause(self, app: App) -> None:
        """Wait until the next lookup."""
        await (app.sleep(self.poll / 1e9) if self.poll else app.compute(SPIN))

    async def close(self) -> None:
        """Kill the children."""
        for pid in self.children:
            await self.app.kill(pid, 9)
            await self.app.waitpid(pid)


def parse_records(data: bytes) -> tuple[Numbers, int]:
    """The numbers of the events in `data`, and the bytes of an incomplete record at its end."""
    end = len(data) // EVENT * EVENT
    return [U64.unpack_from(data, start)[0] for start in range(0, end, EVENT)], len(data) - end


@attrs.define
class Listener:
    """The receiving end of events, in a process of its own."""

    app: App
    call: Callable[[int], Awaitable[bytes]] | None = None
    """One system call that receives, with a buffer of so many bytes."""
    fd: int = -1
    parse: Callable[[bytes], tuple[Numbers, int]] = parse_records
    bufsize: int = EVENT
    old_read: Callable[[], Awaitable[Any]] | None = None
    """How `receive_old` receives the 8 bytes of a number; None: with a buffer of that size."""
    old_reads: int = 2
    """Calls of `receive_old` that two events suffice for."""
    received: list[tuple[int, int | None]] = attrs.field(factory=list)
    """Time and number of each event."""
    errors: list[str] = attrs.field(factory=list)
    lookups: int = 0
    """Lookups until the last event, if the listener polls."""
    awake_at: int = 0

    async def receive(self, size: int) -> bytes:
        """Receive into a buffer of `size` bytes."""
        assert self.call is not None
        return await self.call(size)

    async def receive_old(self) -> int:
        """Receive one event as a program does that was built when a record was a number."""
        return U64.unpack(await (self.old_read() if self.old_read else self.receive(U64.size)))[0]  # type: ignore[no-any-return]

    async def wait(self) -> Numbers:
        """Wait for events and receive them."""
        try:
            return self.parse(await self.receive(self.bufsize))[0]
        except OSError as error:
            self.errors.append(error_name(error.errno or 0))
            return []


@attrs.define(kw_only=True)
class Polled(Listener):
    """A listener that nothing wakes: it looks up the last event until that has a new number."""

    session: Session
    seen: int | None = 0
    old_reads: int = 1

    async def wait(self) -> Numbers:
        """Look up the last event until it is a new one, then receive it."""
        lookups = 1
        while self.parse(await self.receive(self.bufsize))[0][-1] == self.seen:
            await self.session.pause(self.app)
            lookups += 1
        numbers, _ = self.parse(await self.receive(self.bufsize))
        self.seen = numbers[-1]
        self.lookups += lookups
        return numbers


@attrs.define
class Signalled(Listener):
    """A listener that a signal interrupts.  Its events are zero bytes, one for each run of the handler."""

    old_reads: int = 0
    pending: bytes = b""

    @classmethod
    async def handle(cls, app: App, number: int) -> Signalled:
        """Handle a signal."""
        listener = cls(app, parse=lambda data: ([None] * len(data), 0))

        def handler(number: int) -> None:
            listener.pending += b"\0"

        await app.signal(number, handler)
        return listener

    async def receive(self, size: int) -> bytes:
        """The bytes since the last call.  A handler runs when a call returns."""
        await self.app.getppid()
        return self._take()

    async def wait(self) -> Numbers:
        """Sleep until a signal interrupts the call."""
        while not self.pending:
            with suppress(InterruptedError):
                await self.app.poll([])  # no descriptor, no timeout: pause(2)
        return self.parse(self._take())[0]

    def _take(self) -> bytes:
        pending, self.pending = self.pending, b""
        return pending


async def in_child(app: App, program: Function, uid: int = 0) -> Any:
    """Run `program` in a child process, as user `uid`: its result, or the name of its errno."""
    results: list[Any] = []

    async def run(app: App) -> None:
        if uid:
            await app.setgid(uid)
            await app.setuid(uid)
        try:
            results.append(await program(app))
        except OSError as error:
            results.append(error_name(error.errno or 0))

    pid = await app.spawn(run, name="child")
    while True:
        with suppress(InterruptedError):  # a signal of the child's
            await app.waitpid(pid)
            return results[0]


async def refused(app: App, barrier: str, program: Function) -> str:
    """Run `program` as an unprivileged user: what refuses it, and the errno."""
    result = await in_child(app, program, UNPRIVILEGED)
    return f"{barrier}: {result if isinstance(result, str) else 'permitted'}"
