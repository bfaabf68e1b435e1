"""The transports between two programs. One of the programs answers in place of the driver."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from struct import Struct
from typing import Any, Final

import attrs

from simkernel import App
from simkernel.uapi import fcntl, netlink, socket
from simkernel.uapi.ipc_demo import MAX_FRAME
from simkernel.uapi.signal import SIGUSR1

from . import transport as common
from .driver import NO_BYTES, attribute_listener, memory_listener, netlink_socket, signal_forbidden
from .transport import Function, Listener, Session, Signalled, Transport, invert, refused

REQUEST: Final = Struct("<II")
"""Header of a request: the sizes in bytes of the question that follows, and of the requested frame. One of
the two sizes is 0.
"""
FRAME_BYTE: Final = b"\x5a"
PART: Final = 65536
"""Maximum number of frame bytes in one message."""
SHARED: Final = Struct("<IIII")
"""The head of the shared memory: the number of the last request, the number of the last answer, the size of
the question, and the size of the requested frame. One of the two sizes is 0.
"""
DATA: Final = 4096
"""Offset of the question, the answer or the frame in the shared memory."""
SHM_PATH: Final = "/dev/shm/ipc"
GROUP: Final = 3
TYPE: Final = 0x10
BUFSIZE: Final = 1 << 17


def reply(question: bytes, frame: int) -> bytes:
    """Return the answer to a question, or a frame of `frame` bytes."""
    return FRAME_BYTE * frame if frame else invert(question)


# -- streams: pipe and unix-stream -----------------------------------------------------


@attrs.frozen
class End:
    """One program's end of a connection to a server."""

    receive: Callable[[int], Awaitable[bytes]]
    send: Callable[[bytes], Awaitable[Any]]


async def exactly(receive: Callable[[int], Awaitable[bytes]], size: int) -> bytes:
    """Receive exactly `size` bytes, in as many calls as necessary."""
    parts = []
    while size:
        parts.append(await receive(size))
        size -= len(parts[-1])
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def write_all(app: App, fd: int, data: bytes) -> None:
    """Write all of `data`, in as many calls as necessary."""
    while data:
        data = data[await app.write(fd, data) :]


async def serve_stream(end: End) -> None:
    """Answer the requests that arrive in a stream. The head of a request contains the size of the
    question.
    """
    while True:
        size, frame = REQUEST.unpack(await exactly(end.receive, REQUEST.size))
        await end.send(reply(await exactly(end.receive, size), frame))


async def serve_messages(end: End) -> None:
    """Answer each message of a datagram socket.  Frames are sent in parts."""
    while True:
        request = await end.receive(REQUEST.size + common.MAX_QUESTION)
        answer = reply(request[REQUEST.size :], REQUEST.unpack_from(request)[1])
        for start in range(0, len(answer), PART):
            await end.send(answer[start : start + PART])


async def question(end: End, question: bytes) -> bytes:
    """Send a request: its head, then the question. Receive the answer, which is as long as the question."""
    await end.send(REQUEST.pack(len(question), 0) + question)
    return await exactly(end.receive, len(question))


async def frame(end: End, size: int) -> bytes:
    """Request and receive a frame of `size` bytes."""
    await end.send(REQUEST.pack(0, size))
    return await exactly(end.receive, size)


async def pipe_open(session: Session) -> End:
    """Start a server that is connected by two pipes, one for each direction."""
    (there, questions), (back, answers) = await session.app.pipe(), await session.app.pipe()

    async def server(app: App) -> None:
        await serve_stream(End(partial(app.read, there), partial(write_all, app, answers)))

    await session.spawn(server)
    return End(partial(session.app.read, back), partial(write_all, session.app, questions))


async def pipe_event(session: Session, listeners: int) -> tuple[Function, Function]:
    """Create a pipe for each listener."""
    pipes = [await session.app.pipe() for _ in range(listeners)]

    async def send(record: bytes, wait: bool) -> int:
        for _, fd in pipes:
            if not wait:
                await session.app.fcntl(fd, fcntl.F_SETFL, fcntl.O_WRONLY | fcntl.O_NONBLOCK)
            await session.app.write(fd, record)
        return listeners

    async def listen(app: App, index: int) -> Listener:
        fd = pipes[index][0]
        return Listener(app, partial(app.read, fd), fd)

    return send, listen


