"""The messages that are sent to be measured."""

from __future__ import annotations

from typing import Final

from simkernel.uapi.genetlink import (
    CTRL_ATTR_FAMILY_NAME,
    CTRL_CMD_GETFAMILY,
    GENL_ID_CTRL,
    GenlMsgHdr,
)
from simkernel.uapi.netlink import NLM_F_REQUEST, NLMSG_MIN_TYPE, attribute, message

FAMILY: Final = "nlctrl"

GETFAMILY: Final = message(
    GENL_ID_CTRL,
    GenlMsgHdr(CTRL_CMD_GETFAMILY).pack() + attribute(CTRL_ATTR_FAMILY_NAME, FAMILY.encode() + b"\0"),
    flags=NLM_F_REQUEST,
)
"""Asks nlctrl for nlctrl."""

GREETING: Final = message(NLMSG_MIN_TYPE, bytes(64))
"""What is sent to a group."""
GROUP: Final = 1

BUFFER: Final = 8192
"""What receivers offer."""
