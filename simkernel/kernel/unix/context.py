"""State that the unix sockets of a machine share: costs, names, and the list of sockets whose queues may
contain files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

import attrs

from simkernel.engine import Engine, Tracer
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.fault import Armed
from simkernel.kernel.lib.unmodelled import Unmodelled
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.unix.garbage import Carriers
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EADDRINUSE, ECONNREFUSED, EINVAL, ENOSPC, os_error
from simkernel.uapi.structure import U16
from simkernel.uapi.un import encode_sockaddr_un

MAX_DGRAM_QLEN: Final = 10
"""Maximum number of datagrams in a queue before a sender blocks (/proc/sys/net/unix/max_dgram_qlen)."""
AUTOBIND_NAMES: Final = 1 << 20
"""Number of abstract names that an automatic bind can select. Each name has five hexadecimal digits."""


class Named(Protocol):
    """A socket in the table of socket names: the attributes that the code of the table uses."""

    net: Net
    type: int
    name: bytes | None


S = TypeVar("S", bound=Named)


class SocketNodes(Protocol[S]):
    """The interface for socket names that are paths (kernel/unix/socket_nodes.py)."""

    def bind(self, task: Task, path: str, sock: S) -> None: ...
    def find(self, task: Task, path: str, kind: int) -> S: ...
    def forget(self, sock: S) -> None: ...


@attrs.define(eq=False, repr=False)
class UnixContext(Generic[S]):
    """State of the unix sockets of a machine.

    An abstract name belongs to a network namespace and a socket type: a stream and a datagram socket may
    have the same abstract name.
    """

    engine: Engine
    costs: CostModel
    unmodelled: Unmodelled
    pid_exists: Callable[[int], bool]
    nodes: SocketNodes[S]
    faults: Armed | None = None
    max_dgram_qlen: int = MAX_DGRAM_QLEN
    carriers: Carriers = attrs.field(factory=Carriers)
    _names: dict[tuple[Net, int, bytes], S] = attrs.field(factory=dict)
    trace: Tracer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.trace = self.engine.trace

    @property
    def names(self) -> list[bytes]:
        """The abstract names in use, in the order of their binding."""
        return [name[U16.size :] for _, _, name in self._names]

    # -- names ------------------------------------------------------------------------

    def bind(self, sock: S, task: Task, address: bytes) -> None:
        """Bind a socket to an address. Raise EINVAL if the socket already has a name, EADDRINUSE if the
        address is in use.
        """
        name = address[U16.size :]
        if name.startswith(b"\0"):
            if sock.name is not None:
                raise os_error(EINVAL)
            self._take(sock, address)
            return
        path = name.split(b"\0", 1)[0]
        self.nodes.bind(task, _text(path), sock)
        sock.name = encode_sockaddr_un(path)

    def _take(self, sock: S, address: bytes) -> None:
        key = (sock.net, sock.type, address)
        if key in self._names:
            raise os_error(EADDRINUSE)
        self.engine.charged += self.costs.socket_bind
        self._names[key] = sock
        sock.name = address

    def autobind(self, sock: S) -> None:
        """Bind an unnamed socket to a free abstract name (`unix_autobind()`).

        Raises ENOSPC if none is free.
        """
        if sock.name is not None:
            return
        first = self.engine.rng("unix autobind").randrange(AUTOBIND_NAMES)
        for step in range(1, AUTOBIND_NAMES + 1):
            number = (first + step) % AUTOBIND_NAMES
            address = encode_sockaddr_un(b"\0%05x" % number)
            if (sock.net, sock.type, address) not in self._names:
                self._take(sock, address)
                return
        raise os_error(ENOSPC)

    def find(self, task: Task, net: Net, address: bytes, kind: int) -> S:
        """Return the socket with this address and type.  Raise ECONNREFUSED if it does not exist."""
        name = address[U16.size :]
        if name.startswith(b"\0"):
            sock = self._names.get((net, kind, address))
            if sock is None:
                raise os_error(ECONNREFUSED)
            return sock
        return self.nodes.find(task, _text(name.split(b"\0", 1)[0]), kind)

    def forget(self, sock: S) -> None:
        """Release the name of a closed socket."""
        if sock.name is None:
            return
        key = (sock.net, sock.type, sock.name)
        if self._names.get(key) is sock:
            del self._names[key]
        elif not sock.name.startswith(b"\0", U16.size):
            self.nodes.forget(sock)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
