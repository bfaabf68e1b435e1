"""Worlds, in which cases run: the real kernel, and simulators of it.

A world creates sockets that behave like Python's `socket.socket`: with equal methods, arguments, results
and exceptions. A factory returns a context manager that yields the world. If the factory accepts a keyword
`privileged`, it receives whether the calling process has every capability or none in the user namespace
that owns its network namespace.

Features that only some worlds have are optional methods. If a world lacks one, the cases that need it are
skipped (see `OPTIONAL`).
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
"""A netlink address as in Python: (port id, mask of groups)."""

Instruction = tuple[int, int, int, int]
"""One instruction of classic BPF: code, jt, jf, k."""


class Socket(Protocol):
    """The methods of `socket.socket` that cases use."""

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
    """A process that can create sockets."""

    privileged: bool

    def socket(self, family: int = ..., type: int = ..., proto: int = 0) -> Socket:
        """Create a socket, like `socket.socket(family, type, proto)`."""


class World(Process, Protocol):
    """A process in a new network namespace, which contains only `lo`, down."""

    def poll(self, sock: Any, mask: int) -> int:
        """Return the pending events of poll(2) on `sock`, without blocking."""

    # -- optional features --------------------------------------------------

    def raw_call(self, sock: Any, call: str, sockaddr: bytes) -> None:
        """Call "bind" or "connect" with raw bytes as the socket address, without checks by Python."""

    def attach_filter(self, sock: Any, program: Sequence[Instruction]) -> None:
        """Attach a classic BPF program to the socket (SO_ATTACH_FILTER)."""

    def dup(self, sock: Any) -> Socket:
        """Return another descriptor for the socket, like `socket.socket.dup`."""

    def process(self, *, privileged: bool) -> Process:
        """Start another process in the same namespace, with every capability or none.

        Call this before creating sockets, because the process would inherit them.
        """

    def become(self, *, privileged: bool) -> None:
        """Drop to user 65534 without capabilities, or return to root with all of them."""

    def namespace(self) -> World:
        """Create another network namespace. Return a World whose sockets this process creates in it."""

    def set_nsid(self, other: Any, nsid: int) -> None:
        """Send RTM_NEWNSID in this network namespace. It assigns the id `nsid` to the network namespace of
        the World `other`.
        """

    def uevent(self) -> None:
        """Make the kernel emit a uevent of a device, as a write to the device's file `uevent` does."""

    def wait(self, seconds: float) -> None:
        """Sleep for some seconds, in which the kernel does deferred work."""

    def initial_namespace(self) -> World:
        """Return a World whose sockets this process creates in the initial network namespace."""

    def read_file(self, path: str) -> bytes:
        """Return the contents of a file, as a process in this namespace reads it."""

    def listdir(self, path: str) -> list[str]:
        """List a directory in this namespace, like `os.listdir`."""

    def insmod(self, name: str, parameters: str = "", flags: int = 0) -> None:
        """Load a module with a parameter line by finit_module(2), without its dependencies."""

    def modprobe(self, name: str) -> None:
        """Load a module by name or alias after its dependencies, as modprobe(8) does."""

    def rmmod(self, name: str, flags: int = ...) -> None:
        """Unload a module by delete_module(2). The default flags are O_NONBLOCK."""

    def programs(self) -> Programs:
        """Return an object that starts processes, which make system calls for a case (see
        programs/interface.py).
        """

    def ioctl(self, sock: Any, request: int, argument: bytes | int) -> Any:
        """Make an ioctl request, like `fcntl.ioctl`. If the argument is an int, return the int result.
        Otherwise, return the argument's bytes as the kernel has changed them.
        """


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
"""For each mark that a case can have: the optional methods of World that a case with this mark needs."""

Factory = Callable[..., AbstractContextManager[World]]


def missing(world: World, marks: tuple[str, ...]) -> list[str]:
    """Return the methods that the marks of a case require but that the world does not have."""
    needed = [method for mark in marks for method in OPTIONAL.get(mark, ())]
    return [method for method in needed if not hasattr(world, method)]


def load(name: str) -> Factory:
    """Import and return a factory, given as `package.module:callable`. Raise ValueError, ImportError or
    AttributeError if this fails.
    """
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError(f"{name!r} is not a factory of the form package.module:callable")
    return cast(Factory, getattr(importlib.import_module(module), attribute))


def make(factory: Factory, privileged: bool) -> AbstractContextManager[World]:
    """Call the factory of a world (a kernel, as test cases use it). Pass `privileged` only if the factory
    accepts this argument.
    """
    parameters = inspect.signature(factory).parameters.values()
    if any(p.name == "privileged" or p.kind is p.VAR_KEYWORD for p in parameters):
        return factory(privileged=privileged)
    return factory()
