"""What figures are divided by, and what that needs: stock simpy, the real kernel's sockets, pyroute2."""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import simpy

from simkernel.tools.bench.quantity import Lacking
from simkernel.tools.bench.stopwatch import Work


@contextmanager
def timeouts() -> Iterator[Work]:
    """E: one bare `yield env.timeout(1)` in stock simpy."""

    def process(env: simpy.Environment, often: int) -> Generator[Any, Any, None]:
        for _ in range(often):
            yield env.timeout(1)

    def run(often: int) -> None:
        env = simpy.Environment()
        env.process(process(env, often))
        env.run()

    yield Work(run)


@contextmanager
def timeouts_of(processes: int) -> Iterator[Work]:
    """The same with this many processes, each of which is active all the time."""
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


def import_pyroute2() -> Any:
    """pyroute2.  Lacking if it is not installed."""
    try:
        import pyroute2
    except ImportError:
        raise Lacking("pyroute2 is not installed: pip install pyroute2") from None
    return pyroute2
