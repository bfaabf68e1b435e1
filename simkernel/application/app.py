"""What a program sees: system calls with Python's names, and helpers made of them.

    async def program(app):
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.bind((0, 0))
        await app.sleep(0.5)

Each call is lazy: it acts when it is awaited (or yielded, in a generator program), once.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from random import Random
from typing import Any, Final, Protocol, TypeVar

from simkernel.application.arguments import c_int
from simkernel.application.descriptors import Descriptors
from simkernel.application.genetlink import GenetlinkClient
from simkernel.application.module import Modules
from simkernel.application.paths import Paths
from simkernel.application.program import Image, Program
from simkernel.application.socket import Socket
from simkernel.application.steps import Steps, lazily
from simkernel.application.uevent import UeventMonitor
from simkernel.application.unix import UnixSocket, socketpair
from simkernel.engine import Call, Compute, SimulationError, nanoseconds_up, whole_nanoseconds
from simkernel.uapi.socket import AF_INET, AF_NETLINK, AF_UNIX, SOCK_RAW, SOCK_STREAM
from simkernel.uapi.utsname import Utsname
from simkernel.ynl import Spec

T = TypeVar("T")
Made = TypeVar("Made", bound="Call[Any] | Steps[Any]")

SOCKETS: dict[int, type[Socket]] = {AF_UNIX: UnixSocket}
"""Sockets that are not as netlink's are, by their family."""

NO_CALL: Final[Call[None]] = Call()
NO_CALL.owner = None
"""Instead of the last call that was made."""
REMEMBERED = 16
"""How many calls that were not awaited are remembered, to be told of."""


class System(Protocol):
    """What a machine gives to its programs beside the system calls."""

    debug: bool

    def clock(self) -> int:
        """The machine's clock in ns, read without a system call (vdso(7))."""

    def random(self, name: str) -> Random:
        """The random stream of that name."""

    def app(self, owner: Any) -> App:
        """The view that the task `owner` has of this system."""

    def specification(self, family: str) -> Spec:
        """The family's specification, from the module path.  LookupError with the nearest names."""

    def resolve(self, name: str) -> tuple[str, ...]:
        """depmod's answer: the modules of a name or an alias, dependencies first.  LookupError."""


