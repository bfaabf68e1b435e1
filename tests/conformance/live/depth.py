"""Counts of the messages with valid headers, which the kernel does not reject early."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from simkernel.uapi import genetlink as genl
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.if_link import IfStatsMsg
from simkernel.uapi.neighbour import NdMsg
from tests.conformance.live.generic_questions import NETDEV, NETDEV_QUESTIONS, NLCTRL_QUESTIONS

KNOWN: Final = frozenset(
    (question.type, question.head[0], question.dump)
    for question in NLCTRL_QUESTIONS + NETDEV_QUESTIONS
    if isinstance(question.head, bytes)
)
"""Operations of generic netlink: message type, command, and whether it is a dump."""
NETDEV_FLAGS: Final = nl.NLM_F_REQUEST | nl.NLM_F_ACK | nl.NLM_F_ECHO

ROUTE_HEADERS: Final = {
    rtnl.RTM_NEWLINK: rtnl.IfInfoMsg.SIZE,
    rtnl.RTM_NEWADDR: rtnl.IfAddrMsg.SIZE,
    rtnl.RTM_NEWROUTE: rtnl.RtMsg.SIZE,
    rtnl.RTM_NEWNEIGH: NdMsg.SIZE,
    rtnl.RTM_NEWNSID: rtnl.RtGenMsg.SIZE,
    rtnl.RTM_NEWSTATS: IfStatsMsg.SIZE,
}
"""Length of the header that follows nlmsghdr, by message type. NEW, DEL, GET and SET messages have the same
header, so only NEW is listed.
"""


@lru_cache(maxsize=256)
def count_messages(protocol: int, data: bytes) -> tuple[int, int]:
    """Return two numbers for a datagram: its messages, and its messages with valid headers.

    For a message with valid headers, the kernel finds a handler and reads the attributes.
    """
    messages = deep = offset = 0
    while len(data) - offset >= nl.NLMSG_HDRLEN:
        length, type, flags, _, _ = nl.NlMsgHdr.LAYOUT.unpack_from(data, offset)
        messages += 1
        if not nl.NLMSG_HDRLEN <= length <= len(data) - offset:
            break
        if flags & nl.NLM_F_REQUEST and type >= nl.NLMSG_MIN_TYPE:
            deep += _is_deep(protocol, type, flags, data[offset + nl.NLMSG_HDRLEN : offset + length])
        offset += nl.align4(length)
    return messages, deep


def _is_deep(protocol: int, type: int, flags: int, body: bytes) -> bool:
    dumps = flags & nl.NLM_F_DUMP == nl.NLM_F_DUMP
    if protocol == nl.NETLINK_GENERIC:
        if len(body) < genl.GENL_HDRLEN or (type, body[0], dumps) not in KNOWN:
            return False
        odd = flags & ~(NETDEV_FLAGS | (nl.NLM_F_DUMP if dumps else 0))
        return type != NETDEV or not (odd or any(body[2:4]))
    if protocol == nl.NETLINK_ROUTE:
        return len(body) >= ROUTE_HEADERS.get(type & ~3, len(body) + 1)
    return protocol == nl.NETLINK_KOBJECT_UEVENT
