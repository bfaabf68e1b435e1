"""Doing a program's steps in a world: each call's result as a plain value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from simkernel.uapi.errno import error_name
from simkernel.uapi.socket import Ucred
from tests.conformance.live.steps import Pid, Port, Step
from tests.conformance.world import World

Outcome = tuple[str, Any]
"""("ok", result), or the errno's name (or Python's exception's) and None."""

MOST_DRAINED: Final = 400
"""How many datagrams `drain` reads at most."""

PYTHON_ERRORS: Final = (ValueError, TypeError, OverflowError)
"""What Python itself refuses, before any kernel is asked."""


def attempt(function: Callable[..., Any], *arguments: Any) -> Outcome:
    """What comes of a call."""
    try:
        return "ok", function(*arguments)
    except OSError as error:
        return (str(error) if error.errno is None else error_name(error.errno)), None
    except PYTHON_ERRORS as error:
        return type(error).__name__, None


@attrs.define
class Actor:
    """A process that does steps in its world.  `pid` is its number."""

    world: World
    pid: int
    sockets: dict[int, Any] = attrs.field(factory=dict)

    def does(self, step: Step) -> bool:
        """Whether a step means anything here."""
        return step.slot in self.sockets or step.call in ("socket", "become")

    def perform(self, step: Step) -> list[Outcome]:
        """Do a step.  Most are one call; a flood and a drain are many."""
        arguments = self._resolve(step.arguments)
        own = _OWN.get(step.call)
        if own is not None:
            return own(self, step.slot, *arguments)
        return [attempt(getattr(self.sockets[step.slot], step.call), *arguments)]

    def close(self) -> None:
        """Close what is open."""
        for sock in self.sockets.values():
            sock.close()

    # -- stand-ins ------------------------------------------------------------

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._resolve(part) for part in value)
        if isinstance(value, Port):
            sock = self.sockets.get(value.slot)
            return 0 if sock is None else sock.getsockname()[0]
        if isinstance(value, Pid):
            return self.pid
        return value

    # -- steps that are more than a method --------------------------------------

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
        """Control messages; the data of one may be given as numbers."""
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
        """The same datagram again and again."""
        send = self.sockets[slot].sendto
        return [attempt(send, data, flags, address) for _ in range(count)]

    def _drain(self, slot: int, size: int, room: int, flags: int) -> list[Outcome]:
        """Everything there is, up to EAGAIN."""
        receive = self.sockets[slot].recvmsg
        outcomes: list[Outcome] = []
        while len(outcomes) < MOST_DRAINED:
            outcomes.append(attempt(receive, size, room, flags))
            if outcomes[-1][0] == "EAGAIN":
                break
        return outcomes


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
}
