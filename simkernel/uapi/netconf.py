"""Attributes of messages about the settings of a link (RTM_..NETCONF).  Source: include/uapi/linux/netconf.h,
as of Linux 6.18.
"""

from __future__ import annotations

from typing import Final

NETCONFA_IFINDEX: Final = 1
NETCONFA_FORWARDING: Final = 2
NETCONFA_RP_FILTER: Final = 3
NETCONFA_MC_FORWARDING: Final = 4
NETCONFA_PROXY_NEIGH: Final = 5
NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN: Final = 6
NETCONFA_BC_FORWARDING: Final = 8
NETCONFA_FORCE_FORWARDING: Final = 9
NETCONFA_MAX: Final = NETCONFA_FORCE_FORWARDING

NETCONFA_IFINDEX_ALL: Final = -1
NETCONFA_IFINDEX_DEFAULT: Final = -2
