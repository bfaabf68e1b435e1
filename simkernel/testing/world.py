"""A world for conformance cases: a new machine, and in it one process that ordinary code speaks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from simkernel.blocking.process import Blocking
from simkernel.blocking.socket import BlockingSocket
from simkernel.kernel.lib.report import KIT
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.socket import NetlinkSocket
from simkernel.kernel.sched.credentials import Credentials
from simkernel.machine import Machine
from simkernel.uapi.filter import SockFilter
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

NOBODY = 65534

NULL_DEVICE = {"SYNTH_UUID": "0", "MAJOR": "1", "MINOR": "3", "DEVNAME": "null", "DEVMODE": "0666"}
"""What Linux tells of /dev/null when somebody writes to its file `uevent`."""


class World:
    """One process in a network namespace of its own, which holds nothing but `lo`, down.

    `privileged`: user 0 with every capability, else user 65534 with none.
    """

    def __init__(self, machine: Machine, blocking: Blocking, net: Net, *, privileged: bool) -> None:
        self.machine = machine
        self.blocking = blocking
        self.privileged = privileged
        self._net = net

    def __repr__(self) -> str:
        return f"<World of {self.blocking!r} in {self._net!r}>"

    def socket(self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0) -> BlockingSocket:
        """As `socket.socket(family, type, proto)`."""
        self.blocking.task.net = self._net
        return self.blocking.socket(family, type, proto)

    def poll(self, sock: BlockingSocket, mask: int) -> int:
        """The events of poll(2) pending on `sock` now, without waiting."""
        return next((events for _, events in self.blocking.poll([(sock, mask)], 0)), 0)

    def raw_call(self, sock: BlockingSocket, call: str, sockaddr: bytes) -> None:
        """Call "bind" or "connect" with these very bytes as the sockaddr, its length being theirs."""
        self.blocking.run(self.blocking.app.call(call, sock.descriptor, sockaddr))

    def attach_filter(self, sock: BlockingSocket, program: Sequence[tuple[int, int, int, int]]) -> None:
        """setsockopt(2) of SO_ATTACH_FILTER, with the instructions (code, jt, jf, k) of the program."""
        target = self.blocking.task.files.get(sock.descriptor).object
        assert isinstance(target, NetlinkSocket)
        code = b"".join(SockFilter.LAYOUT.pack(*instruction) for instruction in program)
        target.attach_filter(code, self.machine.random("filter"))

    def dup(self, sock: BlockingSocket) -> BlockingSocket:
        """As `socket.socket.dup`."""
        return sock.dup()

    def process(self, *, privileged: bool) -> World:
        """Another process in the same namespace."""
        return World(self.machine, _process(self.machine, privileged), self._net, privileged=privileged)

    def become(self, *, privileged: bool) -> None:
        """Be user 65534 without any capability from now on, or user 0 with all of them again."""
        self.privileged = privileged
        credentials = Credentials.of(_user(privileged))
        self.machine.kernel.processes.commit_credentials(self.blocking.task, credentials)

    def namespace(self) -> World:
        """The same process in another network namespace."""
        net = self.machine.kernel.namespaces.create()
        return World(self.machine, self.blocking, net, privileged=self.privileged)

    def set_nsid(self, other: World, nsid: int) -> None:
        """Let `nsid` be what the namespace of `other` is called in this one."""
        self._net.assign_id(other._net, nsid)

    def uevent(self) -> None:
        """Have the kernel tell of a device: /dev/null, which has not changed."""
        self.machine.kernel.uevents.send("change", "/devices/virtual/mem/null", "mem", NULL_DEVICE)

    def read_file(self, path: str) -> bytes:
        """All that a file says, to a process in this namespace."""
        self.blocking.task.net = self._net
        return self.blocking.read_file(path)

    def ioctl(self, sock: BlockingSocket, request: int, argument: bytes | int) -> Any:
        """Call ioctl(2), as `fcntl.ioctl` does."""
        return self.blocking.ioctl(sock, request, argument)


def _process(machine: Machine, privileged: bool) -> Blocking:
    return machine.blocking(uid=_user(privileged))


def _user(privileged: bool) -> int:
    return 0 if privileged else NOBODY


@contextmanager
def world(*, privileged: bool = True) -> Iterator[World]:
    """A new world, without udevd; what simkernel does not model raises instead of being an errno."""
    with Machine(udev=False, unmodelled="raise", checks=KIT) as machine:
        yield World(machine, _process(machine, privileged), machine.kernel.net, privileged=privileged)
