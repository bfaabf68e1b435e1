"""Writing messages into a buffer of a given size (nlmsg_put(), nla_put() and friends)."""

from __future__ import annotations

from typing import Final

from simkernel.uapi.netlink import NLA_F_NESTED, NLMSG_HDRLEN, NlAttr, NlMsgHdr, align4
from simkernel.uapi.structure import U16, U32, U64

_HEADER = NlMsgHdr.LAYOUT
_ATTRIBUTE = NlAttr.LAYOUT
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")


class NoRoom(Exception):
    """The buffer is full.  The caller cuts off what it began, and raises this again."""


class MessageWriter:
    """Messages one after the other in a buffer of `size` bytes.

    `begin` and `end` go round a message, `nest` and `end_nest` round an attribute that holds others;
    `cut` takes back what was written from a place on.
    """

    __slots__ = ("data", "size")

    def __init__(self, size: int) -> None:
        self.data = bytearray()
        self.size = size

    @property
    def tailroom(self) -> int:
        """Bytes that are left (skb_tailroom())."""
        return self.size - len(self.data)

    def append(self, data: bytes) -> None:
        """Bytes as they are, filled up to a multiple of 4."""
        if align4(len(data)) > self.tailroom:
            raise NoRoom
        self.data += data
        self.data += _PADDING[len(data) & 3]

    def begin(self, type: int, flags: int, seq: int, portid: int, header: bytes = b"") -> int:
        """A message with its family's own header; returns its place (nlmsg_put())."""
        place = len(self.data)
        length = NLMSG_HDRLEN + len(header)
        self.append(_HEADER.pack(length, type, flags, seq, portid) + header)
        return place

    def end(self, place: int) -> None:
        """The message that began at `place` ends here (nlmsg_end())."""
        U32.pack_into(self.data, place, len(self.data) - place)

    def cut(self, place: int) -> None:
        """Take back all from `place` on (nlmsg_cancel(), nla_nest_cancel())."""
        del self.data[place:]

    def put(self, type: int, payload: bytes) -> None:
        """An attribute (nla_put())."""
        length = _ATTRIBUTE.size + len(payload)
        self.append(_ATTRIBUTE.pack(length, type) + payload)

    def put_u16(self, type: int, value: int) -> None:
        """An attribute with 2 bytes."""
        self.put(type, U16.pack(value))

    def put_u32(self, type: int, value: int) -> None:
        """An attribute with 4 bytes."""
        self.put(type, U32.pack(value))

    def put_u64(self, type: int, value: int) -> None:
        """An attribute with 8 bytes, of either sign; on x86-64 it need not be aligned to 8."""
        self.put(type, U64.pack(value & 0xFFFF_FFFF_FFFF_FFFF))

    def put_string(self, type: int, text: str) -> None:
        """An attribute with a text and its NUL."""
        self.put(type, text.encode("utf-8", "surrogateescape") + b"\0")

    def nest(self, type: int) -> int:
        """An attribute that holds others, with NLA_F_NESTED; returns its place (nla_nest_start())."""
        return self.nest_plain(type | NLA_F_NESTED)

    def nest_plain(self, type: int) -> int:
        """The same without the flag (nla_nest_start_noflag())."""
        place = len(self.data)
        self.put(type, b"")
        return place

    def end_nest(self, place: int) -> None:
        """What the attribute at `place` holds ends here (nla_nest_end())."""
        U16.pack_into(self.data, place, len(self.data) - place)
