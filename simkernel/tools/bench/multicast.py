"""Row 6: one message to many, counted by receiver."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from simkernel.application.app import App
from simkernel.application.socket import AnySocket
from simkernel.engine import seconds
from simkernel.machine import Machine
from simkernel.tools.bench.messages import BUFFER, GREETING, GROUP
from simkernel.tools.bench.stopwatch import Subject, Work
from simkernel.tools.bench.worker import Worker
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, MSG_DONTWAIT, SOCK_RAW

PAUSE: Final = 0.01
"""Simulated seconds in which all receivers have taken a message and wait for the next."""


async def open_socket(app: App, groups: int = 0) -> AnySocket:
    """A socket for messages between programs, in these groups."""
    sock: AnySocket = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((0, groups))
    return sock


async def send(sock: AnySocket, often: int) -> None:
    """Send to the group."""
    for _ in range(often):
        # Nobody listens in the kernel, which Linux says after the group has been served.
        with contextlib.suppress(ConnectionRefusedError):
            await sock.sendto(GREETING, (0, GROUP))


async def open_members(app: App, members: int) -> list[AnySocket]:
    """Sockets in the group."""
    await app.setrlimit_nofile(members + 100)
    return [await open_socket(app, GROUP) for _ in range(members)]


async def drain(receivers: list[AnySocket]) -> None:
    """Take all that is queued."""
    for receiver in receivers:
        with contextlib.suppress(BlockingIOError):
            while True:
                await receiver.recv(BUFFER, MSG_DONTWAIT)


def queued(members: int, most: int) -> Subject:
    """A multicast to sockets that nobody reads meanwhile; at most so often before they are drained."""

    @contextmanager
    def subject() -> Iterator[Work]:
        with Machine(udev=False) as machine:
            worker = Worker(machine)
            receivers = worker.do(lambda app: open_members(app, members))
            sender = worker.do(open_socket)

            def run(often: int) -> int:
                worker.do(lambda app: send(sender, often))
                return often * members

            yield Work(run, lambda: worker.do(lambda app: drain(receivers)), most)

    return subject


async def receive_for_ever(app: App) -> None:
    """A program that is always waiting for the next message."""
    sock = await open_socket(app, GROUP)
    while True:
        await sock.recv(BUFFER)


async def send_in_peace(app: App, sock: AnySocket, often: int) -> None:
    """Send to the group, each time when all of it waits for that."""
    for _ in range(often):
        await send(sock, 1)
        await app.sleep(PAUSE)


def blocked(members: int) -> Subject:
    """A multicast to processes that all wait for it: each wakes, receives and waits again."""

    @contextmanager
    def subject() -> Iterator[Work]:
        with Machine(udev=False) as machine:
            for _ in range(members):
                machine.spawn(receive_for_ever)
            worker = Worker(machine)
            sender = worker.do(open_socket)
            machine.run(until=machine.now + seconds(1))

            def run(often: int) -> int:
                worker.do(lambda app: send_in_peace(app, sender, often))
                return often * members

            yield Work(run)

    return subject
