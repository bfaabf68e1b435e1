"""Netlink datagrams in the format of strace: `[{header}, payload]`, or a list of several messages.

Source: the output of strace 6.13 on Linux, which is in the tests.  There is one deviation: strace prints
the first 16 bytes of every datagram of NETLINK_USERSOCK as a header.  Programs define the format of that
protocol (`netlink_add_usersock_entry()`), and most of them send plain text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simkernel.trace.strace.attributes import AttributeSet, attributes_text, listed
from simkernel.trace.strace.constants import Names, flags, names, number, pick
from simkernel.trace.strace.families import EXTENDED_ACK, NLCTRL, Family, identity, nlctrl
from simkernel.trace.strace.quoting import MAX_STRING, c_string, hexadecimal_string
from simkernel.uapi import errno, genetlink, netlink, rtnetlink
from simkernel.uapi.structure import S32, Buffer

_FLAGS: Final = dict(pick(netlink, "NLM_F_", "REQUEST MULTI ACK ECHO DUMP_INTR DUMP_FILTERED"))
_NEW_FLAGS: Final = dict(pick(netlink, "NLM_F_", "REPLACE EXCL CREATE APPEND"))
_DELETE_FLAGS: Final = dict(pick(netlink, "NLM_F_", "NONREC BULK"))
_GET_FLAGS: Final = dict(pick(netlink, "NLM_F_", "DUMP ROOT MATCH ATOMIC"))
_ACK_FLAGS: Final = dict(pick(netlink, "NLM_F_", "CAPPED ACK_TLVS"))
_ROUTE_FLAGS: Final = (_NEW_FLAGS, _DELETE_FLAGS, _GET_FLAGS, _NEW_FLAGS)
_CONTROL_TYPES: Final = pick(netlink, "NLMSG_", "NOOP ERROR DONE OVERRUN")
_ROUTE_TYPES: Final = names(rtnetlink, "RTM_", "RTM_BASE", "RTM_MAX", "RTM_F_")
_ERRORS: Final = names(errno, "E")


class Decoder:
    """Formats datagrams.  It learns the ids of families from nlctrl's messages.

    `look_up` returns the description of a family by name.
    """

    def __init__(self, look_up: Callable[[str], Family] = Family) -> None:
        self._look_up = look_up
        self._families: dict[int, Family] = {genetlink.GENL_ID_CTRL: NLCTRL}

    def learn(self, data: Buffer) -> None:
        """Store the id of a family if a message of NETLINK_GENERIC describes one."""
        if len(data) > netlink.NLMSG_HDRLEN and netlink.NlMsgHdr.unpack(data).type == genetlink.GENL_ID_CTRL:
            self._described(data[netlink.NLMSG_HDRLEN :])

    def _described(self, payload: Buffer) -> Family:
        """Return the generic netlink family that a message of nlctrl describes."""
        number, name = identity(payload)
        if number is None:
            return Family()
        if name is not None and number not in self._families:
            self._families[number] = self._look_up(name)
        return self._families.get(number, Family())

    def datagram(self, protocol: int | None, data: Buffer) -> str:
        """Format a sequence of messages.  `protocol` is None if it is unknown."""
        if protocol == netlink.NETLINK_USERSOCK and not _is_plausible(data):
            return c_string(data)
        found: list[str] = []
        offset = 0
        while len(data) - offset >= netlink.NLMSG_HDRLEN:
            if len(found) == MAX_STRING:
                found.append("...")
                break
            length = netlink.NlMsgHdr.unpack(data, offset).length
            found.append(self._message(protocol, data[offset : offset + max(length, netlink.NLMSG_HDRLEN)]))
            if length < netlink.NLMSG_HDRLEN:
                break
            offset += netlink.align4(length)
        else:
            if offset < len(data) or not found:
                found.append(hexadecimal_string(data[offset:]))
        return listed(found)

    def _message(self, protocol: int | None, data: Buffer) -> str:
        header = netlink.NlMsgHdr.unpack(data)
        text = self._header(protocol, header)
        payload = data[netlink.NLMSG_HDRLEN :]
        return f"[{text}, {self._payload(protocol, header, payload)}]" if len(payload) else text

    def _header(self, protocol: int | None, header: netlink.NlMsgHdr) -> str:
        kind, known = self._type(protocol, header.type)
        return (
            f"{{nlmsg_len={header.length}, nlmsg_type={kind}, nlmsg_flags={flags(header.flags, known)}, "
            f"nlmsg_seq={header.seq}, nlmsg_pid={header.pid}}}"
        )

    def _type(self, protocol: int | None, kind: int) -> tuple[str, Names]:
        """Return the name of a message type, and the flags that a message of this type can have."""
        if kind == netlink.NLMSG_ERROR:
            return _CONTROL_TYPES[kind], _FLAGS | _ACK_FLAGS
        if kind < netlink.NLMSG_MIN_TYPE:
            return number(kind, _CONTROL_TYPES, "NLMSG"), _FLAGS
        if protocol == netlink.NETLINK_GENERIC:
            known = {each: family.name for each, family in self._families.items()}
            return number(kind, known, "GENERIC_FAMILY"), _FLAGS | _GET_FLAGS
        if protocol == netlink.NETLINK_ROUTE:
            return number(kind, _ROUTE_TYPES, "RTM"), _FLAGS | _ROUTE_FLAGS[kind & 3]
        return number(kind, {}, "NLMSG"), _FLAGS

    def _payload(self, protocol: int | None, header: netlink.NlMsgHdr, payload: Buffer) -> str:
        if header.type == netlink.NLMSG_ERROR and len(payload) >= netlink.NlMsgErr.SIZE:
            return self._error(protocol, header, payload)
        if header.type == netlink.NLMSG_DONE and len(payload) >= S32.size:
            return str(S32.unpack_from(payload)[0])
        if header.type >= netlink.NLMSG_MIN_TYPE and protocol == netlink.NETLINK_GENERIC:
            if header.type == genetlink.GENL_ID_CTRL:
                return _generic(nlctrl(self._described(payload)), payload)
            return _generic(self._families.get(header.type, Family()), payload)
        return hexadecimal_string(payload)

    def _error(self, protocol: int | None, header: netlink.NlMsgHdr, payload: Buffer) -> str:
        error = S32.unpack_from(payload)[0]
        request = payload[S32.size :]
        length = netlink.NLMSG_HDRLEN
        if not header.flags & netlink.NLM_F_CAPPED:
            length = max(netlink.NlMsgHdr.unpack(request).length, length)
        name = f"-{number(-error, _ERRORS, 'E')}" if error < 0 else str(error)
        text = f"{{error={name}, msg={self._message(protocol, request[:length])}}}"
        rest = request[netlink.align4(length) :]
        if header.flags & netlink.NLM_F_ACK_TLVS and len(rest):
            return f"[{text}, {attributes_text(rest, EXTENDED_ACK)}]"
        return text


def _is_plausible(data: Buffer) -> bool:
    """Return True if `data` consists only of valid messages (NLMSG_OK) of types that exist."""
    located, left = netlink.locate_messages(data)
    kinds = {header[1] for header, _, _ in located}
    return not left and all(kind >= netlink.NLMSG_MIN_TYPE or kind in _CONTROL_TYPES for kind in kinds)


def _generic(family: Family, payload: Buffer) -> str:
    if len(payload) < genetlink.GENL_HDRLEN:
        return hexadecimal_string(payload)
    header = genetlink.GenlMsgHdr.unpack(payload)
    reserved = f", reserved={header.reserved:#x}" if header.reserved else ""
    text = f"{{cmd={family.command(header.cmd)}, version={header.version}{reserved}}}"
    rest = payload[genetlink.GENL_HDRLEN :]
    if not len(rest):
        return text
    return f"{text}, {attributes_text(rest, family.attributes.get(header.cmd, AttributeSet()))}"
