"""Blocking methods with the names of the asynchronous methods of `App`, for plain functions and for code
outside the simulation.

A call of a plain function blocks its task.  Ordinary code calls a `BlockingProcess`, which advances the
clock until the call is done.  Sockets have the interface of `socket.socket`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING, Generic, Self

from simkernel.application.app import App
from simkernel.application.family import ResolvedFamily
from simkernel.application.mapping import READ_WRITE
from simkernel.application.netlink_client import F, Message, NetlinkClient
from simkernel.application.rtnetlink import RouteMessages
from simkernel.application.socket import AnySocket
from simkernel.application.uevent import UeventMonitor
from simkernel.blocking.epoll import BlockingEpoll
from simkernel.blocking.mapping import BlockingMapping
from simkernel.blocking.methods import BlockingIterator, Run, blocking
from simkernel.blocking.methods import CallRunner as CallRunner
from simkernel.blocking.socket import BlockingSocket, FacadeSocket
from simkernel.blocking.sync_runner import SyncRunner
from simkernel.uapi.mman import MAP_SHARED
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, SOCK_RAW, SOCK_STREAM
from simkernel.uapi.uevent import Uevent

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel
    from simkernel.kernel.sched.credentials import Credentials
    from simkernel.kernel.vfs.task import Task
    from simkernel.ynl import Spec


class Blocking:
    """The methods of `App` in blocking form: each method waits until its call is done, and returns the
    result.

    `app` is the process's `App`, for calls without a method here: `blocking.run(blocking.app.call(...))`.
    """

    socket_type: type[BlockingSocket] = BlockingSocket

    def __init__(self, app: App, runner: CallRunner) -> None:
        self.app = self.wrapped = app
        self.runner = runner
        self.run = runner.run
        """Function with one argument: a coroutine, or the awaitable that a method of `app` returned. The
        function blocks until the argument is done, and returns the result.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__} process {self.task.track}>"

    def unblock(self) -> None:
        """Replace the blocking methods by the methods of `App`, which return awaitables. The kernel calls
        this if the function of a program returns a coroutine, because the coroutine awaits its calls.
        """
        app = self.app
        vars(self).update({name: getattr(app, name) for name in dir(app) if not name.startswith("_")})

    @property
    def task(self) -> Task:
        """The simulated task that makes the system calls."""
        return self.runner.task

    # -- sockets ------------------------------------------------------------------

    def socket(
        self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0, fileno: int | None = None
    ) -> BlockingSocket:
        """Make a socket as `socket.socket` does. If `fileno` is given, wrap that simulated descriptor."""
        return self.around(self.run(self.app.socket(family, type, proto, fileno)))

    def socketpair(
        self, family: int = AF_UNIX, type: int = SOCK_STREAM, proto: int = 0
    ) -> tuple[BlockingSocket, BlockingSocket]:
        """Make two connected sockets as `socket.socketpair` does."""
        one, other = self.run(self.app.socketpair(family, type, proto))
        return self.around(one), self.around(other)

    def around(self, sock: AnySocket) -> BlockingSocket:
        """Return a blocking socket that wraps the asynchronous socket `sock`."""
        return self.socket_type(self.runner, sock)

    # -- descriptors --------------------------------------------------------------

    read = blocking(App.read)
    write = blocking(App.write)
    pread = blocking(App.pread)
    pwrite = blocking(App.pwrite)
    readv = blocking(App.readv)
    writev = blocking(App.writev)
    lseek = blocking(App.lseek)
    closerange = blocking(App.closerange)
    pipe = blocking(App.pipe)
    pipe2 = blocking(App.pipe2)
    eventfd = blocking(App.eventfd)
    eventfd_read = blocking(App.eventfd_read)
    eventfd_write = blocking(App.eventfd_write)
    close = blocking(App.close)
    dup = blocking(App.dup)
    dup2 = blocking(App.dup2)
    fcntl = blocking(App.fcntl)
    ioctl = blocking(App.ioctl)
    poll = blocking(App.poll)
    select = blocking(App.select)

    def epoll(self, sizehint: int = -1, flags: int = 0) -> BlockingEpoll:
        """Make an epoll object (epoll_create1(2))."""
        return BlockingEpoll(self.run, self.run(self.app.epoll(sizehint, flags)))

    # -- paths --------------------------------------------------------------------

    open = blocking(App.open)
    stat = blocking(App.stat)
    lstat = blocking(App.lstat)
    fstat = blocking(App.fstat)
    access = blocking(App.access)
    readlink = blocking(App.readlink)
    listdir = blocking(App.listdir)
    entries = blocking(App.entries)
    read_file = blocking(App.read_file)
    mkdir = blocking(App.mkdir)
    mknod = blocking(App.mknod)
    mkfifo = blocking(App.mkfifo)
    symlink = blocking(App.symlink)
    link = blocking(App.link)
    unlink = blocking(App.unlink)
    rmdir = blocking(App.rmdir)
    rename = blocking(App.rename)
    rename_noreplace = blocking(App.rename_noreplace)
    chmod = blocking(App.chmod)
    chown = blocking(App.chown)
    utime = blocking(App.utime)
    truncate = blocking(App.truncate)
    ftruncate = blocking(App.ftruncate)
    fsync = blocking(App.fsync)
    memfd_create = blocking(App.memfd_create)
    chdir = blocking(App.chdir)
    getcwd = blocking(App.getcwd)
    chroot = blocking(App.chroot)
    umask = blocking(App.umask)

    def mmap(
        self,
        fileno: int,
        length: int,
        flags: int = MAP_SHARED,
        prot: int = READ_WRITE,
        access: int = 0,
        *,
        offset: int = 0,
    ) -> BlockingMapping:
        """Map a file or a device, as `mmap.mmap` does.  If `fileno` is -1, map anonymous memory."""
        mapping = self.run(self.app.mmap(fileno, length, flags, prot, access, offset=offset))
        return BlockingMapping(self.run, mapping)

    # -- time -------------------------------------------------------------------

    sleep = blocking(App.sleep)
    compute = blocking(App.compute)
    sched_yield = blocking(App.sched_yield)

    def monotonic_ns(self) -> int:
        """Return the machine's clock in nanoseconds."""
        return self.app.monotonic_ns()

    @property
    def random(self) -> Random:
        """Random number generator of this process. Its numbers depend on the machine's seed."""
        return self.app.random

    uname = blocking(App.uname)
    syslog = blocking(App.syslog)

    # -- processes --------------------------------------------------------------

    getpid = blocking(App.getpid)
    gettid = blocking(App.gettid)
    getppid = blocking(App.getppid)
    getuid = blocking(App.getuid)
    getgid = blocking(App.getgid)
    setuid = blocking(App.setuid)
    getgroups = blocking(App.getgroups)
    setgroups = blocking(App.setgroups)
    setgid = blocking(App.setgid)
    capset = blocking(App.capset)
    unshare = blocking(App.unshare)
    setns = blocking(App.setns)
    spawn = blocking(App.spawn)
    thread = blocking(App.thread)
    wait = blocking(App.wait)
    waitpid = blocking(App.waitpid)
    getrlimit = blocking(App.getrlimit)
    setrlimit = blocking(App.setrlimit)
    kill = blocking(App.kill)
    signal = blocking(App.signal)

    exit = blocking(App.exit)
    call = blocking(App.call)

    # -- clients ----------------------------------------------------------------

    modprobe = blocking(App.modprobe)
    insmod = blocking(App.insmod)
    rmmod = blocking(App.rmmod)
    lsmod = blocking(App.lsmod)

    def genetlink(self, family: str, spec: Spec | None = None) -> BlockingClient:
        """Return a client of the generic netlink family with the name `family`.

        Raise FileNotFoundError (ENOENT) for an unknown family.
        """
        return BlockingClient(self, self.run(self.app.genetlink(family, spec)))

    def rtnetlink(self) -> BlockingNetlinkClient[RouteMessages]:
        """Return a client for the links, addresses and routes of the process's network namespace."""
        return BlockingNetlinkClient(self, self.run(self.app.rtnetlink()))

    def uevents(self) -> BlockingMonitor:
        """Return an iterator over uevents, which the kernel sends, for example, when a device is added."""
        return BlockingMonitor(self.run, self.run(self.app.uevents()))


