"""Execution of the steps of a random program on one of the two kernels. The outcome of each call is a plain
value.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs

from simkernel.uapi.errno import error_name
from simkernel.uapi.socket import MSG_DONTWAIT, Ucred
from tests.conformance.live.links.packets import FILES, without_packets
from tests.conformance.live.steps import Pid, Port, Step

Outcome = tuple[str, Any]
"""Outcome of a call: ("ok", result), or (name, None) with the name of an errno or of a Python exception."""

MAX_DRAINED: Final = 400
"""Maximum number of datagrams that `drain` receives."""

SHORT_WAIT: Final = 0.1
LONG_WAIT: Final = 2.0
"""If simkernel has sent a notification, a listener on the host's kernel waits at most this number of seconds
for the same notification. The search uses LONG_WAIT when it repeats a program to confirm a difference.
"""

DEFERRED: Final = 0.003
"""Seconds that a listener waits for a missing notification. Then `Settler` makes the kernel do its deferred
work.
"""
URGENT: Final = 0.03
"""Seconds within which the work queue of the host's kernel handles urgent link events."""

PYTHON_ERRORS: Final = (ValueError, TypeError, OverflowError)
"""Exceptions that Python raises for wrong arguments, before it makes a system call."""


def attempt(function: Callable[..., Any], *arguments: Any) -> Outcome:
    """Call a function and return its outcome."""
    try:
        return "ok", function(*arguments)
    except OSError as error:
        return (str(error) if error.errno is None else error_name(error.errno)), None
    except PYTHON_ERRORS as error:
        return type(error).__name__, None


ALONE: Final = frozenset({"socket", "become", "namespaces"})
"""Names of the steps that need no existing socket."""
IN_NAMESPACE: Final = frozenset({"socket_in", "read_file"})
"""Names of the steps that need the program's two namespaces, but no existing socket."""

ACTS: Final = frozenset({"sendto", "ioctl", "read_file"})
"""Names of the steps whose results depend on a kernel's deferred work. Each kernel completes this work before
them.
"""


class Settle(Protocol):
    """Interface of a function that makes a kernel do its deferred work."""

    def __call__(self, actor: Actor, *, slow: bool) -> None:
        """Make the kernel do its deferred work (see `Settler.settle`)."""


def _ignore(actor: Actor, *, slow: bool) -> None:
    pass


