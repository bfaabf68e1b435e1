"""The interface of a transport. A transport connects a program to a driver or to another program.

A transport answers questions, delivers events and moves frames.  For each job it has a coroutine function,
or a string with the reason why it cannot do the job.

    question(end, question)    returns the answer: the bytes of the question, inverted
    event(session, n)          returns send and listen: `await send(record, wait)` delivers an event to n
                               listeners and returns the number of its calls (None: the driver sends);
                               `await listen(app, index)` returns the Listener of child process `index`
    frame(end, size)           returns a frame: `size` equal bytes

`end` is the result of `open(session)`: descriptors, sockets, memory.
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
"""The serial numbers of the events that a listener has received. A number is None if the transport does not
carry it.
"""
Function = Callable[..., Awaitable[Any]]

EVENT: Final = IpcDemoEvent.SIZE
"""Size of an event record in bytes: a number and a time."""
MAX_QUESTION: Final = 1 << 20
"""Maximum size of a question in bytes. For some transports the maximum is smaller."""
SPIN: Final = 1000
"""Time in ns that a program computes between two polls if `Session.poll` is 0."""
UNPRIVILEGED: Final = 1000
"""Id of a user without capabilities."""
YES: Final = "yes"
INVERTED: Final = bytes(byte ^ 0xFF for byte in range(256))


def invert(question: bytes) -> bytes:
    """Return the answer to a question: its bytes, inverted."""
    return question.translate(INVERTED)


class Truncated(Exception):
    """A message was truncated: only `args[0]` bytes of it have arrived."""


@attrs.frozen
class Transport:
    """A transport between a program and its peer, which is a driver or another program. limits.md describes
    the limits of each transport.

    `between(app)` tries to reach another program; it returns YES or what happens instead.  If it is None,
    the first job is tried.  `forbidden(app)` tries the transport without permission; it returns what
    refuses it, and the errno.
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
        """Return the reason why the transport cannot do a job, or "" if it can."""
        function = getattr(self, job)
        return function if isinstance(function, str) else ""


@attrs.define
class Session:
    """A program's use of a transport: its settings and its child processes. `close` kills the child
    processes.
    """

    app: App
    poll: int = 0
    """Pause between two polls in ns, or 0."""
    rcvbuf: int = 0
    """SO_RCVBUF of netlink sockets, or 0 for the default."""
    device: int = -1
    """Descriptor of /dev/ipc_demo/event, if the driver sends events."""
    base: int = 0
    """Number of the last event before the session."""
    children: list[int] = attrs.field(factory=list)

    async def spawn(self, program: Function, *arguments: Any, name: str = "server") -> None:
        """Start a child process."""
        self.children.append(await self.app.spawn(program, *arguments, name=name))

    async def pause(self, app: App) -> None:
        """Wait until the next poll."""
        await (app.sleep(self.poll / 1e9) if self.poll else app.compute(SPIN))

    async def close(self) -> None:
        """Kill the child processes."""
        for pid in self.children:
            await self.app.kill(pid, 9)
            await self.app.waitpid(pid)


def parse_records(data: bytes) -> tuple[Numbers, int]:
    """Return the serial numbers of the events in `data`, and the size of an incomplete record at its end."""
    end = len(data) // EVENT * EVENT
    return [U64.unpack_from(data, start)[0] for start in range(0, end, EVENT)], len(data) - end


@attrs.define
class Listener:
    """A receiver of events, which runs in its own process."""

    app: App
    call: Callable[[int], Awaitable[bytes]] | None = None
    """The system call by which the listener receives. Its argument is the buffer size."""
    fd: int = -1
    parse: Callable[[bytes], tuple[Numbers, int]] = parse_records
    bufsize: int = EVENT
    old_read: Callable[[], Awaitable[Any]] | None = None
    """The function with which `receive_old` receives one event. If `old_read` is None, `receive_old` receives
    into a buffer of 8 bytes.
    """
    old_reads: int = 2
    """Number of calls of `receive_old` that the probe `extensible` makes after it has sent two events."""
    received: list[tuple[int, int | None]] = attrs.field(factory=list)
    """For each received event: its time of arrival in ns and its number."""
    errors: list[str] = attrs.field(factory=list)
    lookups: int = 0
    """Number of polls in all calls of `wait`, if the listener polls."""
    awake_at: int = 0

    async def receive(self, size: int) -> bytes:
        """Receive into a buffer of `size` bytes."""
        assert self.call is not None
        return await self.call(size)

    async def receive_old(self) -> int:
        """Receive one event as an old program does, which knows only the event's first field, the number."""
        return U64.unpack(await (self.old_read() if self.old_read else self.receive(U64.size)))[0]  # type: ignore[no-any-return]

    async def wait(self) -> Numbers:
        """Wait for events and return their serial numbers."""
        try:
            return self.parse(await self.receive(self.bufsize))[0]
        except OSError as error:
            self.errors.append(error_name(error.errno or 0))
            return []


@attrs.define(kw_only=True)
class Polled(Listener):
    """A listener that is not woken by events. It polls until the number of the last event changes."""

    session: Session
    seen: int | None = 0
    old_reads: int = 1

    async def wait(self) -> Numbers:
        """Poll until the number of the last event differs from `seen`. Then receive this event."""
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
    """A listener that a signal interrupts. The signal handler adds a zero byte to `pending` for each signal.
    Each of these bytes represents an event.
    """

    old_reads: int = 0
    pending: bytes = b""

    @classmethod
    async def handle(cls, app: App, number: int) -> Signalled:
        """Return a listener that handles the signal `number`."""
        listener = cls(app, parse=lambda data: ([None] * len(data), 0))

        def handler(number: int) -> None:
            listener.pending += b"\0"

        await app.signal(number, handler)
        return listener

    async def receive(self, size: int) -> bytes:
        """Make a system call, so that the handler of pending signals runs. Return the bytes that the handler
        has added to `pending`.
        """
        await self.app.getppid()
        return self._take()

    async def wait(self) -> Numbers:
        """Sleep until a signal arrives. Return None for each signal, because a signal carries no number."""
        while not self.pending:
            with suppress(InterruptedError):
                await self.app.poll([])  # poll(2) without descriptors and timeout waits like pause(2)
        return self.parse(self._take())[0]

    def _take(self) -> bytes:
        pending, self.pending = self.pending, b""
        return pending


async def in_child(app: App, program: Function, uid: int = 0) -> Any:
    """Run `program` in a child process as user `uid`.  Return its result or the name of its errno."""
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
        with suppress(InterruptedError):  # a signal from the child interrupts waitpid(2)
            await app.waitpid(pid)
            return results[0]


async def refused(app: App, barrier: str, program: Function) -> str:
    """Run `program` as an unprivileged user. Return a text: `barrier` (the check that should refuse the
    user), and the errno, or "permitted" if no error occurs.
    """
    result = await in_child(app, program, UNPRIVILEGED)
    return f"{barrier}: {result if isinstance(result, str) else 'permitted'}"