class App(Descriptors, Paths):
    """One program's view of the machine."""

    __slots__ = ("_debug", "_last", "_lost", "_system", "owner")

    def __init__(self, system: System, owner: Any) -> None:
        self._system = system
        self._debug = system.debug
        self._last: Call[Any] | Steps[Any] = NO_CALL
        """The call that was made last, and those before it that were not awaited when the next was made."""
        self._lost: tuple[Call[Any] | Steps[Any], ...] = ()
        self.owner = owner
        """The task that makes the calls."""

    @property
    def _app(self) -> App:
        return self

    @property
    def modules(self) -> Modules:
        """The commands of kmod(8)."""
        return Modules(self, self._system.resolve)

    # -- calls --------------------------------------------------------------

    def call(self, name: str, *arguments: Any, convert: Callable[[Any], T] | None = None) -> Call[T]:
        """The system call `name`, to be awaited; its raw result goes through `convert`."""
        return self.request(name, arguments, convert)

    def request(
        self, name: str, arguments: tuple[Any, ...], convert: Callable[[Any], T] | None = None
    ) -> Call[T]:
        """The same, with the arguments as a tuple."""
        call: Call[T] = Call()
        call.owner = self.owner
        call.name = name
        call.arguments = arguments
        call.convert = convert
        last, self._last = self._last, call
        if self._debug or last.owner is not None:
            self._remember(last, call)
        return call

    def made(self, call: Made) -> Made:
        """Remember that `call` was made, until it is awaited; returns it."""
        last, self._last = self._last, call
        if self._debug or (last is not None and last.owner is not None):
            self._remember(last, call)
        return call

    def _remember(self, last: Call[Any] | Steps[Any], made: Call[Any] | Steps[Any]) -> None:
        """One more call was made; the `last` before it may not have been awaited."""
        if self._debug:
            made.line = _line_of_program()
        if last.owner is not None:
            if len(self._lost) == REMEMBERED:
                self._lost = tuple(each for each in self._lost if each.owner is not None)
            if len(self._lost) < REMEMBERED:
                self._lost = (*self._lost, last)

    def never_awaited(self) -> list[str]:
        """Calls that were made and never acted on: their names, with their lines if those are known."""
        return [_told(call) for call in (*self._lost, self._last) if call.owner is not None]

    # -- sockets (other descriptors: descriptors.py) ------------------------------

    def socket(
        self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0, fileno: int | None = None
    ) -> Awaitable[Socket]:
        """A socket; with `fileno` one for a descriptor that is open already (inherited, say).

        -1 for one of the first three is what Python makes of it: AF_INET, SOCK_STREAM and 0.
        """
        family, type, proto = c_int(family), c_int(type), c_int(proto)
        if fileno is not None:
            return Socket.adopt(self, c_int(fileno), SOCKETS)
        family = AF_INET if family == -1 else family
        type = SOCK_STREAM if type == -1 else type
        proto = 0 if proto == -1 else proto
        kind = SOCKETS.get(family, Socket)
        return self.call(
            "socket", family, type, proto, convert=lambda fd: kind(self, fd, family, type, proto)
        )

    def socketpair(
        self, family: int = AF_UNIX, type: int = SOCK_STREAM, proto: int = 0
    ) -> Call[tuple[UnixSocket, UnixSocket]]:
        """Two unix sockets, connected to each other."""
        return socketpair(self, c_int(family), c_int(type), c_int(proto))

    # -- time ---------------------------------------------------------------

    def monotonic_ns(self) -> int:
        """The machine's clock in nanoseconds.  No system call, and nothing to await."""
        return self._system.clock()

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
        return self.call("setuid", c_int(uid))

    def getgroups(self) -> Call[list[int]]:
        """The groups that it is in beside its own."""
        return self.call("getgroups")

    def setgroups(self, groups: Iterable[int]) -> Call[None]:
        """Be in these groups, beside its own."""
        return self.call("setgroups", [c_int(gid) for gid in groups])

    def setgid(self, gid: int) -> Call[None]:
        """Join another group; EPERM without CAP_SETGID."""
        return self.call("setgid", c_int(gid))

    def capset(self, capabilities: Iterable[int]) -> Call[None]:
        """Keep only these capabilities; EPERM for one that was not there."""
        return self.call("capset", frozenset(map(c_int, capabilities)))

    def unshare(self, flags: int) -> Call[None]:
        """Leave a namespace for a new one (CLONE_NEWNET)."""
        return self.call("unshare", c_int(flags))

    def spawn(
        self, program: Program, /, *arguments: Any, name: str | None = None, **keywords: Any
    ) -> Call[int]:
        """A child process that runs `program(app, *arguments, **keywords)`; its pid.

        It inherits the open descriptors, the credentials and what is done about signals.
        """
        return self.call("fork_exec", Image(self._system.app, program, arguments, keywords, name))

    def thread(
        self, program: Program, /, *arguments: Any, name: str | None = None, **keywords: Any
    ) -> Call[int]:
        """Another thread of this process, which shares its descriptors; its tid."""
        return self.call("clone_thread", Image(self._system.app, program, arguments, keywords, name))

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

    def signal(self, signal: int, handler: int | Callable[[int], None]) -> Call[Any]:
        """Set what a signal does: SIG_DFL, SIG_IGN or a function of its number; returns what it did.

        A call that sleeps when the signal comes raises InterruptedError after the handler has run.
        """
        return self.call("rt_sigaction", c_int(signal), handler if callable(handler) else c_int(handler))

    # -- clients made of the calls ----------------------------------------------

    @lazily
    async def genetlink(self, family: str, spec: Spec | None = None) -> GenetlinkClient:
        """A client of a generic netlink family.  FileNotFoundError (ENOENT) if the kernel has none.

        SimulationError, with the nearest names, if there is no specification of it on the module path.
        """
        try:
            known = spec or self._system.specification(family)
        except LookupError as unknown:
            raise SimulationError(unknown.args[0]) from None
        return await GenetlinkClient.open(self, family, known)

    @lazily
    async def uevents(self) -> UeventMonitor:
        """What the kernel says of devices as they come and go."""
        return await UeventMonitor.open(self)

    @lazily
    async def modprobe(self, name: str, /, **parameters: Any) -> None:
        """Load the module of that name or alias, and before it what it depends on (modprobe(8))."""
        await self.modules.modprobe(name, parameters)

    @lazily
    async def insmod(self, path: str, /, **parameters: Any) -> None:
        """Load one module and nothing else (insmod(8))."""
        await self.modules.insmod(path, parameters)

    @lazily
    async def rmmod(self, name: str) -> None:
        """Unload a module (rmmod(8)).  EBUSY while it is used."""
        await self.modules.rmmod(name)

    @lazily
    async def lsmod(self) -> list[Mapping[str, Any]]:
        """The loaded modules: name, size, refcount, used_by, state (lsmod(8))."""
        return await self.modules.lsmod()


def _line_of_program() -> str:
    """file:line of the innermost frame outside this package's helpers."""
    frame = sys._getframe(3)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        "simkernel.application"
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"


def _told(call: Call[Any] | Steps[Any]) -> str:
    line = getattr(call, "line", None)
    return call.name if line is None else f"{call.name} ({line})"
