"""What an operation is given: the request, and means to answer it (`struct genl_info`)."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NoReturn

from simkernel.kernel.net.truesize import GOOD_TRUESIZES, GOODSIZE, truesize
from simkernel.kernel.netlink.message import Request
from simkernel.uapi.errno import os_error
from simkernel.uapi.genetlink import GENL_HDRLEN, GenlMsgHdr
from simkernel.uapi.netlink import NLMSG_HDRLEN, NlMsgHdr

if TYPE_CHECKING:
    from simkernel.kernel.netlink.dump import DumpCallback
    from simkernel.kernel.netlink.genetlink.family import Family, Operation
    from simkernel.kernel.netlink.policy import Found
    from simkernel.kernel.sched.credentials import Credentials

SHORTEST: Final = NLMSG_HDRLEN + GENL_HDRLEN
"""Bytes of the headers of a message."""

_pack = Struct(NlMsgHdr.LAYOUT.format + GenlMsgHdr.LAYOUT.format.lstrip("<")).pack


class Info(Request):
    """A request to a family.  `found` says where its attributes are, the last of each type.

    A dump has besides `callback`, which is how netlink sees it, and `state`, where it keeps how far
    it has come.
    """

    __slots__ = ("callback", "family", "found", "operation", "state")

    family: Family
    operation: Operation
    found: Found
    callback: DumpCallback
    state: Any

    @property
    def credentials(self) -> Credentials:
        """What who asks may do."""
        return self.task.credentials

    @property
    def attributes_start(self) -> int:
        """Where in `data` the attributes begin."""
        return self.start + self.family.attributes_offset

    def payload(self, type: int) -> bytes | None:
        """The payload of an attribute; None if it is not there."""
        place = self.found.get(type)
        return None if place is None else self.data[place[0] : place[1]]

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
            extack.attribute(place[0] - 4 - self.start)
        if missing is not None:
            extack.missing_type = missing
        raise os_error(error)

    def message(self, command: int, attributes: bytes, flags: int = 0) -> bytes:
        """A message that answers the request, its attributes padded (`genlmsg_put()`)."""
        family = self.family
        portid, length = self.inbound.sender.portid, SHORTEST + len(attributes)
        headers = _pack(length, family.id, flags, self.seq, portid, command, family.version, 0)
        return headers + attributes

    def reply(self, command: int, attributes: bytes, flags: int = 0) -> None:
        """Send one message back (`genlmsg_reply()`).  EAGAIN if its queue has no room."""
        sock, family = self.sock, self.family
        netlink = sock.netlink
        netlink.engine.charged += netlink.prices.genl_reply
        portid, length = self.inbound.sender.portid, SHORTEST + len(attributes)
        headers = _pack(length, family.id, flags, self.seq, portid, command, family.version, 0)
        try:
            size = GOOD_TRUESIZES[length]
        except IndexError:
            size = truesize(GOODSIZE, length)
        sock.send_in(headers + attributes, portid, size)
