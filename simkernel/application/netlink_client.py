"""A client of a netlink family.  It uses only the system calls of netlink sockets.

Requests use one socket and events another, so that neither waits for the other.  The keys of results have
the spelling of the family's specification.  Keyword arguments have `_` in place of `-`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any, Generic, Protocol, TypeVar

from simkernel.application.caller import Caller
from simkernel.application.lazy import lazy
from simkernel.application.received import ADDRESS, DATA, Received
from simkernel.application.socket import NetlinkSocket, netlink_socket
from simkernel.engine import Call, Owner, SimulationError
from simkernel.uapi.errno import EINTR, os_error, strerror
from simkernel.uapi.extack import ExtAck, extended_ack
from simkernel.uapi.netlink import (
    NETLINK_ADD_MEMBERSHIP,
    NETLINK_DROP_MEMBERSHIP,
    NETLINK_EXT_ACK,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    Header,
    NlMsgHdr,
    locate_messages,
)
from simkernel.uapi.socket import SOCK_RAW, SOL_NETLINK
from simkernel.uapi.structure import S32
from simkernel.ynl.model import ModeName

KERNEL = 0
"""The kernel's port id.  The client ignores messages from other port ids, because root can send to any port
and group.
"""

BUFFER = 1 << 18
"""Receive buffer size in bytes.  It exceeds the default SO_RCVBUF, so no datagram is truncated."""

TO_KERNEL = (KERNEL, 0)

TYPE, FLAGS, SEQ = 1, 2, 3
"""Indexes of the type, the flags and the sequence number in a message's header (`Header`)."""


class Message(dict[str, Any]):
    """A decoded message: a dictionary of its attributes by name.  `name` is the name of the operation."""

    __slots__ = ("name",)

    def __init__(self, name: str, attributes: dict[str, Any]) -> None:
        dict.__init__(self, attributes)
        self.name = name


class Messages(Protocol):
    """The interface of a netlink family for its client: the multicast groups, and the encoding and decoding
    of messages.
    """

    @property
    def name(self) -> str: ...

    @property
    def protocol(self) -> int:
        """Number of the netlink protocol, such as NETLINK_GENERIC."""

    def group(self, name: str) -> int:
        """Return the number of the multicast group called `name`, for NETLINK_ADD_MEMBERSHIP."""

    def check_event(self, name: str) -> None:
        """Raise SimulationError if the family has no event `name`."""

    def request(
        self, operation: str, mode: ModeName, values: dict[str, object], flags: int, seq: int
    ) -> bytes:
        """Return an encoded request: the netlink header and the encoded `values`."""

    def decode(
        self, operation: str, mode: ModeName, data: bytes, start: int = 0, end: int | None = None
    ) -> dict[str, Any]:
        """Return the attributes of a reply whose payload is `data[start:end]`."""

    def decode_event(self, type: int, data: bytes, start: int, end: int) -> tuple[str, dict[str, Any]] | None:
        """Return the name and the attributes of an event, or None if the family does not define the event."""

    def name_of(self, operation: str, number: int) -> str:
        """Return the name of an attribute in a request. `operation` is the name of the request, and `number`
        is the attribute type.
        """

    def name_at(self, operation: str, request: bytes, offset: int) -> str | None:
        """Return the name of the attribute that contains byte `offset` of a request, or None if no attribute
        does.
        """


F = TypeVar("F", bound=Messages)


