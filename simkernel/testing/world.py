"""A world for conformance cases: a new machine, and in it one process that ordinary code speaks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from simkernel.machine import Machine
from simkernel.testing.blocking import Blocking
from simkernel.testing.socket import BlockingSocket
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

NOBODY = 65534


class World:
    """One process in a network namespace of its own, which holds nothing but `lo`, down.

    `privileged`: user 0 with every capability, else user 65534 with none.
    """

    def __init__(self, machine: Machine, privileged: bool) -> None:
        self.machine = machine
        self.privileged = privileged
        self.blocking: Blocking = machine.blocking(uid=0 if privileged else NOBODY)

    def socket(self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0) -> BlockingSocket:
        """As `socket.socket(family, type, proto)`."""
        return self.blocking.socket(family, type, proto)

    def poll(self, sock: BlockingSocket, mask: int) -> int:
        """The events of poll(2) pending on `sock` now, without waiting."""
        return next((events for _, events in self.blocking.poll([(sock, mask)], 0)), 0)

    def raw_call(self, sock: BlockingSocket, call: str, sockaddr: bytes) -> None:
        """Call "bind" or "connect" with these very bytes as the sockaddr, its length being theirs."""
        self.blocking.run(self.blocking.app.call(call, sock.descriptor, sockaddr))


@contextmanager
def world(*, privileged: bool = True) -> Iterator[World]:
    """A new world, without udevd; what simkernel does not model raises instead of being an errno."""
    with Machine(udev=False, unmodelled="raise") as machine:
        yield World(machine, privileged)