async def pipe_forbidden(app: App) -> str:
    """Try to read a pipe in a process that does not have its descriptor. A pipe has no name to open."""
    fd, _ = await app.pipe2(fcntl.O_CLOEXEC)
    return await refused(app, "descriptor", lambda app: app.read(fd, 1))


async def unix_open(kind: int, session: Session) -> End:
    """Start a server that is connected by a pair of unix sockets."""
    here, there = await session.app.socketpair(socket.AF_UNIX, kind)

    async def server(app: App) -> None:
        sock = await app.socket(fileno=there.fileno())
        await (serve_stream if kind == socket.SOCK_STREAM else serve_messages)(End(sock.recv, sock.sendall))

    await session.spawn(server)
    return End(here.recv, here.sendall)


async def unix_event(kind: int, session: Session, listeners: int) -> tuple[Function, Function]:
    """Create a pair of unix sockets for each listener."""
    pairs = [await session.app.socketpair(socket.AF_UNIX, kind) for _ in range(listeners)]

    async def send(record: bytes, wait: bool) -> int:
        for sock, _ in pairs:
            await sock.send(record, 0 if wait else socket.MSG_DONTWAIT)
        return listeners

    async def listen(app: App, index: int) -> Listener:
        sock = await app.socket(fileno=pairs[index][1].fileno())
        return Listener(app, sock.recv, sock.fileno())

    return send, listen


async def unix_forbidden(kind: int, app: App) -> str:
    """Bind a unix socket to a path with the mode 0600, and try to connect to it as an unprivileged user."""
    path = f"/tmp/unix-{kind}"
    sock = await app.socket(socket.AF_UNIX, kind)
    await sock.bind(path)
    if kind == socket.SOCK_STREAM:
        await sock.listen()
    await app.chmod(path, 0o600)

    async def connect(app: App) -> None:
        await (await app.socket(socket.AF_UNIX, kind)).connect(path)

    result = await refused(app, "file mode", connect)
    await app.unlink(path)
    return result


# -- shared memory -----------------------------------------------------------------------


@attrs.define
class Shared:
    """Shared memory that both programs poll. `number` is the number of the last request."""

    session: Session
    memory: Any
    number: int = 0


async def shm_map(session: Session, size: int) -> tuple[int, Any]:
    """Create a memory file (memfd) and map it."""
    fd = await session.app.memfd_create("ipc", 0)
    await session.app.ftruncate(fd, size)
    return fd, await session.app.mmap(fd, size)


async def shm_open(session: Session) -> Shared:
    """Start a server that shares memory with this program."""
    size = DATA + MAX_FRAME
    fd, mine = await shm_map(session, size)

    async def server(app: App) -> None:
        memory, done = await app.mmap(fd, size), 0
        while True:
            while (head := SHARED.unpack(memory[: SHARED.size]))[0] == done:
                await session.pause(app)
            done, _, length, frame = head
            if frame:
                # A write to `memory.memory` is not counted as a copy: a device would write the frame by DMA.
                memory.memory[DATA : DATA + frame] = FRAME_BYTE * frame
            else:
                memory[DATA : DATA + length] = reply(memory[DATA : DATA + length], 0)
            memory[4:8] = memory[0:4]

    await session.spawn(server)
    return Shared(session, mine)


async def shm_exchange(end: Shared, length: int, frame: int) -> None:
    """Store the head of a request in shared memory, then wait until the server has answered."""
    end.number += 1
    end.memory[: SHARED.size] = SHARED.pack(end.number, end.number - 1, length, frame)
    while SHARED.unpack(end.memory[: SHARED.size])[1] != end.number:
        await end.session.pause(end.session.app)


async def shm_question(end: Shared, question: bytes) -> Any:
    """Ask a question in shared memory.  The answer replaces the question."""
    end.memory[DATA : DATA + len(question)] = question
    await shm_exchange(end, len(question), 0)
    return end.memory[DATA : DATA + len(question)]


async def shm_frame(end: Shared, size: int) -> Any:
    """Request a frame in shared memory."""
    await shm_exchange(end, 0, size)
    return end.memory.memory[DATA : DATA + size]