class NetlinkClient(Generic[F]):
    """A client of one family.  Errors of the kernel raise OSError with the text of the extended ACK."""

    def __init__(self, app: Caller, sock: NetlinkSocket, family: F) -> None:
        self._app = app
        self._sock = sock
        self._events: NetlinkSocket | None = None
        self._sequence = 0
        self.family = family

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.family.name}>"

    # -- groups and events --------------------------------------------------

    @lazy
    async def join(self, *groups: str) -> None:
        """Join multicast groups. Raise PermissionError if a group requires a capability that the process
        lacks.
        """
        for number in [self.family.group(group) for group in groups]:
            if self._events is None:
                self._events = await client_socket(self._app, self.family.protocol)
            await self._events.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, number)

    @lazy
    async def leave(self, group: str) -> None:
        """Leave a multicast group."""
        number = self.family.group(group)
        if self._events is not None:
            await self._events.setsockopt(SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, number)

    @property
    def event_socket(self) -> NetlinkSocket:
        """The socket that receives events, for example to poll it or to set its options. Raise
        SimulationError before the first `join`.
        """
        if self._events is None:
            raise SimulationError(f"no socket for events of {self.family.name}: join a group first")
        return self._events

    def events(self, *names: str) -> AsyncIterator[Message]:
        """Return an iterator over the events of the joined groups. With `names`, yield only events that have
        one of these names.

        Events arrive in order, each once. When the socket overruns, `anext` raises OSError (ENOBUFS) once.
        Events are missing then, and the next `anext` returns the first event after the gap.
        """
        for name in names:
            self.family.check_event(name)
        return _Events(self.event_socket, self.family, frozenset(names))

    # -- requests -----------------------------------------------------------

    @lazy
    async def do(self, operation: str, /, **attributes: object) -> Message | None:
        """Send a request.  Return its last reply, or None if there is no reply.

        The request has NLM_F_ACK, as in Linux's tools/net/ynl.  The acknowledgement ends the replies.
        """
        request = self._request(operation, "do", NLM_F_REQUEST | NLM_F_ACK, attributes)
        sequence, owner, fd = self._sequence, self._app.owner, self._sock.fileno()
        await _call(owner, "sendto", (fd, request, 0, TO_KERNEL))
        reply: Message | None = None
        while True:
            received: Received = await _call(owner, "recvfrom", (fd, BUFFER, 0))
            data = received[DATA]
            for header, start, end in _from_kernel(received):
                if header[SEQ] != sequence:
                    continue
                if header[TYPE] == NLMSG_ERROR:
                    self._check(operation, request, header, data, start, end)
                    return reply
                reply = Message(operation, self.family.decode(operation, "do", data, start, end))

    @lazy
    async def dump(self, operation: str, /, **attributes: object) -> list[Message]:
        """Request a dump, and return all of its messages.

        InterruptedError (EINTR, as in libmnl) if a message has NLM_F_DUMP_INTR.  The data changed during the
        dump, so call `dump` again.
        """
        request = self._request(operation, "dump", NLM_F_REQUEST | NLM_F_DUMP, attributes)
        sequence, owner, fd = self._sequence, self._app.owner, self._sock.fileno()
        await _call(owner, "sendto", (fd, request, 0, TO_KERNEL))
        replies: list[Message] = []
        interrupted = False
        while True:
            received: Received = await _call(owner, "recvfrom", (fd, BUFFER, 0))
            data = received[DATA]
            for header, start, end in _from_kernel(received):
                if header[SEQ] != sequence:
                    continue
                interrupted = interrupted or bool(header[FLAGS] & NLM_F_DUMP_INTR)
                if header[TYPE] in (NLMSG_DONE, NLMSG_ERROR):
                    self._check(operation, request, header, data, start, end)
                    if interrupted:
                        raise os_error(EINTR, f"the data changed during the dump {operation}: dump again")
                    return replies
                replies.append(Message(operation, self.family.decode(operation, "dump", data, start, end)))

    @lazy
    async def close(self) -> None:
        """Close the socket for requests and the socket for events."""
        await self._sock.close()
        if self._events is not None:
            await self._events.close()

    # -- internal -----------------------------------------------------------

    def _request(self, operation: str, mode: ModeName, flags: int, attributes: dict[str, object]) -> bytes:
        self._sequence += 1
        values = {key.replace("_", "-"): value for key, value in attributes.items()}
        return self.family.request(operation, mode, values, flags, self._sequence)

    def _check(
        self, operation: str, request: bytes, header: Header, data: bytes, start: int, end: int
    ) -> None:
        """Raise OSError if an NLMSG_ERROR or NLMSG_DONE has an error number other than 0."""
        number = -S32.unpack_from(data, start)[0]
        if number == 0:
            return
        extack = extended_ack(NlMsgHdr(*header), data[start:end])
        error = os_error(number, self._explain(operation, request, number, extack))
        error.extack = extack  # type: ignore[attr-defined]
        raise error

    def _explain(self, operation: str, request: bytes, number: int, extack: ExtAck) -> str:
        parts = [strerror(number)]
        if extack.message:
            parts.append(extack.message)
        if extack.offset is not None and (name := self.family.name_at(operation, request, extack.offset)):
            parts.append(f"attribute {name!r}")
        if extack.missing_type is not None:
            parts.append(f"attribute {self.family.name_of(operation, extack.missing_type)!r} is missing")
        return f"{self.family.name} {operation}: " + ": ".join(parts)


class _Events:
    """An asynchronous iterator over the events that a socket receives.  It yields decoded messages."""

    def __init__(self, sock: NetlinkSocket, family: Messages, names: Collection[str]) -> None:
        self._sock = sock
        self._family = family
        self._names = names
        self._queued: list[Message] = []

    def __repr__(self) -> str:
        return f"<events of {self._family.name} on {self._sock}>"

    def __aiter__(self) -> _Events:
        return self

    async def __anext__(self) -> Message:
        while not self._queued:
            data, (sender, _) = await self._sock.recvfrom(BUFFER)
            if sender != KERNEL:
                continue
            located, _ = locate_messages(data)
            for header, start, end in located:
                event = self._family.decode_event(header[TYPE], data, start, end)
                if event is not None and (not self._names or event[0] in self._names):
                    self._queued.append(Message(*event))
        return self._queued.pop(0)


def _call(owner: Owner, name: str, arguments: tuple[object, ...]) -> Call[Any]:
    """Return an awaitable for a system call. `Caller.request` also records the call, to report a call that is
    never awaited. This function does not, because `NetlinkClient` awaits each call at once.
    """
    call: Call[Any] = Call()
    call.owner, call.name, call.arguments, call.convert = owner, name, arguments, None
    return call


def _from_kernel(received: Received) -> list[tuple[Header, int, int]]:
    """Return the header and the payload's start and end for each message in a datagram.  Return an empty list
    if the datagram is not from the kernel.
    """
    portid, _ = received[ADDRESS]
    return locate_messages(received[DATA])[0] if portid == KERNEL else []


async def client_socket(app: Caller, protocol: int) -> NetlinkSocket:
    """Return a bound netlink socket to which the kernel sends extended ACKs (NETLINK_EXT_ACK)."""
    sock = await netlink_socket(app, SOCK_RAW, protocol)
    await sock.bind((0, 0))
    await sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
    return sock
