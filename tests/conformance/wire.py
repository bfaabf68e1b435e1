"""Encoding of netlink requests and decoding of replies.

Unlike `simkernel.uapi.netlink`, the functions can also encode malformed messages. They know nothing about
the kernel's behaviour.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from simkernel.uapi.genetlink import CTRL_ATTR_FAMILY_ID as A_FAMILY_ID
from simkernel.uapi.genetlink import CTRL_ATTR_FAMILY_NAME as A_FAMILY_NAME
from simkernel.uapi.genetlink import CTRL_ATTR_MCAST_GROUPS as A_MCAST
from simkernel.uapi.genetlink import CTRL_ATTR_OP as A_OP
from simkernel.uapi.genetlink import CTRL_ATTR_OPS as A_OPS
from simkernel.uapi.genetlink import CTRL_ATTR_VERSION as A_VERSION
from simkernel.uapi.genetlink import CTRL_CMD_GETFAMILY as CTRL_GETFAMILY
from simkernel.uapi.genetlink import CTRL_CMD_GETPOLICY as CTRL_GETPOLICY
from simkernel.uapi.genetlink import GENL_ID_CTRL, GenlMsgHdr
from simkernel.uapi.netlink import NETLINK_ADD_MEMBERSHIP as ADD_MEMBERSHIP
from simkernel.uapi.netlink import NETLINK_BROADCAST_ERROR as BROADCAST_ERROR
from simkernel.uapi.netlink import NETLINK_CAP_ACK as CAP_ACK
from simkernel.uapi.netlink import NETLINK_DROP_MEMBERSHIP as DROP_MEMBERSHIP
from simkernel.uapi.netlink import NETLINK_EXT_ACK as EXT_ACK
from simkernel.uapi.netlink import NETLINK_GENERIC as GENERIC
from simkernel.uapi.netlink import NETLINK_GET_STRICT_CHK as GET_STRICT_CHK
from simkernel.uapi.netlink import NETLINK_KOBJECT_UEVENT as UEVENT
from simkernel.uapi.netlink import NETLINK_LIST_MEMBERSHIPS as LIST_MEMBERSHIPS
from simkernel.uapi.netlink import NETLINK_LISTEN_ALL_NSID as LISTEN_ALL_NSID
from simkernel.uapi.netlink import NETLINK_NO_ENOBUFS as NO_ENOBUFS
from simkernel.uapi.netlink import NETLINK_PKTINFO as PKTINFO
from simkernel.uapi.netlink import NETLINK_ROUTE as ROUTE
from simkernel.uapi.netlink import NETLINK_USERSOCK as USERSOCK
from simkernel.uapi.netlink import NLA_F_NESTED as NESTED
from simkernel.uapi.netlink import NLA_F_NET_BYTEORDER as NET_BYTEORDER
from simkernel.uapi.netlink import NLM_F_ACK as ACK
from simkernel.uapi.netlink import NLM_F_ATOMIC as ATOMIC
from simkernel.uapi.netlink import NLM_F_DUMP as DUMP
from simkernel.uapi.netlink import NLM_F_ECHO as ECHO
from simkernel.uapi.netlink import NLM_F_MATCH as MATCH
from simkernel.uapi.netlink import NLM_F_REQUEST as REQUEST
from simkernel.uapi.netlink import NLM_F_ROOT as ROOT
from simkernel.uapi.netlink import NLMSG_DONE as DONE
from simkernel.uapi.netlink import NLMSG_ERROR as ERROR
from simkernel.uapi.netlink import NLMSG_HDRLEN as HDRLEN
from simkernel.uapi.netlink import NLMSG_NOOP as NOOP
from simkernel.uapi.netlink import NlAttr, NlMsgHdr, align4
from simkernel.uapi.socket import SOL_NETLINK
from simkernel.uapi.structure import U16, U32

__all__ = [
    "ACK",
    "ADD_MEMBERSHIP",
    "ATOMIC",
    "A_FAMILY_ID",
    "A_FAMILY_NAME",
    "A_MCAST",
    "A_OP",
    "A_OPS",
    "A_VERSION",
    "BROADCAST_ERROR",
    "CAP_ACK",
    "CTRL_GETFAMILY",
    "CTRL_GETPOLICY",
    "DONE",
    "DROP_MEMBERSHIP",
    "DUMP",
    "ECHO",
    "ERROR",
    "EXT_ACK",
    "GENERIC",
    "GENL_ID_CTRL",
    "GET_STRICT_CHK",
    "HDRLEN",
    "LISTEN_ALL_NSID",
    "LIST_MEMBERSHIPS",
    "MATCH",
    "NESTED",
    "NET_BYTEORDER",
    "NOOP",
    "NO_ENOBUFS",
    "PKTINFO",
    "REQUEST",
    "ROOT",
    "ROUTE",
    "SOL_NETLINK",
    "UEVENT",
    "USERSOCK",
    "attr",
    "attrs",
    "by_id",
    "by_name",
    "ctrl",
    "genl",
    "nlmsg",
    "split",
    "u16",
    "u32",
]

Header = tuple[int, int, int, int, int]
"""Fields of nlmsghdr: length, type, flags, sequence number, port id."""


def nlmsg(
    type: int,
    flags: int = REQUEST,
    payload: bytes = b"",
    *,
    seq: int = 0,
    pid: int = 0,
    length: int | None = None,
    pad: bool = True,
) -> bytes:
    """Encode one message. `length` replaces the length in its header. `pad` aligns the end of the message to
    4 bytes.
    """
    size = HDRLEN + len(payload)
    data = NlMsgHdr.LAYOUT.pack(size if length is None else length, type, flags, seq, pid) + payload
    return data + bytes(align4(size) - size) if pad else data


def genl(cmd: int, attrs: bytes = b"", *, version: int = 1, reserved: int = 0) -> bytes:
    """Encode a genlmsghdr followed by attributes."""
    return GenlMsgHdr.LAYOUT.pack(cmd, version, reserved) + attrs


def attr(type: int, payload: bytes = b"", *, length: int | None = None, pad: bool = True) -> bytes:
    """Encode one attribute. `length` replaces the length in its header. `pad` aligns the end of the attribute
    to 4 bytes.
    """
    size = NlAttr.SIZE + len(payload)
    data = NlAttr.LAYOUT.pack(size if length is None else length, type) + payload
    return data + bytes(align4(size) - size) if pad else data


def u16(number: int) -> bytes:
    """Encode a 16-bit integer in host byte order."""
    return U16.pack(number)


def u32(number: int) -> bytes:
    """Encode a 32-bit integer in host byte order."""
    return U32.pack(number)


def ctrl(
    cmd: int = CTRL_GETFAMILY, attrs: bytes = b"", flags: int = REQUEST, *, version: int = 1, seq: int = 1
) -> bytes:
    """Encode a request to nlctrl."""
    return nlmsg(GENL_ID_CTRL, flags, genl(cmd, attrs, version=version), seq=seq)


def by_name(name: bytes = b"nlctrl\0") -> bytes:
    """Encode CTRL_ATTR_FAMILY_NAME. The caller appends the NUL to the name."""
    return attr(A_FAMILY_NAME, name)


def by_id(ident: int = GENL_ID_CTRL) -> bytes:
    """Encode CTRL_ATTR_FAMILY_ID."""
    return attr(A_FAMILY_ID, u16(ident))


def split(data: bytes) -> Iterator[tuple[Header | None, bytes]]:
    """Yield (header, payload with padding) of each message, and (None, rest) for trailing bytes."""
    while data:
        if len(data) < HDRLEN:
            yield None, data
            return
        header: Header = NlMsgHdr.LAYOUT.unpack_from(data)
        if not HDRLEN <= header[0] <= len(data):
            yield None, data
            return
        end = align4(header[0])
        yield header, data[HDRLEN:end]
        data = data[end:]


def messages(data: bytes) -> Iterator[tuple[Header, bytes]]:
    """Yield (header, payload) of each message of a datagram. Assert that no bytes follow the last message."""
    for header, payload in split(data):
        assert header is not None, "the kernel sent a datagram with trailing bytes"
        yield header, payload


def attrs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (type, payload) of each attribute up to the first malformed one."""
    while len(data) >= NlAttr.SIZE:
        length, type = struct.unpack_from("<HH", data)
        if not NlAttr.SIZE <= length <= len(data):
            return
        yield type, data[NlAttr.SIZE : length]
        data = data[align4(length) :]
