"""What an operation is given: the request, and means to answer it (`struct genl_info`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from simkernel.kernel.net.truesize import GOODSIZE
from simkernel.uapi.errno import os_error
from simkernel.uapi.genetlink import GenlMsgHdr
from simkernel.uapi.netlink import NLMSG_HDRLEN, align4, message

if TYPE_CHECKING:
    from simkernel.kernel.net.namespace import Net
    from simkernel.kernel.netlink.dump import DumpCallback
    from simkernel.kernel.netlink.extack import ExtendedAck
    from simkernel.kernel.netlink.genetlink.family import Family, Operation
    from simkernel.kernel.netlink.message import Request
    from simkernel.kernel.netlink.policy import Found
    from simkernel.kernel.task.credentials import Credentials

_HEADER = GenlMsgHdr.LAYOUT


class Info:
    """A request to a family.  `found` says where its attributes are, the last of each type."""

    __slots__ = ("callback", "family", "found", "operation", "request", "state")

    def __init__(self, request: Request, family: Family, operation: Operation, found: Found) -> None:
        self.request = request
        self.family = family
        self.operation = operation
        self.found = found
        self.callback: DumpCallback | None = None
        """The dump under way, if it is one."""
        self.state: Any = None
        """Where a dump keeps how far it has come."""

    @property
    def net(self) -> Net:
        """The namespace that it was asked in."""
        return self.request.net

    @property
    def portid(self) -> int:
        """Who asks."""
        return self.request.portid

    @property
    def credentials(self) -> Credentials:
        """What who asks may do."""
        return self.request.task.credentials

    @property
    def extack(self) -> ExtendedAck:
        """What the answer will say besides a number."""
        return self.request.extack

    @property
    def attributes_start(self) -> int:
        """Where in the request its attributes begin."""
        return self.request.start + NLMSG_HDRLEN + align4(_HEADER.size + self.family.header_size)

    def payload(self, type: int) -> bytes | None:
        """The payload of an attribute; None if it is not there."""
        place = self.found.get(type)
        return None if place is None else self.request.data[place[0] : place[1]]

    def capable(self, capability: int) -> bool:
        """Whether who asks has a capability (`netlink_capable()`)."""
        return self.request.capable(capability)

    def fail(
        self, error: int, text: str | None = None, *, attribute: int | None = None, missing: int | None = None
    ) -> NoReturn:
        """Refuse the request with an errno, and say why: a text, the type of the attribute that is at
        fault, or of the one that should have been there.
        """
        extack = self.extack
        if text is not None:
            extack.message = text
        if attribute is not None and (place := self.found.get(attribute)) is not None:
            extack.attribute(place[0] - 4 - self.request.start)
        if missing is not None:
            extack.missing_type = missing
        raise os_error(error)

    def message(self, command: int, attributes: bytes, *, flags: int = 0) -> bytes:
        """A message that answers the request (`genlmsg_put()`)."""
        request = self.request
        body = _HEADER.pack(command, self.family.version, 0) + attributes
        return message(self.family.id, body, flags=flags, seq=request.seq, pid=request.portid)

    def reply(self, command: int, attributes: bytes, *, flags: int = 0) -> None:
        """Send one message back (`genlmsg_reply()`).  EAGAIN if its queue has no room."""
        request = self.request
        data = self.message(command, attributes, flags=flags)
        sock = request.sock
        sock.netlink.engine.charged += sock.netlink.costs.genl_reply
        sock.unicast(sock.skb(data, allotted=GOODSIZE), request.portid)
