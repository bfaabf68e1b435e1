"""What a program sees: system calls with Python's names, and helpers made of them.

    async def program(app):
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.bind((0, 0))
        await app.sleep(0.5)

Each call is lazy: it acts when it is awaited (or yielded, in a generator program), once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Any, Final

from simkernel.application import arguments
from simkernel.application.arguments import Descriptor, c_int, descriptor
from simkernel.application.descriptors import Descriptors
from simkernel.application.genetlink import GenetlinkClient
from simkernel.application.lazy import lazy
from simkernel.application.module import Modules
from simkernel.application.program import Image, Program
from simkernel.application.rtnetlink import RtnetlinkClient
from simkernel.application.socket import AnySocket, NetlinkSocket
from simkernel.application.uevent import UeventMonitor
from simkernel.application.unix import UnixSocket, socketpair
from simkernel.engine import (
    Call,
    Compute,
    SimulationError,
    nanoseconds_up,
    runs_later,
    whole_nanoseconds,
)
from simkernel.uapi.socket import (
    AF_INET,
    AF_NETLINK,
    AF_UNIX,
    SO_DOMAIN,
    SO_PROTOCOL,
    SO_TYPE,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_SOCKET,
)
from simkernel.uapi.structure import S32
from simkernel.uapi.utsname import Utsname
from simkernel.ynl import Spec

SOCKETS: Final[dict[int, type[AnySocket]]] = {AF_UNIX: UnixSocket}
"""The class of a family's sockets, where it is not NetlinkSocket."""

SignalHandler = int | Callable[[int], None]
"""SIG_DFL, SIG_IGN or a function of the signal's number."""


