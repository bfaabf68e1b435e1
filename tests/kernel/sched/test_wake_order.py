"""Several programs wait for the same event: the order in which they are served.

Each expected order is that of Linux 6.18, with three processes on one CPU. `prepare_to_wait()` adds a task
at the head. `prepare_to_wait_exclusive()` and `wait_event_interruptible_locked()` add it at the tail. Only
exclusive tasks are woken one at a time.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.application.app import App

UNIX, STREAM, DGRAM, SEQPACKET = socket.AF_UNIX, socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
FIFO, LIFO = [0, 1, 2], [2, 1, 0]
Calls = tuple[Callable[[App, int], Awaitable[Any]], Callable[[App], Awaitable[Any]]]


async def eventfd_readers(app: App, flags: int = 0) -> Calls:
    fd = await app.eventfd(0, flags)
    return lambda app, _: app.eventfd_read(fd), lambda app: app.eventfd_write(fd, 1)


async def semaphore_readers(app: App) -> Calls:
    return await eventfd_readers(app, 1)


async def eventfd_writers(app: App) -> Calls:
    fd = await app.eventfd(0)
    await app.write(fd, struct.pack("Q", 2**64 - 2))
    return lambda app, _: app.eventfd_write(fd, 2**64 - 3), lambda app: app.eventfd_read(fd)


async def pipe_readers(app: App) -> Calls:
    reading, writing = await app.pipe()
    return lambda app, _: app.read(reading, 1), lambda app: app.write(writing, b"x")


async def pipe_writers(app: App) -> Calls:
    reading, writing = await app.pipe()
    await app.write(writing, bytes(65536))
    return lambda app, _: app.write(writing, bytes(4096)), lambda app: app.read(reading, 4096)


def readers(kind: int, call: str) -> Callable[[App], Awaitable[Calls]]:
    async def make(app: App) -> Calls:
        one, other = (sock.detach() for sock in await app.socketpair(UNIX, kind))
        return lambda app, _: app.call(call, one, 1), lambda app: app.write(other, b"x")

    return make


async def accepts(app: App) -> Calls:
    listener = await app.socket(UNIX, STREAM)
    await listener.bind(b"\0listener")
    await listener.listen(3)

    async def connect(app: App) -> None:
        await (await app.socket(UNIX, STREAM)).connect(b"\0listener")

    return lambda app, _: app.call("accept4", listener.fileno(), 0), connect


async def connects(app: App) -> Calls:
    listener = await app.socket(UNIX, STREAM)
    await listener.bind(b"\0listener")
    await listener.listen(0)
    await (await app.socket(UNIX, STREAM)).connect(b"\0listener")

    async def connect(app: App, _: int) -> None:
        await (await app.socket(UNIX, STREAM)).connect(b"\0listener")

    return connect, lambda app: app.call("accept4", listener.fileno(), 0)


def datagram_senders(call: str) -> Callable[[App], Awaitable[Calls]]:
    async def make(app: App) -> Calls:
        inbox = await app.socket(UNIX, DGRAM)
        await inbox.bind(b"\0inbox")

        async def sender(app: App) -> int:
            sock = await app.socket(UNIX, DGRAM)
            await sock.connect(b"\0inbox")
            return sock.fileno()

        for _ in range(11):
            await app.write(await sender(app), b"x")

        async def send(app: App, _: int) -> None:
            await app.call(call, await sender(app), b"x")

        return send, lambda app: app.read(inbox.fileno(), 1)

    return make


SERVED = {
    "eventfd_read": (eventfd_readers, FIFO),
    "eventfd_read of a semaphore": (semaphore_readers, FIFO),
    "eventfd_write": (eventfd_writers, FIFO),
    "read of a pipe": (pipe_readers, FIFO),
    "write to a pipe": (pipe_writers, FIFO),
    "recv of a datagram": (readers(DGRAM, "recvfrom"), FIFO),
    "read of a datagram": (readers(DGRAM, "read"), FIFO),
    "recv of a record": (readers(SEQPACKET, "recvfrom"), FIFO),
    "accept": (accepts, FIFO),
    "connect": (connects, FIFO),
    "send of a datagram": (datagram_senders("sendto"), FIFO),
    "write of a datagram": (datagram_senders("write"), FIFO),
}
"""For each blocking call, a pair. The first item is a function that returns two functions: the first one
makes the call, the second one causes an event that completes the call of one thread. The second item is the
order in which three events complete the calls of three threads.
"""

FIRST = {
    "recv of a stream": (readers(STREAM, "recvfrom"), 2),
    "read of a stream": (readers(STREAM, "read"), 2),
}
"""Calls for which an event wakes all waiters, the newest first. If some of them wait again, Linux's scheduler
decides their order.
"""


async def served(app: App, make: Callable[[App], Awaitable[Calls]], events: int, order: list[int]) -> None:
    wait, event = await make(app)

    async def waiter(app: App, number: int) -> None:
        await wait(app, number)
        order.append(number)

    for number in range(3):
        await app.thread(lambda app, number=number: waiter(app, number))
        await app.sleep(0.001)
    for _ in range(events):
        await event(app)
        await app.sleep(0.001)


def run(program: Callable[[App], Awaitable[None]]) -> None:
    with Machine(udev=False, unmodelled="raise", cpus=1) as machine:
        machine.spawn(program)
        machine.run(until=millis(100))


@pytest.mark.parametrize("what", SERVED)
def test_each_event_serves_one_waiter_in_order(what: str) -> None:
    make, expected = SERVED[what]
    order: list[int] = []
    run(lambda app: served(app, make, 3, order))
    assert order == expected


@pytest.mark.parametrize("what", FIRST)
def test_newest_reader_of_a_stream_is_served_first(what: str) -> None:
    make, expected = FIRST[what]
    order: list[int] = []
    run(lambda app: served(app, make, 1, order))
    assert order == [expected]


def test_stream_senders_are_woken_newest_first() -> None:
    order: list[int] = []

    async def full(app: App) -> Calls:
        one, other = await app.socketpair(UNIX, STREAM)
        await one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        await one.send(bytes(100))
        while await app.poll([(one, 4)], 0):
            await one.send(b"x")
        fds = one.detach(), other.detach()
        await app.fcntl(fds[0], 4, 2)

        async def drain(app: App) -> None:
            await app.read(fds[1], 100_000)

        return lambda app, _: app.write(fds[0], bytes(3000)), drain

    run(lambda app: served(app, full, 1, order))
    assert order[:1] == [2]


@pytest.mark.parametrize(("kind", "expected"), [("poll", LIFO), ("select", LIFO)])
def test_pollers_are_woken_newest_first_and_before_readers(kind: str, expected: list[int]) -> None:
    """A poller is woken before the readers of an eventfd. The poller therefore sees the count before the
    readers take it.
    """
    order: list[Any] = []

    async def program(app: App) -> None:
        fd = await app.eventfd(0)

        async def reader(app: App) -> None:
            await app.eventfd_read(fd)
            order.append("reader")

        async def poller(app: App, number: int) -> None:
            await (app.poll([(fd, 1)]) if kind == "poll" else app.select([fd], [], []))
            order.append(number)

        await app.thread(reader)
        await app.sleep(0.001)
        for number in range(3):
            await app.thread(lambda app, number=number: poller(app, number))
            await app.sleep(0.001)
        await app.eventfd_write(fd, 1)
        await app.sleep(0.001)

    run(program)
    assert order == [*expected, "reader"]
