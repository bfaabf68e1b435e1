"""Writing of messages into a buffer of limited size (nlmsg_put(), nla_put() and similar functions)."""

from __future__ import annotations

from typing import Final

from simkernel.uapi.netlink import NLA_F_NESTED, NLMSG_HDRLEN, NlAttr, NlMsgHdr, align4
from simkernel.uapi.structure import U16, U32, U64

_HEADER = NlMsgHdr.LAYOUT
_ATTRIBUTE = NlAttr.LAYOUT
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")


class BufferFull(Exception):
    """Raised if a message or an attribute does not fit into the writer's buffer.

    A caller that has begun a message or a nest removes it with `cut`, and raises the exception again.
    """


class MessageWriter:
    """A writer of consecutive messages into a buffer of `size` bytes.

    A message is written between `begin` and `end`, a nested attribute between `nest` and `end_nest`. `cut`
    removes everything from an offset to the end.
    """

    __slots__ = ("data", "size")

    def __init__(self, size: int) -> None:
        self.data = bytearray()
        self.size = size

    @property
    def tailroom(self) -> int:
        """Number of unused bytes in the buffer (`skb_tailroom()`)."""
        return self.size - len(self.data)

    def append(self, data: bytes) -> None:
        """Append bytes, and pad them to a multiple of 4. Raise BufferFull if they do not fit."""
        if align4(len(data)) > self.tailroom:
            raise BufferFull
        self.data += data
        self.data += _PADDING[len(data) & 3]

    def begin(self, type: int, flags: int, seq: int, portid: int, header: bytes = b"") -> int:
        """Begin a message and return its offset (`nlmsg_put()`). `header` is the protocol's own header, which
        follows the netlink header.
        """
        place = len(self.data)
        length = NLMSG_HDRLEN + len(header)
        self.append(_HEADER.pack(length, type, flags, seq, portid) + header)
        return place

    def end(self, place: int) -> None:
        """End the message that began at offset `place`: set the length in its header (`nlmsg_end()`)."""
        U32.pack_into(self.data, place, len(self.data) - place)

    def cut(self, place: int) -> None:
        """Remove everything from offset `place` to the end (`nlmsg_cancel()`, `nla_nest_cancel()`)."""
        del self.data[place:]

    def put(self, type: int, payload: bytes) -> None:
        """Append an attribute (`nla_put()`). Raise BufferFull if it does not fit."""
        length = _ATTRIBUTE.size + len(payload)
        self.append(_ATTRIBUTE.pack(length, type) + payload)

    def put_u16(self, type: int, value: int) -> None:
        """Append an attribute with an unsigned 16-bit value."""
        self.put(type, U16.pack(value))

    def put_u32(self, type: int, value: int) -> None:
        """Append an attribute with an unsigned 32-bit value."""
        self.put(type, U32.pack(value))

    def put_u64(self, type: int, value: int) -> None:
        """Append an attribute with a signed or unsigned 64-bit value. On x86-64, Linux does not align the
        value to 8 bytes.
        """
        self.put(type, U64.pack(value & 0xFFFF_FFFF_FFFF_FFFF))

    def put_string(self, type: int, text: str) -> None:
        """Append an attribute with a string, and terminate the string with a NUL."""
        self.put(type, text.encode("utf-8", "surrogateescape") + b"\0")

    def nest(self, type: int) -> int:
        """Begin a nested attribute, with NLA_F_NESTED set, and return its offset (`nla_nest_start()`)."""
        return self.nest_plain(type | NLA_F_NESTED)

    def nest_plain(self, type: int) -> int:
        """Begin a nested attribute without NLA_F_NESTED, and return its offset
        (`nla_nest_start_noflag()`).
        """
        place = len(self.data)
        self.put(type, b"")
        return place

    def end_nest(self, place: int) -> None:
        """End the nested attribute at offset `place`: set its length (`nla_nest_end()`)."""
        U16.pack_into(self.data, place, len(self.data) - place)
