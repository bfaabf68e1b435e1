"""`GenlInfo`, the object for a request that a handler of a generic netlink family gets. Drivers import
`GenlInfo` from genetlink.py.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NoReturn

from simkernel.engine import SimulationError
from simkernel.kernel.netlink.genetlink.family import Info
from simkernel.kernel.sched.credentials import Credentials
from simkernel.uapi.errno import EINVAL
from simkernel.uapi.genetlink import GENL_HDRLEN
from simkernel.uapi.netlink import NLMSG_ALIGNTO, NLMSG_HDRLEN
from simkernel.ynl import Spec
from simkernel.ynl.codec import codec
from simkernel.ynl.model import ModeName

Reply = Mapping[str, Any]
"""Attributes of a message, by name."""

MIN_MESSAGE_SIZE = NLMSG_HDRLEN + GENL_HDRLEN
"""Size of a message without attributes, in bytes."""


def encoded(spec: Spec, operation: str, mode: ModeName, values: Reply) -> bytes:
    """Encode the attributes of a message. Raise SimulationError for an attribute that the specification does
    not declare, and for an invalid value.
    """
    try:
        return codec(spec, operation, mode, "reply").encode(values)
    except ValueError as wrong:
        raise SimulationError(f"{spec.name} {operation}: {wrong}") from None


class GenlInfo:
    """A request to a generic netlink family: the argument of the family's handlers.

    `attributes` holds the request's attributes by name. A dump handler can set `generation` to a counter
    that changes with the dumped data (`cb->seq`). If it changes between two messages, the later messages
    have NLM_F_DUMP_INTR set, which tells the program that the dump is inconsistent.
    """

    __slots__ = ("_info", "_mode", "_spec", "attributes", "datagram_space", "generation")

    def __init__(self, spec: Spec, mode: ModeName, info: Info) -> None:
        self._spec = spec
        self._mode: ModeName = mode
        self._info = info
        payload = memoryview(info.data)[info.attributes_start : info.end]
        # Without a policy the attributes were not validated, so they are not decoded.
        checked = info.operation.policy is not None
        self.attributes: dict[str, Any] = (
            codec(spec, info.operation.name, mode, "request").decode(payload) if checked else {}
        )
        self.generation = 0
        self.datagram_space = 0
        """Free space in the dump's current datagram in bytes, headers included."""

    @property
    def portid(self) -> int:
        """Port id of the socket that sent the request."""
        return self._info.portid

    @property
    def sender(self) -> Hashable:
        """Socket that sent the request. When this socket is closed, the kernel calls the family's
        `on_release` with this value.
        """
        return self._info.sender

    @property
    def tailroom(self) -> int:
        """Free space for the attributes of one more message in the dump's current datagram, in bytes.

        If a handler yields that much, the next message begins a new datagram.
        """
        return (self.datagram_space & -NLMSG_ALIGNTO) - MIN_MESSAGE_SIZE

    @property
    def credentials(self) -> Credentials:
        """User, group and capabilities of the program that sends the request."""
        return self._info.credentials

    def capable(self, capability: int) -> bool:
        """Return True if the sender of the request has a capability (netlink_ns_capable()).

        The sending task must have it. The task that opened the socket must have it too, unless the request
        was sent with an explicit destination address.
        """
        return self._info.capable(capability)

    def fail(
        self, error: int, text: str | None = None, *, attribute: str | None = None, missing: str | None = None
    ) -> NoReturn:
        """Reject the request with an errno and an extended ACK.

        `text` is the error message. `attribute` is the attribute at fault, `missing` one that the request
        lacks.
        """
        self._info.fail(
            error,
            text,
            attribute=None if attribute is None else self._number(attribute),
            missing=None if missing is None else self._number(missing),
        )

    def required(self, name: str) -> Any:
        """Return an attribute's value (GENL_REQ_ATTR_CHECK). Raise EINVAL if the request lacks it."""
        if name not in self.attributes:
            self.fail(EINVAL, missing=name)
        return self.attributes[name]

    def reply(self, values: Reply) -> None:
        """Send one reply message to the requester. A handler with several replies calls this for each. Raise
        EAGAIN if the requester's receive queue is full.
        """
        self._info.reply(self._reply_number, self.encode(values))

    def encode(self, values: Reply) -> bytes:
        """Encode the attributes of a reply. Raise SimulationError for an attribute that the specification
        does not declare, and for an invalid value.
        """
        return encoded(self._spec, self._info.operation.name, self._mode, values)

    def message(self, attributes: bytes, flags: int) -> bytes:
        """Return a complete reply message with headers."""
        return self._info.message(self._reply_number, attributes, flags=flags)

    @property
    def _reply_number(self) -> int:
        number = self._spec.operation(self._info.operation.name).reply_number
        assert number is not None
        return number

    def _number(self, attribute: str) -> int:
        declared = self._spec.operation(self._info.operation.name)
        return self._spec.attribute_sets[declared.attribute_set].attributes[attribute].number
