"""The extended ACK: attributes at the end of a netlink reply that describe an error in more detail than its
errno.

Source: netlink_ack(), netlink_ack_tlv_fill() and netlink_dump_done() in net/netlink/af_netlink.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Self

import attrs

from simkernel.uapi.netlink import (
    NLA_F_NESTED,
    NLA_TYPE_MASK,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLMSG_DONE,
    NLMSG_HDRLEN,
    NLMSGERR_ATTR_COOKIE,
    NLMSGERR_ATTR_MISS_NEST,
    NLMSGERR_ATTR_MISS_TYPE,
    NLMSGERR_ATTR_MSG,
    NLMSGERR_ATTR_OFFS,
    NLMSGERR_ATTR_POLICY,
    NlMsgErr,
    NlMsgHdr,
    align4,
    attribute,
    iterate_attributes,
)
from simkernel.uapi.structure import S32, U32, Buffer, Malformed


def _text(payload: Buffer) -> str:
    return bytes(payload).partition(b"\0")[0].decode("utf-8", "replace")


def _number(payload: Buffer) -> int:
    if len(payload) != U32.size:
        raise Malformed(f"a number in an extended ACK: expected {U32.size} bytes, found {len(payload)}")
    number: int = U32.unpack(payload)[0]
    return number


# One row for each attribute, in the kernel's order: field of ExtAck, attribute type, encoder, decoder.
_ATTRIBUTES: Final[tuple[tuple[str, int, Callable[[Any], bytes], Callable[[Buffer], Any]], ...]] = (
    ("message", NLMSGERR_ATTR_MSG, lambda text: text.encode("utf-8", "surrogateescape") + b"\0", _text),
    ("cookie", NLMSGERR_ATTR_COOKIE, bytes, bytes),
    ("offset", NLMSGERR_ATTR_OFFS, U32.pack, _number),
    ("policy", NLMSGERR_ATTR_POLICY | NLA_F_NESTED, bytes, bytes),
    ("missing_type", NLMSGERR_ATTR_MISS_TYPE, U32.pack, _number),
    ("missing_nest", NLMSGERR_ATTR_MISS_NEST, U32.pack, _number),
)
_FIELDS: Final = {type & NLA_TYPE_MASK: (name, decode) for name, type, _, decode in _ATTRIBUTES}


@attrs.frozen
class ExtAck:
    """The content of an extended ACK.  A field is None if the ACK does not have it.

    `offset` is the position of the invalid attribute in the request.  `policy` is the policy that it
    violates, as NL_POLICY_TYPE_ATTR_ attributes.  `missing_type` is the type of a missing attribute, and
    `missing_nest` the position of the nest that should contain it.  Positions count from the header of the
    request.
    """

    message: str | None = None
    cookie: bytes | None = None
    offset: int | None = None
    policy: bytes | None = None
    missing_type: int | None = None
    missing_nest: int | None = None

    def pack(self) -> bytes:
        """Return the encoded attributes of the extended ACK, in the kernel's order."""
        return b"".join(
            attribute(type, encode(value))
            for name, type, encode, _ in _ATTRIBUTES
            if (value := getattr(self, name)) is not None
        )

    @classmethod
    def unpack(cls, data: Buffer, offset: int = 0) -> Self:
        """Decode the attributes from `offset` on.  Unknown attributes are ignored.  Raises Malformed."""
        values = {}
        for type, payload in iterate_attributes(memoryview(data), offset):
            if (known := _FIELDS.get(type & NLA_TYPE_MASK)) is not None:
                name, decode = known
                values[name] = decode(payload)
        return cls(**values)


def extended_ack(header: NlMsgHdr, payload: Buffer) -> ExtAck:
    """Return the extended ACK of a reply. The reply is an NLMSG_ERROR, or the NLMSG_DONE that ends a dump.
    Raises Malformed.
    """
    if not header.flags & NLM_F_ACK_TLVS:
        return ExtAck()
    offset = S32.size if header.type == NLMSG_DONE else _end_of_request(header, payload)
    if offset > len(payload):
        raise Malformed(f"extended ACK: expected at offset {offset}, but the reply ends at {len(payload)}")
    return ExtAck.unpack(payload, offset)


def _end_of_request(header: NlMsgHdr, payload: Buffer) -> int:
    """Return the offset in the payload of an NLMSG_ERROR at which the copy of the request ends. The copy is
    the whole request, or only the request's header.
    """
    if header.flags & NLM_F_CAPPED:
        return NlMsgErr.SIZE
    length = NlMsgErr.unpack(payload).length
    if length < NLMSG_HDRLEN:
        raise Malformed(
            f"copy of the request in an NLMSG_ERROR: expected at least {NLMSG_HDRLEN} bytes, found {length}"
        )
    return NlMsgErr.SIZE + align4(length) - NLMSG_HDRLEN
