"""Attributes of RTM_..ADDR.  Source: include/uapi/linux/if_addr.h, as of Linux 6.18."""

from __future__ import annotations

from typing import Final

IFA_ADDRESS: Final = 1
IFA_LOCAL: Final = 2
IFA_LABEL: Final = 3
IFA_BROADCAST: Final = 4
IFA_CACHEINFO: Final = 6
IFA_FLAGS: Final = 8
IFA_RT_PRIORITY: Final = 9
IFA_TARGET_NETNSID: Final = 10
IFA_PROTO: Final = 11
IFA_MAX: Final = IFA_PROTO