async def shm_event(session: Session, listeners: int) -> tuple[Function, Function]:
    """Store each event record in shared memory. Each record replaces the previous one."""
    fd, memory = await shm_map(session, DATA)

    async def send(record: bytes, wait: bool) -> int:
        memory[: common.EVENT] = record
        return 0

    async def listen(app: App, index: int) -> Listener:
        return memory_listener(session, app, await app.mmap(fd, DATA))

    return send, listen


async def shm_forbidden(app: App) -> str:
    """Create a file in /dev/shm with the mode 0600, and try to open it as an unprivileged user."""
    await app.close(await app.open(SHM_PATH, fcntl.O_CREAT | fcntl.O_RDWR, 0o600))
    result = await refused(app, "file mode", lambda app: app.open(SHM_PATH, fcntl.O_RDWR))
    await app.unlink(SHM_PATH)
    return result


# -- signals -----------------------------------------------------------------------------


async def signal_event(session: Session, listeners: int) -> tuple[Function, Function]:
    """Send a signal to each listener."""

    async def send(record: bytes, wait: bool) -> int:
        for pid in session.children:
            await session.app.kill(pid, SIGUSR1)
        return listeners

    return send, lambda app, index: Signalled.handle(app, SIGUSR1)


# -- NETLINK_USERSOCK ----------------------------------------------------------------------


async def usersock_open(session: Session) -> End:
    """Start a server with a NETLINK_USERSOCK socket, and connect to it."""
    sock = await netlink_socket(session.app, netlink.NETLINK_USERSOCK, session.rcvbuf)
    port = (await sock.getsockname())[0]

    async def server(app: App) -> None:
        sock = await netlink_socket(app, netlink.NETLINK_USERSOCK, session.rcvbuf)
        await sock.connect((port, 0))
        await sock.send(b"ready")
        await serve_messages(End(sock.recv, sock.send))

    await session.spawn(server)
    await sock.connect((await sock.recvfrom(BUFSIZE))[1])
    return End(sock.recv, sock.send)


async def usersock_join(rcvbuf: int, app: App) -> Any:
    """Return a NETLINK_USERSOCK socket that has joined the group."""
    sock = await netlink_socket(app, netlink.NETLINK_USERSOCK, rcvbuf)
    await sock.setsockopt(socket.SOL_NETLINK, netlink.NETLINK_ADD_MEMBERSHIP, GROUP)
    return sock


async def usersock_event(session: Session, listeners: int) -> tuple[Function, Function]:
    """Send events to the NETLINK_USERSOCK group. One system call reaches all listeners."""
    sock = await session.app.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_USERSOCK)

    async def send(record: bytes, wait: bool) -> int:
        attributes = netlink.attribute(1, record[:8]) + netlink.attribute(2, record[8:])
        # sendto() to a group also sends to port 0. No socket has this port, so sendto() raises ECONNREFUSED.
        with suppress(ConnectionRefusedError):
            await sock.sendto(
                netlink.message(TYPE, attributes), 0 if wait else socket.MSG_DONTWAIT, (0, 1 << (GROUP - 1))
            )
        return 1

    async def listen(app: App, index: int) -> Listener:
        return attribute_listener(app, await usersock_join(session.rcvbuf, app), 0)

    return send, listen


async def usersock_forbidden(app: App) -> str:
    """Try to join the group as an unprivileged user. Joining requires CAP_NET_ADMIN."""
    return await refused(app, "capability", partial(usersock_join, 0))


def unix(name: str, kind: int) -> Transport:
    """Return a transport over a pair of unix sockets."""
    opened, event, forbidden = (partial(each, kind) for each in (unix_open, unix_event, unix_forbidden))
    return Transport(name, "program", opened, question, event, frame, None, forbidden)


PROGRAM: Final = (
    Transport("pipe", "program", pipe_open, question, pipe_event, frame, None, pipe_forbidden),
    unix("unix-stream", socket.SOCK_STREAM),
    unix("unix-dgram", socket.SOCK_DGRAM),
    Transport("shm", "program", shm_open, shm_question, shm_event, shm_frame, None, shm_forbidden),
    Transport("signal", "program", netlink_socket, NO_BYTES, signal_event, NO_BYTES, None, signal_forbidden),
    Transport(
        "usersock", "program", usersock_open, question, usersock_event, frame, None, usersock_forbidden
    ),
)