class App(Descriptors, Modules):
    """One program's view of the machine."""

    __slots__ = ()

    # -- sockets (other descriptors: descriptors.py) ------------------------------

    def socket(
        self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0, fileno: int | None = None
    ) -> Awaitable[AnySocket]:
        """A socket; with `fileno` one for a descriptor that is open already (inherited, say).

        -1 for one of the first three is what Python makes of it: AF_INET, SOCK_STREAM and 0.
        """
        family, type, proto = c_int(family), c_int(type), c_int(proto)
        if fileno is not None:
            return self._adopted(c_int(fileno))
        family = AF_INET if family == -1 else family
        type = SOCK_STREAM if type == -1 else type
        proto = 0 if proto == -1 else proto
        kind = SOCKETS.get(family, NetlinkSocket)
        return self.call(
            "socket", family, type, proto, convert=lambda fd: kind(self, fd, family, type, proto)
        )

    async def _adopted(self, fd: int) -> AnySocket:
        """A socket for a descriptor that is open; the kernel says of which kind it is.  EBADF, ENOTSOCK."""
        if fd < 0:
            raise ValueError("negative file descriptor")
        options: list[int] = []
        for option in (SO_DOMAIN, SO_TYPE, SO_PROTOCOL):
            value: bytes = await self.call("getsockopt", fd, SOL_SOCKET, option, S32.size)
            options.append(arguments.option_as_int(value))
        family, type, proto = options
        return SOCKETS.get(family, NetlinkSocket)(self, fd, family, type, proto)

    def socketpair(
        self, family: int = AF_UNIX, type: int = SOCK_STREAM, proto: int = 0
    ) -> Call[tuple[UnixSocket, UnixSocket]]:
        """Two unix sockets, connected to each other."""
        return socketpair(self, c_int(family), c_int(type), c_int(proto))

    # -- time ---------------------------------------------------------------

    def sleep(self, seconds: float) -> Call[None]:
        """Sleep.  Raises InterruptedError (EINTR) if a signal comes."""
        ns = nanoseconds_up(seconds)
        if ns < 0:
            raise ValueError("sleep length must be non-negative")
        return self.call("nanosleep", ns)

    def compute(self, ns: int) -> Call[None]:
        """Use the CPU in user mode for `ns` nanoseconds."""
        if whole_nanoseconds(ns, "compute(ns)") < 0:
            raise SimulationError(f"compute({ns}): a program cannot compute for less than nothing")
        compute = Compute()
        compute.owner = self.owner
        compute.name = "compute"
        compute.arguments = (ns,)
        compute.convert = None
        return self.made(compute)

    def sched_yield(self) -> Call[None]:
        """Let others have the CPU first."""
        return self.call("sched_yield")

    @property
    def random(self) -> Random:
        """This program's own random stream, which depends on the machine's seed and its name and pid."""
        return self._system.random(f"program {self.owner.track}")

    def uname(self) -> Call[Utsname]:
        """Which Linux this is, under the names of os.uname_result."""
        return self.call("uname")

    def syslog(self, action: int, size: int = 0) -> Call[Any]:
        """Read or control the kernel log: bytes for the actions that read, an int for the others."""
        return self.call("syslog", c_int(action), c_int(size))

    # -- processes ------------------------------------------------------------

    def getpid(self) -> Call[int]:
        """The process's number."""
        return self.call("getpid")

    def gettid(self) -> Call[int]:
        """The thread's number."""
        return self.call("gettid")

    def getppid(self) -> Call[int]:
        """The parent's number."""
        return self.call("getppid")

    def getuid(self) -> Call[int]:
        """The user's number."""
        return self.call("getuid")

    def getgid(self) -> Call[int]:
        """The group's number."""
        return self.call("getgid")

    def setuid(self, uid: int) -> Call[None]:
        """Become another user; EPERM without CAP_SETUID."""
        return self.call("setuid", uid)

    def getgroups(self) -> Call[list[int]]:
        """The groups that it is in beside its own."""
        return self.call("getgroups")

    def setgroups(self, groups: Iterable[int]) -> Call[None]:
        """Be in these groups, beside its own."""
        return self.call("setgroups", [c_int(gid) for gid in groups])

    def setgid(self, gid: int) -> Call[None]:
        """Join another group; EPERM without CAP_SETGID."""
        return self.call("setgid", gid)

    def capset(self, capabilities: Iterable[int]) -> Call[None]:
        """Keep only these capabilities; EPERM for one that was not there."""
        return self.call("capset", frozenset(map(c_int, capabilities)))

    def unshare(self, flags: int) -> Call[None]:
        """Leave a namespace for a new one (CLONE_NEWNET)."""
        return self.call("unshare", c_int(flags))

    def setns(self, fd: Descriptor, nstype: int = 0) -> Call[None]:
        """Enter the namespace of a descriptor of `/proc/PID/ns/net` (os.setns)."""
        return self.call("setns", descriptor(fd), c_int(nstype))

    def spawn(
        self, program: Program, /, *arguments: object, name: str | None = None, **keywords: object
    ) -> Call[int]:
        """A child process that runs `program(app, *arguments, **keywords)`; its pid.

        It inherits the open descriptors, the credentials and what is done about signals.
        """
        return self.call("fork_exec", Image(self._system, program, arguments, keywords, name))

    def thread(
        self, program: Program, /, *arguments: object, name: str | None = None, **keywords: object
    ) -> Call[int]:
        """Another thread of this process, which shares its descriptors; its tid."""
        return self.call("clone_thread", Image(self._system, program, arguments, keywords, name))

    def getrlimit(self, resource: int) -> Call[tuple[int, int]]:
        """Return the soft and the hard limit of RLIMIT_NOFILE or RLIMIT_NPROC; RLIM_INFINITY if unlimited.

        EINVAL for an unknown resource.
        """
        return self.call("prlimit", c_int(resource), convert=arguments.limits_from_kernel)

    def setrlimit(self, resource: int, limits: tuple[int, int]) -> Call[None]:
        """Set the soft and the hard limit of a resource.

        EINVAL if the soft limit exceeds the hard one, EPERM to raise the hard limit without CAP_SYS_RESOURCE.
        """
        return self.call("prlimit", c_int(resource), arguments.limits(limits), convert=lambda old: None)

    def exit(self, code: int = 0) -> Call[None]:
        """End this process."""
        return self.call("exit", c_int(code))

    def wait(self) -> Call[tuple[int, int]]:
        """(pid, status) of a child that has ended, as os.wait() has it; ECHILD without children."""
        return self.call("wait4", -1, 0)

    def waitpid(self, pid: int, options: int = 0) -> Call[tuple[int, int]]:
        """The same for one child; (0, 0) under WNOHANG if it has not ended."""
        return self.call("wait4", c_int(pid), c_int(options))

    def kill(self, pid: int, signal: int) -> Call[None]:
        """Send a signal."""
        return self.call("kill", c_int(pid), c_int(signal))

    def signal(self, signal: int, handler: SignalHandler) -> Call[SignalHandler]:
        """Set what a signal does: SIG_DFL, SIG_IGN or a function of its number; returns what it did.

        A call that sleeps when the signal comes raises InterruptedError after the handler has run.
        """
        if kind := runs_later(handler):
            raise SimulationError(
                f"the handler of signal {signal} is {kind}, which does not run when called: "
                "write a plain function"
            )
        return self.call("rt_sigaction", c_int(signal), handler)

    # -- clients made of the calls ----------------------------------------------

    @lazy
    async def genetlink(self, family: str, spec: Spec | None = None) -> GenetlinkClient:
        """A client of a generic netlink family.  FileNotFoundError (ENOENT) if the kernel has none.

        SimulationError, with the nearest names, if there is no specification of it on the module path.
        """
        try:
            known = self._system.specification(family) if spec is None else spec
        except LookupError as unknown:
            raise SimulationError(unknown.args[0]) from None
        if not isinstance(known, Spec):
            raise TypeError(f"spec must be a simkernel.ynl.Spec, not {type(known).__name__}")
        return await GenetlinkClient.open(self, arguments.text(family), known)

    @lazy
    async def uevents(self) -> UeventMonitor:
        """What the kernel says of devices as they come and go."""
        return await UeventMonitor.open(self)

    @lazy
    async def rtnetlink(self) -> RtnetlinkClient:
        """Return a client of links, addresses and routes in the caller's network namespace."""
        return await RtnetlinkClient.open(self)
