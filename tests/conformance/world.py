"""Worlds: where a case runs.  One is the real kernel, others imitate it.

A world hands out sockets which behave as Python's `socket.socket` does (the same methods, arguments,
results and exceptions).  It is made by a factory: a callable which returns a context manager that yields
the world.  If the factory takes a keyword `privileged`, it is told whether the process which opens the
sockets has every capability in the user namespace that owns its network namespace, or none at all.

What only some worlds can do is an optional method: a world that lacks it skips the cases that need it
(see `OPTIONAL`).
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from tests.conformance.programs.interface import Programs

Address = tuple[int, int]
"""A netlink address as Python has it: (port id, groups bit mask)."""

Instruction = tuple[int, int, int, int]
"""One instruction of classic BPF: code, jt, jf, k."""


class Socket(Protocol):
    """What cases use of `socket.socket`; see there for the meaning of each."""

    def bind(self, address: Address, /) -> None: ...
    def connect(self, address: Address, /) -> None: ...
    def getsockname(self) -> Address: ...
    def getpeername(self) -> Address: ...
    def send(self, data: bytes, flags: int = 0, /) -> int: ...
    def sendto(self, data: bytes, /, *args: Any) -> int: ...
    def sendmsg(
        self,
        buffers: Iterable[bytes],
        ancdata: Iterable[tuple[int, int, bytes]] = (),
        flags: int = 0,
        address: Address | None = None,
        /,
    ) -> int: ...
    def recv(self, bufsize: int, flags: int = 0, /) -> bytes: ...
    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Address]: ...
    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Address]: ...
    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None: ...
    def getsockopt(self, level: int, option: int, buflen: int = 0, /) -> Any: ...
    def setblocking(self, flag: bool, /) -> None: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def gettimeout(self) -> float | None: ...
    def close(self) -> None: ...


class Process(Protocol):
    """A process: it opens sockets."""

    privileged: bool

    def socket(self, family: int = ..., type: int = ..., proto: int = 0) -> Socket:
        """As `socket.socket(family, type, proto)`."""


class World(Process, Protocol):
    """A network namespace as one process sees it: new, and with nothing in it but `lo`, down."""

    def poll(self, sock: Any, mask: int) -> int:
        """The events of poll(2) pending on `sock` now, without waiting."""

    # -- optional -----------------------------------------------------------

    def raw_call(self, sock: Any, call: str, sockaddr: bytes) -> None:
        """Call "bind" or "connect" with these very bytes as the sockaddr, its length being theirs."""

    def attach_filter(self, sock: Any, program: Sequence[Instruction]) -> None:
        """setsockopt(SOL_SOCKET, SO_ATTACH_FILTER) with this program."""

    def dup(self, sock: Any) -> Socket:
        """As `socket.socket.dup`: another descriptor for the same socket."""

    def process(self, *, privileged: bool) -> Process:
        """Another process in the same namespace, with every capability or none.

        To be made before there are sockets, which it would inherit.
        """

    def become(self, *, privileged: bool) -> None:
        """Be nobody without any capability from now on, or root with all of them again."""

    def namespace(self) -> World:
        """The same process in another network namespace, as new as this one was."""

    def set_nsid(self, other: Any, nsid: int) -> None:
        """Let `nsid` be what the namespace of `other` is called in this one (RTM_NEWNSID)."""

    def uevent(self) -> None:
        """Have the kernel tell of a device, as it does after a write to its file `uevent`."""

    def wait(self, seconds: float) -> None:
        """Sleep while the kernel does deferred work."""

    def initial_namespace(self) -> World:
        """Return a world of this process in the initial network namespace."""

    def read_file(self, path: str) -> bytes:
        """All that a file says, to a process in this namespace."""

    def listdir(self, path: str) -> list[str]:
        """As `os.listdir`, in this namespace."""

    def insmod(self, name: str, parameters: str = "", flags: int = 0) -> None:
        """Load a module with a line of parameters: finit_module(2), without what it depends on."""

    def modprobe(self, name: str) -> None:
        """Load a module by name or alias after those that it needs, as modprobe(8) does."""

    def rmmod(self, name: str, flags: int = ...) -> None:
        """As delete_module(2); the default flags are O_NONBLOCK."""

    def programs(self) -> Programs:
        """Processes that make calls on files, sockets and each other (programs/interface.py)."""

    def ioctl(self, sock: Any, request: int, argument: bytes | int) -> Any:
        """As `fcntl.ioctl`: bytes as the kernel has changed them, an int for an address."""


OPTIONAL = {
    "raw_sockaddr": ("raw_call",),
    "filter": ("attach_filter",),
    "dup": ("dup",),
    "processes": ("process",),
    "credentials": ("become",),
    "namespaces": ("namespace", "set_nsid"),
    "kernel_uevent": ("uevent",),
    "files": ("read_file",),
    "ioctl": ("ioctl",),
    "programs": ("programs",),
    "time": ("wait",),
    "initial_namespace": ("initial_namespace",),
    "modules": ("insmod", "modprobe", "rmmod", "read_file", "listdir"),
}
"""What a case with a mark needs of its world."""

Factory = Callable[..., AbstractContextManager[World]]


def missing(world: World, marks: tuple[str, ...]) -> list[str]:
    """The methods that a case with these marks needs and the world lacks."""
    needed = [method for mark in marks for method in OPTIONAL.get(mark, ())]
    return [method for method in needed if not hasattr(world, method)]


def load(name: str) -> Factory:
    """The factory that `package.module:callable` names.  ValueError, ImportError, AttributeError."""
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError(f"{name!r} is not of the form package.module:callable")
    return cast(Factory, getattr(importlib.import_module(module), attribute))


def make(factory: Factory, privileged: bool) -> AbstractContextManager[World]:
    """Call a factory, with or without `privileged` as it takes it."""
    parameters = inspect.signature(factory).parameters.values()
    if any(p.name == "privileged" or p.kind is p.VAR_KEYWORD for p in parameters):
        return factory(privileged=privileged)
    return factory()
