"""Classification of datagrams from the kernel by their first message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simkernel.uapi import netlink as nl
from simkernel.uapi.errno import error_name
from simkernel.uapi.structure import S32
from tests.conformance import wire

LARGEST_ERRNO: Final = 4095
ERROR_SIZE: Final = nl.NLMSG_HDRLEN + S32.size
TLVS: Final = {
    nl.NLMSGERR_ATTR_MSG: "text",
    nl.NLMSGERR_ATTR_OFFS: "offset",
    nl.NLMSGERR_ATTR_COOKIE: "cookie",
    nl.NLMSGERR_ATTR_POLICY: "policy",
    nl.NLMSGERR_ATTR_MISS_TYPE: "missing",
    nl.NLMSGERR_ATTR_MISS_NEST: "nest",
}
"""Names of the attributes of an extended ACK."""


def answer_name(protocol: int, data: bytes) -> str:
    """Return the kind of a datagram from a kernel: `EINVAL +text +offset`, `ACK`, `part of a dump` ..."""
    if len(data) < ERROR_SIZE:
        return "cut short"
    length, type, flags, _, _ = nl.NlMsgHdr.LAYOUT.unpack_from(data)
    if protocol == nl.NETLINK_KOBJECT_UEVENT and (type != nl.NLMSG_ERROR or b"SEQNUM=" in data[length:]):
        return "uevent"
    if len(data) < length:
        return "cut short"
    if type == nl.NLMSG_ERROR:
        return _error_name(data[:length], flags)
    if type == nl.NLMSG_DONE:
        return "DONE"
    return "part of a dump" if flags & nl.NLM_F_MULTI else "message"


def _error_name(message: bytes, flags: int) -> str:
    number = -S32.unpack_from(message, nl.NLMSG_HDRLEN)[0]
    if not 0 <= number <= LARGEST_ERRNO:
        return "an error that is none"
    extended = "".join(f" +{each}" for each in _extended_ack(message)) if flags & nl.NLM_F_ACK_TLVS else ""
    return f"{error_name(number) if number else 'ACK'}{extended}"


def _extended_ack(message: bytes) -> Iterator[str]:
    """Return the names of the extended ACK's attributes, which follow the request or its header."""
    if len(message) < ERROR_SIZE + nl.NLMSG_HDRLEN:
        return
    (request_length, *_) = nl.NlMsgHdr.LAYOUT.unpack_from(message, ERROR_SIZE)
    capped = nl.NlMsgHdr.LAYOUT.unpack_from(message)[2] & nl.NLM_F_CAPPED
    start = ERROR_SIZE + (nl.NLMSG_HDRLEN if capped else nl.align4(request_length))
    for type, _ in wire.attrs(message[start:]):
        yield TLVS.get(type & nl.NLA_TYPE_MASK, str(type))
