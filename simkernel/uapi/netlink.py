"""Netlink: constants, structures, and the encoding of messages and attributes.

Sources: include/uapi/linux/netlink.h, include/linux/netlink.h, include/net/netlink.h.

A datagram is a sequence of messages.  A message is a header, optionally a header of its family, and a
sequence of attributes.  Messages and attributes are aligned to 4 bytes.  Field names omit the C prefix:
`nlmsg_len` is `length`, `nlmsg_pid`, a port id, is `pid`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from struct import Struct
from typing import Final

import attrs

from simkernel.uapi.errno import error_name, os_error
from simkernel.uapi.socket import AF_NETLINK
from simkernel.uapi.structure import S32, B, Buffer, Structure
from simkernel.uapi.structure import Malformed as Malformed

# Protocols, for the third argument of socket().
NETLINK_ROUTE: Final = 0
NETLINK_UNUSED: Final = 1
NETLINK_USERSOCK: Final = 2
NETLINK_FIREWALL: Final = 3
NETLINK_SOCK_DIAG: Final = 4
NETLINK_INET_DIAG: Final = NETLINK_SOCK_DIAG
NETLINK_NFLOG: Final = 5
NETLINK_XFRM: Final = 6
NETLINK_SELINUX: Final = 7
NETLINK_ISCSI: Final = 8
NETLINK_AUDIT: Final = 9
NETLINK_FIB_LOOKUP: Final = 10
NETLINK_CONNECTOR: Final = 11
NETLINK_NETFILTER: Final = 12
NETLINK_IP6_FW: Final = 13
NETLINK_DNRTMSG: Final = 14
NETLINK_KOBJECT_UEVENT: Final = 15
NETLINK_GENERIC: Final = 16
NETLINK_SCSITRANSPORT: Final = 18
NETLINK_ECRYPTFS: Final = 19
NETLINK_RDMA: Final = 20
NETLINK_CRYPTO: Final = 21
NETLINK_SMC: Final = 22
MAX_LINKS: Final = 32

# Socket options of level SOL_NETLINK.
NETLINK_ADD_MEMBERSHIP: Final = 1
NETLINK_DROP_MEMBERSHIP: Final = 2
NETLINK_PKTINFO: Final = 3
NETLINK_BROADCAST_ERROR: Final = 4
NETLINK_NO_ENOBUFS: Final = 5
NETLINK_RX_RING: Final = 6
NETLINK_TX_RING: Final = 7
NETLINK_LISTEN_ALL_NSID: Final = 8
NETLINK_LIST_MEMBERSHIPS: Final = 9
NETLINK_CAP_ACK: Final = 10
NETLINK_EXT_ACK: Final = 11
NETLINK_GET_STRICT_CHK: Final = 12

# Message types below NLMSG_MIN_TYPE are reserved for netlink's control messages.
NLMSG_NOOP: Final = 1
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
NLMSG_OVERRUN: Final = 4
NLMSG_MIN_TYPE: Final = 0x10

# Flags of all messages.
NLM_F_REQUEST: Final = 0x01
NLM_F_MULTI: Final = 0x02
NLM_F_ACK: Final = 0x04
NLM_F_ECHO: Final = 0x08
NLM_F_DUMP_INTR: Final = 0x10
NLM_F_DUMP_FILTERED: Final = 0x20
# Flags of a GET request.
NLM_F_ROOT: Final = 0x100
NLM_F_MATCH: Final = 0x200
NLM_F_ATOMIC: Final = 0x400
NLM_F_DUMP: Final = NLM_F_ROOT | NLM_F_MATCH
# Flags of a NEW request.
NLM_F_REPLACE: Final = 0x100
NLM_F_EXCL: Final = 0x200
NLM_F_CREATE: Final = 0x400
NLM_F_APPEND: Final = 0x800
# Flags of a DELETE request.
NLM_F_NONREC: Final = 0x100
NLM_F_BULK: Final = 0x200
# Flags of an NLMSG_ERROR.
NLM_F_CAPPED: Final = 0x100
NLM_F_ACK_TLVS: Final = 0x200

# Attributes of the extended ACK, which follow an nlmsgerr.
NLMSGERR_ATTR_UNUSED: Final = 0
NLMSGERR_ATTR_MSG: Final = 1
NLMSGERR_ATTR_OFFS: Final = 2
NLMSGERR_ATTR_COOKIE: Final = 3
NLMSGERR_ATTR_POLICY: Final = 4
NLMSGERR_ATTR_MISS_TYPE: Final = 5
NLMSGERR_ATTR_MISS_NEST: Final = 6
NLMSGERR_ATTR_MAX: Final = NLMSGERR_ATTR_MISS_NEST
NETLINK_MAX_COOKIE_LEN: Final = 20

# The two upper bits of an attribute type are flags.
NLA_F_NESTED: Final = 1 << 15
NLA_F_NET_BYTEORDER: Final = 1 << 14
NLA_TYPE_MASK: Final = ~(NLA_F_NESTED | NLA_F_NET_BYTEORDER)

# Attribute types in a policy dump (enum netlink_attribute_type).
NL_ATTR_TYPE_INVALID: Final = 0
NL_ATTR_TYPE_FLAG: Final = 1
NL_ATTR_TYPE_U8: Final = 2
NL_ATTR_TYPE_U16: Final = 3
NL_ATTR_TYPE_U32: Final = 4
NL_ATTR_TYPE_U64: Final = 5
NL_ATTR_TYPE_S8: Final = 6
NL_ATTR_TYPE_S16: Final = 7
NL_ATTR_TYPE_S32: Final = 8
NL_ATTR_TYPE_S64: Final = 9
NL_ATTR_TYPE_BINARY: Final = 10
NL_ATTR_TYPE_STRING: Final = 11
NL_ATTR_TYPE_NUL_STRING: Final = 12
NL_ATTR_TYPE_NESTED: Final = 13
NL_ATTR_TYPE_NESTED_ARRAY: Final = 14
NL_ATTR_TYPE_BITFIELD32: Final = 15
NL_ATTR_TYPE_SINT: Final = 16
NL_ATTR_TYPE_UINT: Final = 17

# Attributes of a policy dump (enum netlink_policy_type_attr).
NL_POLICY_TYPE_ATTR_UNSPEC: Final = 0
NL_POLICY_TYPE_ATTR_TYPE: Final = 1
NL_POLICY_TYPE_ATTR_MIN_VALUE_S: Final = 2
NL_POLICY_TYPE_ATTR_MAX_VALUE_S: Final = 3
NL_POLICY_TYPE_ATTR_MIN_VALUE_U: Final = 4
NL_POLICY_TYPE_ATTR_MAX_VALUE_U: Final = 5
NL_POLICY_TYPE_ATTR_MIN_LENGTH: Final = 6
NL_POLICY_TYPE_ATTR_MAX_LENGTH: Final = 7
NL_POLICY_TYPE_ATTR_POLICY_IDX: Final = 8
NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE: Final = 9
NL_POLICY_TYPE_ATTR_BITFIELD32_MASK: Final = 10
NL_POLICY_TYPE_ATTR_PAD: Final = 11
NL_POLICY_TYPE_ATTR_MASK: Final = 12
NL_POLICY_TYPE_ATTR_MAX: Final = NL_POLICY_TYPE_ATTR_MASK

NLMSG_ALIGNTO: Final = 4
NLMSG_HDRLEN: Final = 16
NLA_HDRLEN: Final = 4

# Maximum payload of an attribute in bytes: the length field of its header has 16 bits.
NLA_MAX_PAYLOAD: Final = 0xFFFF - NLA_HDRLEN


@attrs.frozen
class SockaddrNl(Structure):
    """struct sockaddr_nl, a netlink address: a port id, and a mask of the multicast groups 1 to 32."""

    LAYOUT = Struct("<HHII")

    family: int = AF_NETLINK
    pad: int = 0
    pid: int = 0
    groups: int = 0


@attrs.frozen
class NlPktinfo(Structure):
    """struct nl_pktinfo: the multicast group to which a received datagram was sent (option
    NETLINK_PKTINFO).
    """

    LAYOUT = Struct("<I")

    group: int


@attrs.frozen
class NlMsgHdr(Structure):
    """struct nlmsghdr, the header of a message.

    `length` includes the header, but not the padding at the end.
    """

    LAYOUT = Struct("<IHHII")

    length: int
    type: int
    flags: int = 0
    seq: int = 0
    pid: int = 0


@attrs.frozen
class NlMsgErr(Structure):
    """struct nlmsgerr, the beginning of an NLMSG_ERROR's payload: a negative errno or 0, and the header of
    the request that the kernel has rejected or acknowledged.
    """

    LAYOUT = Struct("<iIHHII")

    error: int
    length: int
    type: int
    flags: int = 0
    seq: int = 0
    pid: int = 0


@attrs.frozen
class NlAttr(Structure):
    """struct nlattr, the header of an attribute.

    `length` includes the header, but not the padding at the end.
    """

    LAYOUT = Struct("<HH")

    length: int
    type: int


@attrs.frozen
class NlaBitfield32(Structure):
    """struct nla_bitfield32: only those bits of `value` are valid that are set in `selector`."""

    LAYOUT = Struct("<II")

    value: int
    selector: int


_MESSAGE = NlMsgHdr.LAYOUT
_ATTRIBUTE = NlAttr.LAYOUT
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def align4(length: int) -> int:
    """Return `length` rounded up to the alignment of messages and attributes."""
    return (length + 3) & ~3


def message(type: int, payload: bytes = b"", *, flags: int = 0, seq: int = 0, pid: int = 0) -> bytes:
    """Return an encoded message.  It ends with padding, as in __nlmsg_put(), so another message can
    follow.
    """
    length = NLMSG_HDRLEN + len(payload)
    return _MESSAGE.pack(length, type, flags, seq, pid) + payload + _PADDING[length & 3]


def attribute(type: int, payload: bytes = b"") -> bytes:
    """Return an encoded attribute.  It ends with padding, as in __nla_reserve(), so another attribute can
    follow.
    """
    length = NLA_HDRLEN + len(payload)
    try:
        return _ATTRIBUTE.pack(length, type) + payload + _PADDING[length & 3]
    except struct.error:
        raise ValueError(
            f"cannot encode an attribute of type {type} with {len(payload)} bytes: "
            f"a type has 16 bits, a payload at most {NLA_MAX_PAYLOAD} bytes"
        ) from None


def nested(type: int, *attributes: bytes) -> bytes:
    """Return an encoded nest of `attributes`.  It has the flag NLA_F_NESTED, as nla_nest_start() sets it."""
    return attribute(type | NLA_F_NESTED, b"".join(attributes))


Header = tuple[int, int, int, int, int]
"""The header of a message as a tuple: length, type, flags, sequence number, port id."""


def locate_messages(data: Buffer) -> tuple[list[tuple[Header, int, int]], int]:
    """Return the position of each message in a datagram, and the number of bytes after the last message.

    Each position is (header, start of the payload, end of the payload).  This is faster than
    `iterate_messages`, because it makes no objects.
    """
    offset, end = 0, len(data)
    found: list[tuple[Header, int, int]] = []
    unpack = _MESSAGE.unpack_from
    if end >= NLMSG_HDRLEN and (header := unpack(data, 0))[0] == end:
        return [(header, NLMSG_HDRLEN, end)], 0  # fast path: most datagrams have one message
    while end - offset >= NLMSG_HDRLEN:
        header = unpack(data, offset)
        length = header[0]
        if not NLMSG_HDRLEN <= length <= end - offset:
            break
        found.append((header, offset + NLMSG_HDRLEN, offset + length))
        offset += (length + 3) & ~3
    return found, max(end - offset, 0)


def iterate_messages(data: B) -> Iterator[tuple[NlMsgHdr, B]]:
    """Yield (header, payload) of each message in a datagram.  A payload is a slice of the datagram without
    the padding.

    Raises Malformed for bytes that are not a message, after yielding the messages before them.
    """
    located, left = locate_messages(data)
    for header, start, end in located:
        yield NlMsgHdr(*header), data[start:end]
    if left:
        offset = len(data) - left
        length = NlMsgHdr.unpack(data, offset).length
        raise _bad_length("message", offset, NLMSG_HDRLEN, len(data), length)


def reply(datagram: bytes, failure: str = "") -> memoryview:
    """Return the payload of a datagram's first message.  Raise OSError if the message is an NLMSG_ERROR whose
    errno is not 0.

    The OSError has the text `failure`, or the name of its errno.
    """
    header, payload = next(iterate_messages(memoryview(datagram)))
    if header.type == NLMSG_ERROR and (number := -S32.unpack_from(payload)[0]):
        raise os_error(number, failure or f"NLMSG_ERROR, {error_name(number)}")
    return payload


def iterate_attributes(data: B, offset: int = 0) -> Iterator[tuple[int, B]]:
    """Yield (type, payload) of each attribute from `offset` on.  A type includes its flag bits, such as
    NLA_F_NESTED.  A payload is a slice of `data`.

    Raises Malformed for bytes that are not an attribute, after yielding the attributes before them.
    """
    located, left = locate_attributes(data, offset)
    for type, start, end in located:
        yield type, data[start:end]
    if left:
        offset = len(data) - left
        raise _bad_length("attribute", offset, NLA_HDRLEN, len(data), NlAttr.unpack(data, offset).length)


def locate_attributes(
    data: Buffer, offset: int = 0, end: int | None = None
) -> tuple[list[tuple[int, int, int]], int]:
    """Return the position of each attribute in `data[offset:end]`, and the number of bytes after the last
    attribute.

    Each position is (type with flags, start of the payload, end of the payload).  Like
    nla_for_each_attr(), this stops without an error at an attribute that is shorter than its header or
    longer than the rest.
    """
    if end is None:
        end = len(data)
    found = []
    header = _ATTRIBUTE.unpack_from
    while end - offset >= NLA_HDRLEN:
        length, type = header(data, offset)
        if not NLA_HDRLEN <= length <= end - offset:
            break
        found.append((type, offset + NLA_HDRLEN, offset + length))
        offset += (length + 3) & ~3
    return found, max(end - offset, 0)


def _bad_length(what: str, offset: int, least: int, end: int, found: int) -> Malformed:
    return Malformed(
        f"{what} at offset {offset}: expected a length of {least} to {end - offset}, found {found}"
    )
