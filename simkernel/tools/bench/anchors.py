"""The anchors (references) by which the figures of the benchmark are divided: stock simpy, the real kernel,
and pyroute2.
"""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import simpy

from simkernel.tools.bench.quantity import Unavailable
from simkernel.tools.bench.stopwatch import Work


@contextmanager
def timeouts() -> Iterator[Work]:
    """The anchor E of the benchmark: bare timeouts (`yield env.timeout(1)`) in stock simpy, as work to be
    timed.
    """

    def process(env: simpy.Environment, iterations: int) -> Generator[Any, Any, None]:
        for _ in range(iterations):
            yield env.timeout(1)

    def run(iterations: int) -> None:
        env = simpy.Environment()
        env.process(process(env, iterations))
        env.run()

    yield Work(run)


@contextmanager
def timeouts_of(processes: int) -> Iterator[Work]:
    """Work to be timed: bare timeouts in stock simpy. The argument `processes` is the number of simpy
    processes, each of which waits for one timeout after another.
    """
    env = simpy.Environment()

    def process() -> Generator[Any, Any, None]:
        while True:
            yield env.timeout(1)

    for _ in range(processes):
        env.process(process())

    def run(iterations: int) -> int:
        instants = max(1, iterations // processes)
        env.run(until=env.now + instants)
        return instants * processes

    yield Work(run)


def real_socket(protocol: int) -> socket.socket:
    """Open a netlink socket of the real kernel. Raise Unavailable if the host cannot open one."""
    if not hasattr(socket, "AF_NETLINK"):
        raise Unavailable("this operating system has no AF_NETLINK")
    try:
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    except OSError as error:
        raise Unavailable(f"the host cannot open an AF_NETLINK socket: {error.strerror}") from None


def raise_descriptor_limit(wanted: int) -> None:
    """Raise this process's limit of open descriptors.  Raise Unavailable if the hard limit is lower."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Unavailable(f"{wanted} open descriptors are needed, but the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def import_pyroute2() -> Any:
    """Import pyroute2.  Raise Unavailable if it is not installed."""
    try:
        import pyroute2
    except ImportError:
        raise Unavailable("pyroute2 is not installed: pip install pyroute2") from None
    return pyroute2
