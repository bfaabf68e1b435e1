"""Programs that execute the operations of the calibration. Each function prepares one operation, and returns
a function that makes the timed system calls once.

`measure.c` has the same operations under the same names, for a real kernel.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from simkernel.application.app import App
from simkernel.uapi.eventpoll import EPOLLIN
from simkernel.uapi.fcntl import F_SETPIPE_SZ, O_RDONLY
from simkernel.uapi.genetlink import CTRL_ATTR_FAMILY_NAME, CTRL_CMD_GETFAMILY, GENL_ID_CTRL, GenlMsgHdr
from simkernel.uapi.ioctls import FIONREAD
from simkernel.uapi.netlink import (
    NETLINK_GENERIC,
    NETLINK_USERSOCK,
    NLM_F_ACK,
    NLM_F_REQUEST,
    NLMSG_HDRLEN,
    NLMSG_NOOP,
    attribute,
    message,
)
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.resource import RLIMIT_NOFILE
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, MSG_DONTWAIT, SOCK_RAW

PAGE: Final = 4096
PIPE: Final = 65536
"""Default capacity of a pipe in bytes."""
LARGEST: Final = 1 << 20
LOADAVG: Final = "/proc/loadavg"
SETTLED: Final = 0.001
"""Simulated seconds that the sending program waits before it sends. By then, the receiving program is blocked
in poll under any cost model.
"""
GROUP: Final = 1
OTHER_GROUP: Final = 1 << 1
"""Bit masks of two multicast groups: the group that receives the measured messages, and another group."""
NOBODY: Final = 0x7FFFFFF0
"""A port id that no socket has."""
DESCRIPTORS: Final = 100
"""Number of descriptors that a program needs besides the sockets of its groups."""

Step = Callable[[], Awaitable[Any]]


class Trial:
    """The calls of one timed turn (one repetition of an operation). The function `before` prepares each turn
    and is not timed.

    `begun` returns the time in ns at which another program began the turn, if the turn spans two programs.
    """

    def __init__(
        self, *calls: Step, before: Step | None = None, begun: Callable[[], int] | None = None
    ) -> None:
        self.calls = calls
        self.before = before
        self.begun = begun


Prepare = Callable[[App, int, int], Awaitable[Trial]]
"""A function that prepares an operation. It takes a program, the operation's count, and its size in bytes."""


# -- without files --------------------------------------------------------------


async def getppid(app: App, count: int, size: int) -> Trial:
    return Trial(app.getppid)


async def sched_yield(app: App, count: int, size: int) -> Trial:
    return Trial(app.sched_yield)


# -- files ------------------------------------------------------------------


async def fionread(app: App, count: int, size: int) -> Trial:
    reader, _ = await app.pipe()
    waiting = bytearray(4)
    return Trial(lambda: app.ioctl(reader, FIONREAD, waiting))


async def eventfd(app: App, count: int, size: int) -> Trial:
    counter = await app.eventfd(0)
    return Trial(lambda: app.eventfd_write(counter, 1), lambda: app.eventfd_read(counter))


async def poll(app: App, count: int, size: int) -> Trial:
    watched = [(await app.eventfd(1), POLLIN) for _ in range(max(count, 1))]
    return Trial(lambda: app.poll(watched, 0))


async def poll_wait(app: App, count: int, size: int) -> Trial:
    watched = [(await app.eventfd(0), POLLIN) for _ in range(count - 1)]
    watched.append((await app.eventfd(1), POLLIN))
    return Trial(lambda: app.poll(watched))


async def epoll(app: App, count: int, size: int) -> Trial:
    count = max(count, 1)
    watch = await app.epoll()
    for _ in range(count):
        await watch.register(await app.eventfd(1), EPOLLIN)
    return Trial(lambda: watch.poll(maxevents=count))


async def stat(app: App, count: int, size: int) -> Trial:
    return Trial(lambda: app.stat(LOADAVG))


async def open_close(path: str, app: App, count: int, size: int) -> Trial:
    async def turn() -> None:
        await app.close(await app.open(path, O_RDONLY))

    return Trial(turn)


async def open_read_close(app: App, count: int, size: int) -> Trial:
    async def turn() -> None:
        file = await app.open(LOADAVG, O_RDONLY)
        await app.pread(file, PAGE, 0)
        await app.close(file)

    return Trial(turn)


async def pread(path: str, app: App, count: int, size: int) -> Trial:
    file = await app.open(path, O_RDONLY)
    return Trial(lambda: app.pread(file, PAGE, 0))


async def pipe(app: App, count: int, size: int) -> Trial:
    reader, writer = await _pipe(app, size)
    data = bytes(size)
    return Trial(lambda: app.write(writer, data), lambda: app.read(reader, size))


async def _pipe(app: App, size: int) -> tuple[int, int]:
    ends = await app.pipe()
    if size > PIPE:
        await app.fcntl(ends[0], F_SETPIPE_SZ, size)
    return ends


# -- sockets ----------------------------------------------------------------


async def _netlink(app: App, protocol: int = NETLINK_USERSOCK, groups: int = 0) -> Any:
    sock = await app.socket(AF_NETLINK, SOCK_RAW, protocol)
    await sock.bind((0, groups))
    return sock


async def socket(app: App, count: int, size: int) -> Trial:
    async def turn() -> None:
        await (await _netlink(app)).close()

    return Trial(turn)


async def unix(kind: int, app: App, count: int, size: int) -> Trial:
    one, other = await app.socketpair(AF_UNIX, kind)
    data = bytes(size)
    return Trial(lambda: one.send(data), lambda: other.recv(LARGEST))


