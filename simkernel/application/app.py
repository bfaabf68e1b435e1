"""The `app` of a program: system calls with Python's names, and helpers that use them.

    async def program(app):
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.bind((0, 0))
        await app.sleep(0.5)

Calls are lazy: a call enters the kernel when it is awaited (or yielded, in a generator program).  It can
be awaited once.
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
"""Maps a socket family, such as AF_UNIX, to the class of its socket objects. A family without an entry uses
the class NetlinkSocket.
"""

SignalHandler = int | Callable[[int], None]
"""The disposition of a signal: SIG_DFL, SIG_IGN, or a function that takes the signal number."""


class App(Descriptors, Modules):
    """The system calls and clients that one program can use."""

    __slots__ = ()

    # -- sockets; descriptors.py has the calls for other descriptors --------------

    def socket(
        self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0, fileno: int | None = None
    ) -> Awaitable[AnySocket]:
        """Create a socket (socket(2)), or a socket object for the open descriptor `fileno`.

        As in Python, -1 selects a default: AF_INET for `family`, SOCK_STREAM for `type`, 0 for `proto`.
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
        """Return a socket object for an open descriptor.  The object has the family, type and protocol that
        getsockopt(2) reports.

        Raise EBADF if the descriptor is not open, ENOTSOCK if it is no socket.
        """
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
        """Create two unix sockets that are connected to each other (socketpair(2))."""
        return socketpair(self, c_int(family), c_int(type), c_int(proto))

    # -- time ---------------------------------------------------------------

    def sleep(self, seconds: float) -> Call[None]:
        """Sleep for a number of seconds.  Raise InterruptedError (EINTR) if a signal arrives."""
        ns = nanoseconds_up(seconds)
        if ns < 0:
            raise ValueError("sleep length must be non-negative")
        return self.call("nanosleep", ns)

    def compute(self, ns: int) -> Call[None]:
        """Use the CPU in user mode for `ns` nanoseconds."""
        if whole_nanoseconds(ns, "compute(ns)") < 0:
            raise SimulationError(f"compute({ns}): the time must be 0 or more nanoseconds")
        compute = Compute()
        compute.owner = self.owner
        compute.name = "compute"
        compute.arguments = (ns,)
        compute.convert = None
        return self.made(compute)

    def sched_yield(self) -> Call[None]:
        """Yield the CPU to other runnable tasks (sched_yield(2))."""
        return self.call("sched_yield")

    @property
    def random(self) -> Random:
        """Random stream of this program.  It depends on the machine's seed and the program's name and pid."""
        return self._system.random(f"program {self.owner.track}")

    def uname(self) -> Call[Utsname]:
        """Return the kernel's name and version, with the field names of os.uname_result."""
        return self.call("uname")

    def syslog(self, action: int, size: int = 0) -> Call[Any]:
        """Read or control the kernel log (syslog(2)).  Return bytes for actions that read, else an int."""
        return self.call("syslog", c_int(action), c_int(size))

    # -- processes ------------------------------------------------------------

    def getpid(self) -> Call[int]:
        """Return the id of the calling process (getpid(2))."""
        return self.call("getpid")

    def gettid(self) -> Call[int]:
        """Return the id of the calling thread (gettid(2))."""
        return self.call("gettid")

    def getppid(self) -> Call[int]:
        """Return the id of the calling process's parent (getppid(2))."""
        return self.call("getppid")

    def getuid(self) -> Call[int]:
        """Return the user id of the calling process (getuid(2))."""
        return self.call("getuid")

    def getgid(self) -> Call[int]:
        """Return the group id of the calling process (getgid(2))."""
        return self.call("getgid")

    def setuid(self, uid: int) -> Call[None]:
        """Set the user id of the calling process. Raise EPERM if the id changes and the process lacks
        CAP_SETUID.
        """
        return self.call("setuid", uid)

    def getgroups(self) -> Call[list[int]]:
        """Return the supplementary group ids of the calling process, in ascending order (getgroups(2))."""
        return self.call("getgroups")

    def setgroups(self, groups: Iterable[int]) -> Call[None]:
        """Set the supplementary group ids of the calling process. Raise EPERM without CAP_SETGID."""
        return self.call("setgroups", [c_int(gid) for gid in groups])

    def setgid(self, gid: int) -> Call[None]:
        """Set the group id of the calling process. Raise EPERM if the id changes and the process lacks
        CAP_SETGID.
        """
        return self.call("setgid", gid)

    def capset(self, capabilities: Iterable[int]) -> Call[None]:
        """Drop all capabilities of the process except the given ones.

        Raise EPERM for a capability that the process does not have.
        """
        return self.call("capset", frozenset(map(c_int, capabilities)))

    def unshare(self, flags: int) -> Call[None]:
        """Move this process to a new network namespace (unshare(2)). `flags` must be CLONE_NEWNET, because
        other namespaces are not modelled.
        """
        return self.call("unshare", c_int(flags))

    def setns(self, fd: Descriptor, nstype: int = 0) -> Call[None]:
        """Move this process to a network namespace (setns(2)).  `fd` is a descriptor of an open file
        `/proc/PID/ns/net`.
        """
        return self.call("setns", descriptor(fd), c_int(nstype))

    def spawn(
        self, program: Program, /, *arguments: object, name: str | None = None, **keywords: object
    ) -> Call[int]:
        """Start a child process that runs `program(app, *arguments, **keywords)`, and return its pid.

        It inherits the open descriptors, the credentials and the dispositions of signals.
        """
        return self.call("fork_exec", Image(self._system, program, arguments, keywords, name))

    def thread(
        self, program: Program, /, *arguments: object, name: str | None = None, **keywords: object
    ) -> Call[int]:
        """Start another thread of this process and return its tid.  The new thread shares the process's
        descriptors.
        """
        return self.call("clone_thread", Image(self._system, program, arguments, keywords, name))

    def getrlimit(self, resource: int) -> Call[tuple[int, int]]:
        """Return the soft and the hard limit of RLIMIT_NOFILE or RLIMIT_NPROC; RLIM_INFINITY means unlimited.

        Raise EINVAL for an unknown resource.
        """
        return self.call("prlimit", c_int(resource), convert=arguments.limits_from_kernel)

    def setrlimit(self, resource: int, limits: tuple[int, int]) -> Call[None]:
        """Set the soft and the hard limit of a resource such as RLIMIT_NOFILE (setrlimit(2)).

        Raise EINVAL if the soft limit exceeds the hard limit.  To raise the hard limit without
        CAP_SYS_RESOURCE is EPERM.
        """
        return self.call("prlimit", c_int(resource), arguments.limits(limits), convert=lambda old: None)

    def exit(self, code: int = 0) -> Call[None]:
        """End this process with an exit code."""
        return self.call("exit", c_int(code))

    def wait(self) -> Call[tuple[int, int]]:
        """Wait for any child to end and return its (pid, status), as os.wait() does.

        Raise ECHILD without children.
        """
        return self.call("wait4", -1, 0)

    def waitpid(self, pid: int, options: int = 0) -> Call[tuple[int, int]]:
        """Wait for a child to end and return its (pid, status).

        With WNOHANG, return (0, 0) if it still runs.
        """
        return self.call("wait4", c_int(pid), c_int(options))

    def kill(self, pid: int, signal: int) -> Call[None]:
        """Send a signal to a process (kill(2))."""
        return self.call("kill", c_int(pid), c_int(signal))

    def signal(self, signal: int, handler: SignalHandler) -> Call[SignalHandler]:
        """Set the disposition of a signal to SIG_DFL, SIG_IGN or a handler, and return the previous one.

        A blocked call that is interrupted by the signal raises InterruptedError after the handler has run.
        """
        if kind := runs_later(handler):
            raise SimulationError(
                f"the handler of signal {signal} is {kind}, which does not run when called: "
                "write a plain function"
            )
        return self.call("rt_sigaction", c_int(signal), handler)

    # -- clients ----------------------------------------------------------------

    @lazy
    async def genetlink(self, family: str, spec: Spec | None = None) -> GenetlinkClient:
        """Return a client of a generic netlink family.

        Raise FileNotFoundError (ENOENT) if the kernel has not registered the family.  If the module path has
        no specification of it, raise SimulationError, which suggests similar names.
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
        """Return a monitor of the kernel's uevents, which announce devices that are added or removed."""
        return await UeventMonitor.open(self)

    @lazy
    async def rtnetlink(self) -> RtnetlinkClient:
        """Return an rtnetlink client for links, addresses and routes in the caller's network namespace."""
        return await RtnetlinkClient.open(self)
