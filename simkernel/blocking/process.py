"""Blocking calls for ordinary code: the names that a program has, and each drives the clock until it is done.

A `Blocking` is a process of the machine without a program.  Its sockets look like `socket.socket`.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, TypeVar

from simkernel.application.app import App
from simkernel.application.family import Family
from simkernel.application.genetlink import GenetlinkClient, Message
from simkernel.application.uevent import UeventMonitor
from simkernel.blocking.blocking import Run, TwinIterator, twin
from simkernel.blocking.descriptor import RealDescriptor
from simkernel.blocking.descriptors import BlockingDescriptors
from simkernel.blocking.paths import BlockingPaths
from simkernel.blocking.socket import BlockingSocket
from simkernel.blocking.sync_runner import Driver
from simkernel.blocking.unix import BlockingUnixSocket, blocking_socket
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, SOCK_RAW, SOCK_STREAM
from simkernel.uapi.uevent import Uevent

if TYPE_CHECKING:
    from simkernel.kernel.sched.credentials import Credentials
    from simkernel.kernel.vfs.task import Task
    from simkernel.machine import Machine
    from simkernel.ynl import Spec

T = TypeVar("T")


class Blocking(BlockingDescriptors, BlockingPaths):
    """One process of a machine, for ordinary code: `App`'s names, each call returning its result.

    `app` is the process's `App`, for calls that have no name here: `blocking.run(blocking.app.call(...))`.
    """

    def __init__(self, app: App, driver: Driver) -> None:
        self.app = self.inside = app
        self._driver = driver
        self.run = driver.run
        """The result of a call of `app`, or of a coroutine that makes such calls."""

    @classmethod
    def on(cls, machine: Machine, credentials: Credentials) -> Blocking:
        """A new process of `machine`."""
        driver = Driver(machine.engine, machine.kernel.processes, credentials)
        return cls(machine.app(driver.task), driver)

    def __enter__(self) -> Blocking:
        return self

    def __exit__(self, *_: object) -> None:
        self.exit()

    @property
    def task(self) -> Task:
        """The process that makes the calls."""
        return self._driver.task

    # -- sockets and descriptors ------------------------------------------------

    def socket(
        self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0, fileno: int | None = None
    ) -> BlockingSocket:
        """As `socket.socket(family, type, proto)`; with `fileno` for a descriptor inside the machine."""
        sock = self.run(self.app.socket(family, type, proto, fileno))
        return blocking_socket(self, sock)

    def socketpair(
        self, family: int = AF_UNIX, type: int = SOCK_STREAM, proto: int = 0
    ) -> tuple[BlockingUnixSocket, BlockingUnixSocket]:
        """As `socket.socketpair`."""
        one, other = self.run(self.app.socketpair(family, type, proto))
        return BlockingUnixSocket(self, one), BlockingUnixSocket(self, other)

    def make_real(self, fd: int) -> RealDescriptor:
        """A real descriptor for real clients to poll, which follows the simulated `fd`."""
        real = RealDescriptor(self.task.files.get(fd))
        self._driver.real.append(real)
        return real

    def close_real(self, real: RealDescriptor) -> None:
        """Close such a descriptor.  Harmless when the process has ended."""
        if real in self._driver.real:
            self._driver.real.remove(real)
            real.close()

    # -- time -------------------------------------------------------------------

    sleep = twin(App.sleep)
    compute = twin(App.compute)
    sched_yield = twin(App.sched_yield)

    def monotonic_ns(self) -> int:
        """The machine's clock in nanoseconds."""
        return self.app.monotonic_ns()

    @property
    def random(self) -> Random:
        """This process's own random stream."""
        return self.app.random

    uname = twin(App.uname)

    # -- processes --------------------------------------------------------------

    getpid = twin(App.getpid)
    gettid = twin(App.gettid)
    getppid = twin(App.getppid)
    getuid = twin(App.getuid)
    getgid = twin(App.getgid)
    setuid = twin(App.setuid)
    getgroups = twin(App.getgroups)
    setgroups = twin(App.setgroups)
    setgid = twin(App.setgid)
    capset = twin(App.capset)
    unshare = twin(App.unshare)
    spawn = twin(App.spawn)
    thread = twin(App.thread)
    wait = twin(App.wait)
    waitpid = twin(App.waitpid)
    kill = twin(App.kill)
    signal = twin(App.signal)

    def exit(self, code: int = 0) -> None:
        """End this process: its descriptors are closed, the real ones too.  Harmless when it has ended."""
        self._driver.end((code & 0xFF) << 8)
        while self._driver.real:
            self._driver.real.pop().close()

    # -- clients ----------------------------------------------------------------

    modprobe = twin(App.modprobe)
    insmod = twin(App.insmod)
    rmmod = twin(App.rmmod)
    lsmod = twin(App.lsmod)

    def genetlink(self, family: str, spec: Spec | None = None) -> BlockingClient:
        """A client of a generic netlink family.  FileNotFoundError (ENOENT) if there is none."""
        return BlockingClient(self, self.run(self.app.genetlink(family, spec)))

    def uevents(self) -> BlockingMonitor:
        """What the kernel says of devices as they come and go."""
        return BlockingMonitor(self.run, self.run(self.app.uevents()))


class BlockingClient:
    """A generic netlink client (`GenetlinkClient`) whose calls return their results."""

    def __init__(self, owner: Blocking, inside: GenetlinkClient) -> None:
        self._owner = owner
        self.run = owner.run
        self.inside = inside

    def __enter__(self) -> BlockingClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def family(self) -> Family:
        """The family, as nlctrl tells of it."""
        return self.inside.family

    join = twin(GenetlinkClient.join)
    leave = twin(GenetlinkClient.leave)
    do = twin(GenetlinkClient.do)
    dump = twin(GenetlinkClient.dump)
    close = twin(GenetlinkClient.close)

    @property
    def event_socket(self) -> BlockingSocket:
        """The socket that events come over, for poll and options.  SimulationError before `join`."""
        return BlockingSocket(self._owner, self.inside.event_socket)

    def events(self, *names: str) -> Iterator[Message]:
        """The events of the joined groups, or those of them with these names, as they come."""
        return TwinIterator(self.run, self.inside.events(*names))


class BlockingMonitor(TwinIterator[Uevent]):
    """A monitor of uevents (`UeventMonitor`) for a `for` loop."""

    def __init__(self, run: Run, inside: UeventMonitor) -> None:
        super().__init__(run, inside)
        self.inside = inside

    close = twin(UeventMonitor.close)
