"""Requests on raw netlink sockets, and their replies."""

from __future__ import annotations

from simkernel.uapi.genetlink import CTRL_CMD_GETFAMILY, GENL_ID_CTRL
from simkernel.uapi.netlink import NLM_F_DUMP, NLM_F_REQUEST, iterate_messages, message
from simkernel.uapi.rtnetlink import RTM_GETLINK

LINKS = message(RTM_GETLINK, bytes(16), flags=NLM_F_REQUEST | NLM_F_DUMP, seq=7)
"""A dump request for all links. The reply is one link and NLMSG_DONE, in two datagrams."""
FAMILIES = message(
    GENL_ID_CTRL, bytes([CTRL_CMD_GETFAMILY, 2, 0, 0]), flags=NLM_F_REQUEST | NLM_F_DUMP, seq=7
)
"""A dump request for all generic netlink families. The reply is one datagram."""


def headers(data: bytes) -> list[tuple[int, int]]:
    """Return type and sequence number of each message."""
    return [(header.type, header.seq) for header, _ in iterate_messages(data)]
