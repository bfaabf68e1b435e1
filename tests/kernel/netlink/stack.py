"""Netlink without a machine. Tests call the methods of netlink sockets directly, for tasks that run no
program.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from simkernel.engine import Engine
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.log import Log
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.net.kobjects import NetKobjects
from simkernel.kernel.net.namespace import Namespaces, Net
from simkernel.kernel.netlink.genetlink.genetlink import GenericNetlink
from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS, KernelSocket
from simkernel.kernel.netlink.netlink import Netlink
from simkernel.kernel.netlink.route.notify import LinkNotifier
from simkernel.kernel.netlink.route.rtnetlink import RouteNetlink
from simkernel.kernel.netlink.socket import NetlinkSocket
from simkernel.kernel.netlink.uevent import UeventSockets
from simkernel.kernel.sched.credentials import Credentials
from simkernel.kernel.sched.validation import Closing
from simkernel.kernel.sched.wait import WouldBlock
from simkernel.kernel.vfs.file import OpenFiles
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EAGAIN, os_error
from simkernel.uapi.netlink import NlMsgHdr, iterate_messages
from simkernel.uapi.socket import SOCK_RAW, SOL_NETLINK, SOL_SOCKET

NOBODY = 65534


class Received(NamedTuple):
    """The result of a receive: data, length, control messages, flags and the sender's address."""

    data: bytes
    length: int
    control: Any
    flags: int
    address: Any


class Sock:
    """A socket with its process. A call that would block raises EAGAIN."""

    def __init__(self, stack: Stack, task: Task, kernel_side: NetlinkSocket) -> None:
        self.stack = stack
        self.task = task
        self.it = kernel_side

    def bind(self, portid: int = 0, groups: int = 0) -> Sock:
        self.it.bind(self.task, (portid, groups))
        return self

    def connect(self, portid: int, groups: int = 0) -> None:
        self.it.connect(self.task, (portid, groups))

    def send(self, data: bytes, to: tuple[int, int] | None = (0, 0), **more: Any) -> Any:
        self.stack.engine.section()
        return _now(lambda: self.it.sendmsg(self.task, data, to, **more))

    def receive(self, size: int = 65536, room: int = 0, flags: int = 0) -> Received:
        self.stack.engine.section()
        received = self.it.recvmsg(self.task, size, room, flags)
        if received is None:
            raise os_error(EAGAIN)
        return Received(*received)

    def drain(self) -> list[bytes]:
        """Receive all queued datagrams."""
        datagrams = []
        while True:
            try:
                datagrams.append(self.receive().data)
            except BlockingIOError:
                return datagrams

    def ask(self, data: bytes) -> list[tuple[NlMsgHdr, bytes]]:
        """Send a request, and return the messages of all replies."""
        self.send(data)
        return [each for datagram in self.drain() for each in iterate_messages(datagram)]

    def set(self, option: int, value: int | bytes = 1, level: int = SOL_NETLINK) -> None:
        raw = struct.pack("<i", value) if isinstance(value, int) else value
        self.it.setsockopt(self.task, level, option, raw)

    def get(self, option: int, length: int = 4, level: int = SOL_NETLINK) -> bytes:
        return self.it.getsockopt(self.task, level, option, length)

    def number(self, option: int, level: int = SOL_SOCKET) -> int:
        return struct.unpack("<i", self.get(option, 4, level))[0]

    def join(self, *groups: int) -> Sock:
        for group in groups:
            self.set(1, group)
        return self

    def close(self) -> None:
        self.it.release()


def _now(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except WouldBlock:
        raise os_error(EAGAIN) from None


class Stack:
    """The netlink protocols of a kernel, without programs and devices."""

    def __init__(self, seed: int = 0) -> None:
        self.engine = Engine(seed)
        self.log = Log(self.engine)
        self.namespaces = Namespaces()
        self.pids = {1}
        self.request_module: Callable[[str], Any] = lambda name: None
        self.netlink = Netlink(
            self.engine,
            CostModel(),
            self.namespaces,
            self.log,
            lambda pid: pid in self.pids,
            lambda name: self.request_module(name),
        )
        self.genetlink = GenericNetlink(self.netlink)
        notifier = LinkNotifier()
        no_work: Any = None  # A work queue is not needed, because no device changes its carrier.
        devices = NetDevices(
            self.engine, self.namespaces, self.log, no_work, notifier, NetKobjects(lambda *_: None)
        )
        self.rtnetlink = RouteNetlink(
            self.netlink, devices, notifier, lambda what, number: os_error(number), self.log.warn
        )
        self.sequence = 0
        self.uevents = UeventSockets(self.netlink, self._next)

    def _next(self) -> int:
        self.sequence += 1
        return self.sequence

    def kernel_socket(self, protocol: int) -> KernelSocket:
        """Return the kernel's socket of a protocol in the initial namespace."""
        return KERNEL_SOCKETS.of(self.namespaces.init)[protocol]

    def task(self, uid: int = 0, net: Net | None = None, comm: str = "test") -> Task:
        pid = 1000 + len(self.pids)
        self.pids.add(pid)
        return Task(
            pid,
            pid,
            comm,
            credentials=Credentials.of(uid),
            parent=None,
            enter=Closing().enter,
            on_wake=lambda *_: None,
            net=net or self.namespaces.init,
            open_files=OpenFiles(),
        )

    def open(self, protocol: int, portid: int | None = None, *, uid: int = 0, net: Net | None = None) -> Sock:
        """Return a socket of a new process, bound if a port id is given."""
        task = self.task(uid, net)
        made = self.netlink.socket(task, SOCK_RAW, protocol)
        assert isinstance(made, NetlinkSocket)
        sock = Sock(self, task, made)
        return sock if portid is None else sock.bind(portid)
