"""What figures are divided by: stock simpy, and the real kernel through Python's socket module."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import simpy

from simkernel.tools.bench.messages import BUFFER, GETFAMILY, GREETING, GROUP
from simkernel.tools.bench.quantity import Lacking
from simkernel.tools.bench.stopwatch import Subject, Work
from simkernel.uapi.netlink import NETLINK_GENERIC, NETLINK_USERSOCK


@contextmanager
def timeouts() -> Iterator[Work]:
    """E: one bare `yield env.timeout(1)` in stock simpy."""

    def process(env: simpy.Environment, often: int) -> Generator[Any, Any, None]:
        for _ in range(often):
            yield env.timeout(1)

    def run(often: int) -> int:
        env = simpy.Environment()
        env.process(process(env, often))
        env.run()
        return often

    yield Work(run)


def timeouts_of(processes: int) -> Subject:
    """The same with this many processes, each of which is active all the time."""

    @contextmanager
    def subject() -> Iterator[Work]:
        env = simpy.Environment()

        def process() -> Generator[Any, Any, None]:
            while True:
                yield env.timeout(1)

        for _ in range(processes):
            env.process(process())

        def run(often: int) -> int:
            instants = max(1, often // processes)
            env.run(until=env.now + instants)
            return instants * processes

        yield Work(run)

    return subject


@contextmanager
def real_round_trips() -> Iterator[Work]:
    """R: the real kernel's GETFAMILY, send and recv."""
    with real_socket(NETLINK_GENERIC) as sock:
        sock.bind((0, 0))

        def run(often: int) -> int:
            for _ in range(often):
                sock.send(GETFAMILY)
                sock.recv(BUFFER)
            return often

        yield Work(run)


def real_multicast(members: int, most: int) -> Subject:
    """A real multicast from one program to this many sockets; counted by receiver."""

    @contextmanager
    def subject() -> Iterator[Work]:
        with contextlib.ExitStack() as stack:
            sender = stack.enter_context(real_socket(NETLINK_USERSOCK))
            raise_descriptor_limit(members + 100)
            receivers = [stack.enter_context(real_socket(NETLINK_USERSOCK)) for _ in range(members)]
            try:
                for receiver in receivers:
                    receiver.bind((0, GROUP))
            except PermissionError:
                raise Lacking("joining a group of NETLINK_USERSOCK needs CAP_NET_ADMIN") from None

            def run(often: int) -> int:
                for _ in range(often):
                    # Nobody listens in the kernel, which Linux says after the group has been served.
                    with contextlib.suppress(ConnectionRefusedError):
                        sender.sendto(GREETING, (0, GROUP))
                return often * members

            def drain() -> None:
                for receiver in receivers:
                    with contextlib.suppress(BlockingIOError):
                        while True:
                            receiver.recv(BUFFER, socket.MSG_DONTWAIT)

            yield Work(run, drain, most)

    return subject


def real_socket(protocol: int) -> socket.socket:
    """A netlink socket of the real kernel.  Lacking if there are none."""
    if not hasattr(socket, "AF_NETLINK"):
        raise Lacking("this system has no AF_NETLINK")
    try:
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    except OSError as error:
        raise Lacking(f"this system gives no AF_NETLINK socket: {error.strerror}") from None


def raise_descriptor_limit(wanted: int) -> None:
    """Let this process have so many descriptors.  Lacking if it may not."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Lacking(f"{wanted} descriptors are needed, and {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
