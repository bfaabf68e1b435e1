"""A request to a family as its handler sees it; drivers have it from genetlink.py."""

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
"""The attributes of a message, by name."""

SHORTEST = NLMSG_HDRLEN + GENL_HDRLEN
"""Bytes of a message without attributes."""


def encoded(spec: Spec, operation: str, mode: ModeName, values: Reply) -> bytes:
    """The bytes of a message from the kernel.  SimulationError for what the specification does not have."""
    try:
        return codec(spec, operation, mode, "reply").encode(values)
    except ValueError as wrong:
        raise SimulationError(f"{spec.name} {operation}: {wrong}") from None


class GenlInfo:
    """A request, as its handler sees it.

    `attributes` are by name.  `portid` is who asks, `credentials` what he may do.  `generation`, in a dump,
    is the state of what is dumped (`cb->seq`): if it changes between two messages, whoever reads them
    is told by NLM_F_DUMP_INTR.
    """

    __slots__ = ("_info", "_mode", "_spec", "attributes", "datagram_room", "generation")

    def __init__(self, spec: Spec, mode: ModeName, info: Info) -> None:
        self._spec = spec
        self._mode: ModeName = mode
        self._info = info
        payload = memoryview(info.data)[info.attributes_start : info.end]
        # Without a policy nothing was checked, and nothing is looked at.
        checked = info.operation.policy is not None
        self.attributes: dict[str, Any] = (
            codec(spec, info.operation.name, mode, "request").decode(payload) if checked else {}
        )
        self.generation = 0
        self.datagram_room = 0
        """Bytes that are left in the present datagram of a dump, headers included."""

    @property
    def portid(self) -> int:
        """Port id of the socket that it came from."""
        return self._info.portid

    @property
    def sender(self) -> Hashable:
        """The socket that it came from; what a family's `on_release` is told when that is closed."""
        return self._info.sender

    @property
    def room(self) -> int:
        """Bytes of attributes that the next message of a dump can have in the present datagram.

        A handler that yields that much is asked again with a new datagram.
        """
        return (self.datagram_room & -NLMSG_ALIGNTO) - SHORTEST

    @property
    def credentials(self) -> Credentials:
        """User, group and capabilities of the program that asks."""
        return self._info.credentials

    def capable(self, capability: int) -> bool:
        """Whether the program that asks, and who opened its socket, have a capability."""
        return self._info.capable(capability)

    def fail(
        self, error: int, text: str | None = None, *, attribute: str | None = None, missing: str | None = None
    ) -> NoReturn:
        """Refuse with an errno, and say why (extended ACK): a text, and the attribute that is at fault
        (`attribute`) or should have been there (`missing`).
        """
        self._info.fail(
            error,
            text,
            attribute=None if attribute is None else self._number(attribute),
            missing=None if missing is None else self._number(missing),
        )

    def required(self, name: str) -> Any:
        """An attribute's value (GENL_REQ_ATTR_CHECK).  EINVAL if it is missing."""
        if name not in self.attributes:
            self.fail(EINVAL, missing=name)
        return self.attributes[name]

    def reply(self, values: Reply) -> None:
        """Send one message back; for handlers that answer with several.  EAGAIN if there is no room."""
        self._info.reply(self._reply_number, self.encode(values))

    def encode(self, values: Reply) -> bytes:
        """The bytes of a reply's attributes.  SimulationError for what the specification does not have."""
        return encoded(self._spec, self._info.operation.name, self._mode, values)

    def message(self, attributes: bytes, flags: int) -> bytes:
        """A whole reply."""
        return self._info.message(self._reply_number, attributes, flags=flags)

    @property
    def _reply_number(self) -> int:
        number = self._spec.operation(self._info.operation.name).reply_number
        assert number is not None
        return number

    def _number(self, attribute: str) -> int:
        declared = self._spec.operation(self._info.operation.name)
        return self._spec.attribute_sets[declared.attribute_set].attributes[attribute].number