@attrs.define
class Actor:
    """A process that executes the steps of a random program on one of the two kernels."""

    world: Any
    pid: int
    settle: Settle = _ignore
    patience: float = SHORT_WAIT
    sockets: dict[int, Any] = attrs.field(factory=dict)
    worlds: list[Any] = attrs.field(factory=list)
    """For a program with two network namespaces: the `World` (process) in each namespace."""
    _wanted: int = 0

    def can_perform(self, step: Step) -> bool:
        """Return True if the sockets that a step needs exist."""
        if step.call in IN_NAMESPACE:
            return bool(self.worlds)
        return step.slot in self.sockets or step.call in ALONE

    def perform(self, step: Step, wanted: int = 0) -> list[Outcome]:
        """Execute a step and return the outcomes of its calls. The steps `flood` and `drain` make several
        calls. Every other step makes one.

        A listener waits for `wanted` outcomes, which is their number in the other kernel.
        """
        self._wanted = wanted
        if self.worlds and step.call in ACTS:
            self.settle(self, slow=False)
        arguments = self._resolve(step.arguments)
        own = _OWN.get(step.call)
        if own is not None:
            outcomes = own(self, step.slot, *arguments)
            return without_packets(outcomes) if self.worlds and step.call == "drain" else outcomes
        return [attempt(getattr(self.sockets[step.slot], step.call), *arguments)]

    def close(self) -> None:
        """Close all sockets of the process."""
        for sock in self.sockets.values():
            sock.close()

    # -- symbolic values ---------------------------------------------------------

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._resolve(part) for part in value)
        if isinstance(value, Port):
            sock = self.sockets.get(value.slot)
            return 0 if sock is None else sock.getsockname()[0]
        if isinstance(value, Pid):
            return self.pid
        return value

    # -- steps that are not a method of a socket --------------------------------------

    def _socket(self, slot: int, family: int, type: int, protocol: int) -> list[Outcome]:
        outcome = attempt(self.world.socket, family, type, protocol)
        if outcome[1] is not None:
            self._replace(slot, outcome[1])
        return [(outcome[0], None)]

    def _dup(self, slot: int, other: int) -> list[Outcome]:
        outcome = attempt(self.world.dup, self.sockets[slot])
        if outcome[1] is not None:
            self._replace(other, outcome[1])
        return [(outcome[0], None)]

    def _replace(self, slot: int, sock: Any) -> None:
        old = self.sockets.pop(slot, None)
        if old is not None:
            old.close()
        self.sockets[slot] = sock

    def _close(self, slot: int) -> list[Outcome]:
        return [attempt(self.sockets.pop(slot).close)]

    def _poll(self, slot: int, mask: int) -> list[Outcome]:
        return [attempt(self.world.poll, self.sockets[slot], mask)]

    def _raw_call(self, slot: int, call: str, sockaddr: bytes) -> list[Outcome]:
        return [attempt(self.world.raw_call, self.sockets[slot], call, sockaddr)]

    def _attach_filter(self, slot: int, program: tuple[Any, ...]) -> list[Outcome]:
        return [attempt(self.world.attach_filter, self.sockets[slot], program)]

    def _become(self, slot: int, privileged: bool) -> list[Outcome]:
        self.world.become(privileged=privileged)
        return []

    def _control(self, control: tuple[Any, ...]) -> list[Any]:
        """Return control messages for sendmsg(). A tuple of numbers is packed as `struct ucred`."""
        return [
            (level, type, data if isinstance(data, bytes) else Ucred.LAYOUT.pack(*data))
            for level, type, data in control
        ]

    def _sendmsg(
        self, slot: int, buffers: tuple[bytes, ...], control: tuple[Any, ...], flags: int, address: Any
    ) -> list[Outcome]:
        send = self.sockets[slot].sendmsg
        return [attempt(send, buffers, self._control(control), flags, address)]

    def _flood(self, slot: int, count: int, data: bytes, flags: int, address: Any) -> list[Outcome]:
        """Send a datagram `count` times."""
        send = self.sockets[slot].sendto
        return [attempt(send, data, flags, address) for _ in range(count)]

    def _drain(self, slot: int, size: int, controllen: int, flags: int) -> list[Outcome]:
        """Receive datagrams until EAGAIN."""
        receive = self.sockets[slot].recvmsg
        outcomes: list[Outcome] = []
        while len(outcomes) < MAX_DRAINED:
            outcomes.append(attempt(receive, size, controllen, flags))
            if outcomes[-1][0] == "EAGAIN":
                break
        return outcomes

    # -- two namespaces ---------------------------------------------------------

    def _namespaces(self, slot: int, *numbers: int) -> list[Outcome]:
        """Create a second namespace. `numbers` has the nsid that each namespace assigns to the other one. A
        negative number assigns none.
        """
        self.worlds = [self.world, self.world.namespace()]
        for world, other, number in zip(self.worlds, reversed(self.worlds), numbers, strict=True):
            if number >= 0:
                world.set_nsid(other, number)
        self.settle(self, slow=True)
        return []

    def _socket_in(self, slot: int, namespace: int, *kind: int) -> list[Outcome]:
        outcome = attempt(self.worlds[namespace].socket, *kind)
        if outcome[1] is not None:
            self._replace(slot, outcome[1])
        return [(outcome[0], None)]

    def _ioctl(self, slot: int, request: int, argument: bytes) -> list[Outcome]:
        return [attempt(self.world.ioctl, self.sockets[slot], request, argument)]

    def _read_file(self, slot: int, namespace: int, path: str) -> list[Outcome]:
        kind, text = attempt(self.worlds[namespace].read_file, path)
        return [(kind, FILES[path](text) if kind == "ok" and path in FILES else text)]

    def _read_events(self, slot: int, size: int, controllen: int) -> list[Outcome]:
        """Return all queued messages, after the kernel has done its deferred work.

        The second kernel waits for as many messages as the first one has sent, at most `patience`
        seconds.
        """
        if not self._wanted:
            self.settle(self, slow=False)
        outcomes = self._received(slot, size, controllen)
        begun = time.monotonic()
        while len(outcomes) < self._wanted and (waited := time.monotonic() - begun) < self.patience:
            time.sleep(0.0003)
            if waited > DEFERRED:
                self.settle(self, slow=waited < URGENT)
            outcomes[-1:] = self._received(slot, size, controllen)
        return outcomes

    def _received(self, slot: int, size: int, controllen: int) -> list[Outcome]:
        return without_packets(self._drain(slot, size, controllen, MSG_DONTWAIT))


_OWN: Final[dict[str, Callable[..., list[Outcome]]]] = {
    "socket": Actor._socket,
    "dup": Actor._dup,
    "close": Actor._close,
    "poll": Actor._poll,
    "raw_call": Actor._raw_call,
    "attach_filter": Actor._attach_filter,
    "become": Actor._become,
    "sendmsg": Actor._sendmsg,
    "flood": Actor._flood,
    "drain": Actor._drain,
    "namespaces": Actor._namespaces,
    "socket_in": Actor._socket_in,
    "ioctl": Actor._ioctl,
    "read_file": Actor._read_file,
    "read_events": Actor._read_events,
}
