"""Row 6 of the benchmark: multicast of a message to many receivers, counted per receiver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from simkernel.application.app import App
from simkernel.application.socket import AnySocket
from simkernel.engine import seconds
from simkernel.machine import Machine
from simkernel.tools.bench.anchors import raise_descriptor_limit, real_socket
from simkernel.tools.bench.quantity import Unavailable
from simkernel.tools.bench.round_trips import BUFFER
from simkernel.tools.bench.stopwatch import Work
from simkernel.tools.bench.worker import Worker
from simkernel.uapi.netlink import NETLINK_USERSOCK, NLMSG_MIN_TYPE, message
from simkernel.uapi.resource import RLIMIT_NOFILE
from simkernel.uapi.socket import AF_NETLINK, MSG_DONTWAIT, SOCK_RAW

GREETING: Final = message(NLMSG_MIN_TYPE, bytes(64))
GROUP: Final = 1
QUEUED: Final = 20_000
"""Maximum number of messages that one run puts into the queues of all receivers together. The benchmark
drains the queues after each run, so that no queue overruns.
"""
PAUSE: Final = 0.01
"""Simulated seconds until all receivers have received a message and wait for the next one."""


async def open_socket(app: App, groups: int = 0) -> AnySocket:
    """Open a socket for messages between programs, and join these groups."""
    sock: AnySocket = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((0, groups))
    return sock


async def send(app: App, sock: AnySocket, iterations: int) -> None:
    """Multicast the message GREETING to the group GROUP, once per iteration."""
    for _ in range(iterations):
        # Linux delivers to the group first, and then returns ECONNREFUSED: no kernel socket listens.
        with suppress(ConnectionRefusedError):
            await sock.sendto(GREETING, (0, GROUP))


async def open_members(app: App, members: int) -> list[AnySocket]:
    """Raise the limit of open descriptors, and open `members` sockets in the multicast group GROUP."""
    await app.setrlimit(RLIMIT_NOFILE, (members + 100,) * 2)
    return [await open_socket(app, GROUP) for _ in range(members)]


async def drain(app: App, receivers: list[AnySocket]) -> None:
    """Receive all messages in the queues of `receivers`, without blocking."""
    for receiver in receivers:
        with suppress(BlockingIOError):
            while True:
                await receiver.recv(BUFFER, MSG_DONTWAIT)


@contextmanager
def queued(members: int) -> Iterator[Work]:
    """Work to be timed: multicast to sockets in whose receive queues the messages stay. The benchmark drains
    the queues after each run, and does not time this.
    """
    with Machine(udev=False) as machine:
        worker = Worker(machine)
        receivers = worker.do(open_members, members)
        sender = worker.do(open_socket)

        def run(iterations: int) -> int:
            worker.do(send, sender, iterations)
            return iterations * members

        yield Work(run, lambda: worker.do(drain, receivers), QUEUED // members)


@contextmanager
def real(members: int) -> Iterator[Work]:
    """Benchmark: multicast on the real kernel from one socket to `members` sockets."""
    with ExitStack() as stack:
        sender = stack.enter_context(real_socket(NETLINK_USERSOCK))
        raise_descriptor_limit(members + 100)
        receivers = [stack.enter_context(real_socket(NETLINK_USERSOCK)) for _ in range(members)]
        try:
            for receiver in receivers:
                receiver.bind((0, GROUP))
        except PermissionError:
            raise Unavailable("joining a group of NETLINK_USERSOCK needs CAP_NET_ADMIN") from None

        def run(iterations: int) -> int:
            for _ in range(iterations):
                with suppress(ConnectionRefusedError):  # as in `send`
                    sender.sendto(GREETING, (0, GROUP))
            return iterations * members

        def drain() -> None:
            for receiver in receivers:
                with suppress(BlockingIOError):
                    while True:
                        receiver.recv(BUFFER, MSG_DONTWAIT)

        yield Work(run, drain, QUEUED // members)


async def receive_for_ever(app: App) -> None:
    """A program that receives messages of the multicast group GROUP in an endless loop."""
    sock = await open_socket(app, GROUP)
    while True:
        await sock.recv(BUFFER)


async def send_in_peace(app: App, sock: AnySocket, iterations: int) -> None:
    """Multicast the message GREETING once per iteration. After each message, sleep until all receivers wait
    in recv again.
    """
    for _ in range(iterations):
        await send(app, sock, 1)
        await app.sleep(PAUSE)


@contextmanager
def blocked(members: int) -> Iterator[Work]:
    """Benchmark: multicast to processes that all wait for the message. Each process wakes, receives
    and waits again.
    """
    with Machine(udev=False) as machine:
        for _ in range(members):
            machine.spawn(receive_for_ever)
        worker = Worker(machine)
        sender = worker.do(open_socket)
        machine.run(until=machine.now + seconds(1))

        def run(iterations: int) -> int:
            worker.do(send_in_peace, sender, iterations)
            return iterations * members

        yield Work(run)
