"""Attributes of messages about ids of network namespaces (RTM_..NSID).  Source:
include/uapi/linux/net_namespace.h, as of Linux 6.18.
"""

from __future__ import annotations

from typing import Final

NETNSA_NSID: Final = 1
NETNSA_PID: Final = 2
NETNSA_FD: Final = 3
NETNSA_TARGET_NSID: Final = 4
NETNSA_CURRENT_NSID: Final = 5

NETNSA_NSID_NOT_ASSIGNED: Final = -1