async def usersock(app: App, count: int, size: int) -> Trial:
    _, other, send = await _pair(app, size)
    return Trial(send, lambda: other.recv(LARGEST))


async def _pair(app: App, size: int) -> tuple[Any, Any, Step]:
    one, other = await _netlink(app), await _netlink(app)
    data, to = bytes(size), await other.getsockname()
    return one, other, lambda: one.sendto(data, to)


async def recv(app: App, count: int, size: int) -> Trial:
    _, other, send = await _pair(app, size)
    return Trial(lambda: other.recv(LARGEST), before=send)


async def refused(app: App, count: int, size: int) -> Trial:
    return Trial(_sending(await _netlink(app), bytes(size), (NOBODY, 0)))


def _sending(sock: Any, data: bytes, to: tuple[int, int]) -> Step:
    """Return a function that sends a message and expects ECONNREFUSED.

    The address is an unused port id, or port id 0 and a group: no kernel socket listens
    (`netlink_sendmsg()`).
    """

    async def turn() -> None:
        try:
            await sock.sendto(data, to)
        except ConnectionRefusedError:
            return
        raise RuntimeError(f"a socket has the port id {to[0]}, which should be unused")

    return turn


# -- groups -----------------------------------------------------------------


async def members(app: App, count: int, size: int) -> Trial:
    return await _multicast(app, size, [GROUP] * count)


async def others(app: App, count: int, size: int) -> Trial:
    return await _multicast(app, size, [OTHER_GROUP] * count + [GROUP])


async def _multicast(app: App, size: int, groups: list[int]) -> Trial:
    await app.setrlimit(RLIMIT_NOFILE, (len(groups) + DESCRIPTORS,) * 2)
    sender = await _netlink(app)
    crowd = [await _netlink(app, groups=mask) for mask in groups]
    heard = [sock for sock, mask in zip(crowd, groups, strict=True) if mask == GROUP]

    async def drain() -> None:
        for sock in heard:
            with suppress(BlockingIOError):
                while True:
                    await sock.recv(LARGEST, MSG_DONTWAIT)

    return Trial(_sending(sender, bytes(size), (0, GROUP)), before=drain)


# -- replies of the kernel -------------------------------------------------------


async def getfamily(app: App, count: int, size: int) -> Trial:
    name = attribute(CTRL_ATTR_FAMILY_NAME, b"nlctrl\0")
    body = GenlMsgHdr(cmd=CTRL_CMD_GETFAMILY, version=1).pack() + name
    return await _asking(app, message(GENL_ID_CTRL, body, flags=NLM_F_REQUEST, seq=1))


async def noop(app: App, count: int, size: int) -> Trial:
    size = max(size, NLMSG_HDRLEN)
    request = message(NLMSG_NOOP, bytes(size - NLMSG_HDRLEN), flags=NLM_F_REQUEST | NLM_F_ACK, seq=1)
    return await _asking(app, request[:size])  # without padding


async def _asking(app: App, request: bytes) -> Trial:
    sock = await _netlink(app, NETLINK_GENERIC)
    return Trial(lambda: sock.sendto(request, (0, 0)), lambda: sock.recv(LARGEST))


# -- two processes ----------------------------------------------------------


async def usersock_echo(app: App, count: int, size: int) -> Trial:
    one, other, send = await _pair(app, size)
    await app.spawn(_echo_usersock, other.fileno(), await one.getsockname())
    return Trial(send, lambda: one.recv(LARGEST))


async def _echo_usersock(app: App, fd: int, to: tuple[int, int]) -> None:
    sock = await app.socket(fileno=fd)
    while True:
        data = await sock.recv(LARGEST)
        await sock.sendto(data, to)


async def event(app: App, count: int, size: int) -> Trial:
    sock = await _netlink(app, groups=GROUP)
    watched = [(sock.fileno(), POLLIN)]
    reader, writer = await app.pipe()
    begun = [0]
    await app.spawn(_announce, reader, size, begun)
    return Trial(
        lambda: app.poll(watched),
        lambda: sock.recv(LARGEST),
        before=lambda: app.write(writer, b"x"),
        begun=lambda: begun[0],
    )


async def _announce(app: App, reader: int, size: int, begun: list[int]) -> None:
    sock, data = await _netlink(app), bytes(size)
    refused, send = _sending(sock, data, (NOBODY, 0)), _sending(sock, data, (0, GROUP))
    while True:
        await app.read(reader, 1)
        await app.sleep(SETTLED)
        before = app.monotonic_ns()
        await refused()
        begun[0] = 2 * app.monotonic_ns() - before
        await send()


async def spawn(app: App, count: int, size: int) -> Trial:
    return Trial(lambda: app.spawn(_nothing), app.wait)


async def thread(app: App, count: int, size: int) -> Trial:
    reader, writer = await app.pipe()
    return Trial(lambda: app.thread(_write, writer), lambda: app.read(reader, 1))


async def _nothing(app: App) -> None:
    pass


async def _write(app: App, writer: int) -> None:
    await app.write(writer, b"x")


async def pipe_echo(app: App, count: int, size: int) -> Trial:
    size = max(size, 1)  # an empty write would not wake the reader
    there, back = await _pipe(app, size), await _pipe(app, size)
    await app.spawn(_echo_pipe, there[0], back[1], size)
    data = bytes(size)
    return Trial(lambda: app.write(there[1], data), lambda: app.read(back[0], size))


async def _echo_pipe(app: App, reader: int, writer: int, size: int) -> None:
    while True:
        await app.write(writer, await app.read(reader, size))
