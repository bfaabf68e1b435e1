"""A generic netlink family: its ids in the running kernel, and its specification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from simkernel.application.socket import NetlinkSocket
from simkernel.engine import SimulationError
from simkernel.uapi.genetlink import (
    CTRL_ATTR_FAMILY_ID,
    CTRL_ATTR_FAMILY_NAME,
    CTRL_ATTR_MCAST_GROUPS,
    CTRL_ATTR_MCAST_GRP_ID,
    CTRL_ATTR_MCAST_GRP_NAME,
    CTRL_ATTR_VERSION,
    CTRL_CMD_GETFAMILY,
    GENL_HDRLEN,
    GENL_ID_CTRL,
    GenlMsgHdr,
)
from simkernel.uapi.netlink import (
    NETLINK_GENERIC,
    NLA_HDRLEN,
    NLA_TYPE_MASK,
    NLM_F_REQUEST,
    NLMSG_HDRLEN,
    attribute,
    iterate_attributes,
    locate_attributes,
    message,
    reply,
)
from simkernel.uapi.structure import U16, U32, Buffer
from simkernel.ynl import Spec
from simkernel.ynl.codec import Codec, codec
from simkernel.ynl.model import ModeName

BUFFER = 65536


class ResolvedFamily:
    """Id, version and groups of a family in a running kernel, and the codecs of its messages."""

    protocol: Final = NETLINK_GENERIC

    def __init__(self, number: int, version: int, groups: dict[str, int], spec: Spec) -> None:
        self.id = number
        self.name = spec.name
        self.version = version
        self.groups = groups
        self.spec = spec
        self._requests: dict[tuple[str, ModeName], tuple[bytes, Codec]] = {}
        self._replies: dict[tuple[str, ModeName], Codec] = {}
        self._events = {
            operation.reply_number: operation.name
            for operation in spec.operations.values()
            if operation.is_asynchronous
        }

    def __repr__(self) -> str:
        return f"<Family {self.name}, id {self.id}>"

    def group(self, name: str) -> int:
        """Return the id of the multicast group called `name` in the running kernel.

        Raise SimulationError, which lists the groups, if it is unknown.
        """
        try:
            return self.groups[name]
        except KeyError:
            there = ", ".join(sorted(self.groups)) or "none"
            raise SimulationError(f"family {self.name} has no group {name!r}; it has: {there}") from None

    def check_event(self, name: str) -> None:
        """Raise SimulationError if the family has no event `name`.  The error lists the family's events."""
        if name not in self._events.values():
            there = ", ".join(sorted(self._events.values())) or "none"
            raise SimulationError(f"family {self.name} has no event {name!r}; it has: {there}")

    def request(
        self, operation: str, mode: ModeName, values: Mapping[str, object], flags: int, seq: int
    ) -> bytes:
        """Return an encoded request to the family: the netlink header, the generic netlink header and the
        attributes.

        Raise SimulationError if the values cannot be encoded.
        """
        return message(self.id, self.encode(operation, mode, values), flags=flags, seq=seq)

    def encode(self, operation: str, mode: ModeName, values: Mapping[str, object]) -> bytes:
        """Encode a request's generic netlink header and attributes.

        Raise SimulationError for invalid values.
        """
        try:
            known = self._requests.get((operation, mode)) or self._learn_request(operation, mode)
            return known[0] + known[1].encode(values)
        except ValueError as wrong:
            raise SimulationError(str(wrong)) from None

    def _learn_request(self, operation: str, mode: ModeName) -> tuple[bytes, Codec]:
        request = codec(self.spec, operation, mode, "request")
        command = self.spec.operation(operation).request_number
        assert command is not None
        known = self._requests[operation, mode] = (GenlMsgHdr(command, self.version).pack(), request)
        return known

    def decode(
        self, operation: str, mode: ModeName, data: Buffer, start: int = 0, end: int | None = None
    ) -> dict[str, Any]:
        """Decode the attributes of a reply in `data[start:end]`.

        Raise Malformed if an attribute is malformed.
        """
        reply = self._replies.get((operation, mode))
        if reply is None:
            reply = self._replies[operation, mode] = codec(self.spec, operation, mode, "reply")
        return reply.decode(data, start + GENL_HDRLEN, end)

    def decode_event(self, type: int, data: bytes, start: int, end: int) -> tuple[str, dict[str, Any]] | None:
        """Return the name and the attributes of an event, or None if the specification does not define the
        event.
        """
        if type != self.id or start == end:
            return None
        name = self._events.get(data[start])  # the command is the first byte of genlmsghdr
        if name is None:
            return None
        return name, codec(self.spec, name, "event", "reply").decode(data, start + GENL_HDRLEN, end)

    def name_of(self, operation: str, number: int) -> str:
        """Return the name of a top-level attribute in a request. `operation` is the name of the request, and
        `number` is the attribute type. Return the number as text if the specification does not define it.
        """
        return self._named(self.spec.operation(operation).attribute_set, number)

    def name_at(self, operation: str, request: bytes, offset: int) -> str | None:
        """Return the name of the attribute that contains the byte at `offset` of a request, or None if no
        attribute does.  The name of a nested attribute is a dotted path.
        """
        path: list[str] = []
        inside: str | None = self.spec.operation(operation).attribute_set
        start, end = NLMSG_HDRLEN + GENL_HDRLEN, len(request)
        while inside:
            located, _ = locate_attributes(request, start, end)
            around = [each for each in located if each[1] - NLA_HDRLEN <= offset < each[2]]
            if not around:
                break
            type, start, end = around[0]
            name = self._named(inside, type & NLA_TYPE_MASK)
            path.append(name)
            known = self.spec.attribute_sets[inside].attributes.get(name)
            inside = known.nested if known is not None and offset >= start else None
        return ".".join(path) or None

    def _named(self, attribute_set: str, number: int) -> str:
        attributes = self.spec.attribute_sets[attribute_set].attributes.values()
        return next((each.name for each in attributes if each.number == number), str(number))


async def resolve(sock: NetlinkSocket, name: str, spec: Spec) -> ResolvedFamily:
    """Look up a family with CTRL_CMD_GETFAMILY.

    Raise FileNotFoundError if no family `name` is registered.
    """
    request = GenlMsgHdr(CTRL_CMD_GETFAMILY).pack() + attribute(CTRL_ATTR_FAMILY_NAME, name.encode() + b"\0")
    await sock.sendto(message(GENL_ID_CTRL, request, flags=NLM_F_REQUEST), (0, 0))
    payload = reply(await sock.recv(BUFFER), f"generic netlink family {name!r}")
    found = {type & NLA_TYPE_MASK: value for type, value in iterate_attributes(payload, GENL_HDRLEN)}
    return ResolvedFamily(
        U16.unpack(found[CTRL_ATTR_FAMILY_ID])[0],
        U32.unpack(found[CTRL_ATTR_VERSION])[0],
        _groups(found.get(CTRL_ATTR_MCAST_GROUPS, memoryview(b""))),
        spec,
    )


def _groups(nest: memoryview) -> dict[str, int]:
    groups = {}
    for _, entry in iterate_attributes(nest):
        fields = {type & NLA_TYPE_MASK: value for type, value in iterate_attributes(entry)}
        name = bytes(fields[CTRL_ATTR_MCAST_GRP_NAME]).rstrip(b"\0").decode()
        groups[name] = U32.unpack(fields[CTRL_ATTR_MCAST_GRP_ID])[0]
    return groups