class BlockingProcess(Blocking):
    """A simulated process that runs no program.  Code outside the simulation makes its system calls."""

    runner: SyncRunner
    socket_type = FacadeSocket

    @classmethod
    def on(cls, kernel: Kernel, app: Callable[[Task], App], credentials: Credentials) -> BlockingProcess:
        """Make `kernel` start a process that runs no program. Return the object whose methods make the system
        calls of this process. `app` is a function that gets the process's task and returns an `App` for the
        task.
        """
        runner = SyncRunner(kernel.engine, kernel.processes, credentials)
        return cls(app(runner.task), runner)

    def __enter__(self) -> BlockingProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.exit()

    def exit(self, code: int = 0) -> None:
        """End the process.  Close its descriptors, and the host descriptors that were made for them.

        No effect if it has ended.
        """
        self.runner.end((code & 0xFF) << 8)


class BlockingNetlinkClient(Generic[F]):
    """A netlink client (`NetlinkClient`) whose calls block and return their results."""

    def __init__(self, process: Blocking, wrapped: NetlinkClient[F]) -> None:
        self._process = process
        self.run = process.run
        self.wrapped = wrapped

    def __repr__(self) -> str:
        return f"<blocking {self.wrapped!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def family(self) -> F:
        """The client's netlink family: its name, its multicast groups and its message formats."""
        return self.wrapped.family

    join = blocking(NetlinkClient.join)
    leave = blocking(NetlinkClient.leave)
    do = blocking(NetlinkClient.do)
    dump = blocking(NetlinkClient.dump)
    close = blocking(NetlinkClient.close)

    @property
    def event_socket(self) -> BlockingSocket:
        """The socket that receives the multicast events. The caller can poll it and set its options.

        SimulationError before the first `join`.
        """
        return self._process.around(self.wrapped.event_socket)

    def events(self, *names: str) -> Iterator[Message]:
        """Iterate over the events of the multicast groups that the client has joined, in the order of
        arrival.

        If `names` are given, skip all other events.
        """
        return BlockingIterator(self.run, self.wrapped.events(*names))


class BlockingClient(BlockingNetlinkClient[ResolvedFamily]):
    """A generic netlink client (`GenetlinkClient`) whose calls block and return their results."""


class BlockingMonitor(BlockingIterator[Uevent]):
    """A blocking iterator over uevents (`UeventMonitor`)."""

    def __init__(self, run: Run, wrapped: UeventMonitor) -> None:
        super().__init__(run, wrapped)
        self.wrapped = wrapped

    def __repr__(self) -> str:
        return f"<blocking {self.wrapped!r}>"

    close = blocking(UeventMonitor.close)
