"""Links (network interfaces): link flags, and attributes of RTM_..LINK messages.

Source: include/uapi/linux/if_link.h, if.h and if_arp.h, as of Linux 6.18.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from simkernel.uapi.structure import Structure

IFLA_ADDRESS: Final = 1
IFLA_BROADCAST: Final = 2
IFLA_IFNAME: Final = 3
IFLA_MTU: Final = 4
IFLA_LINK: Final = 5
IFLA_QDISC: Final = 6
IFLA_STATS: Final = 7
IFLA_MASTER: Final = 10
IFLA_PROTINFO: Final = 12
IFLA_TXQLEN: Final = 13
IFLA_MAP: Final = 14
IFLA_WEIGHT: Final = 15
IFLA_OPERSTATE: Final = 16
IFLA_LINKMODE: Final = 17
IFLA_LINKINFO: Final = 18
IFLA_NET_NS_PID: Final = 19
IFLA_IFALIAS: Final = 20
IFLA_VFINFO_LIST: Final = 22
IFLA_STATS64: Final = 23
IFLA_VF_PORTS: Final = 24
IFLA_PORT_SELF: Final = 25
IFLA_AF_SPEC: Final = 26
IFLA_GROUP: Final = 27
IFLA_NET_NS_FD: Final = 28
IFLA_EXT_MASK: Final = 29
IFLA_PROMISCUITY: Final = 30
IFLA_NUM_TX_QUEUES: Final = 31
IFLA_NUM_RX_QUEUES: Final = 32
IFLA_CARRIER: Final = 33
IFLA_PHYS_PORT_ID: Final = 34
IFLA_CARRIER_CHANGES: Final = 35
IFLA_PHYS_SWITCH_ID: Final = 36
IFLA_LINK_NETNSID: Final = 37
IFLA_PROTO_DOWN: Final = 39
IFLA_GSO_MAX_SEGS: Final = 40
IFLA_GSO_MAX_SIZE: Final = 41
IFLA_XDP: Final = 43
IFLA_EVENT: Final = 44
IFLA_NEW_NETNSID: Final = 45
IFLA_IF_NETNSID: Final = 46
IFLA_TARGET_NETNSID: Final = IFLA_IF_NETNSID
IFLA_CARRIER_UP_COUNT: Final = 47
IFLA_CARRIER_DOWN_COUNT: Final = 48
IFLA_NEW_IFINDEX: Final = 49
IFLA_MIN_MTU: Final = 50
IFLA_MAX_MTU: Final = 51
IFLA_PROP_LIST: Final = 52
IFLA_ALT_IFNAME: Final = 53
IFLA_PERM_ADDRESS: Final = 54
IFLA_PROTO_DOWN_REASON: Final = 55
IFLA_PARENT_DEV_NAME: Final = 56
IFLA_GRO_MAX_SIZE: Final = 58
IFLA_TSO_MAX_SIZE: Final = 59
IFLA_TSO_MAX_SEGS: Final = 60
IFLA_ALLMULTI: Final = 61
IFLA_DEVLINK_PORT: Final = 62
IFLA_GSO_IPV4_MAX_SIZE: Final = 63
IFLA_GRO_IPV4_MAX_SIZE: Final = 64
IFLA_DPLL_PIN: Final = 65
IFLA_MAX_PACING_OFFLOAD_HORIZON: Final = 66
IFLA_NETNS_IMMUTABLE: Final = 67
IFLA_HEADROOM: Final = 68
IFLA_TAILROOM: Final = 69
IFLA_MAX: Final = IFLA_TAILROOM

# Attributes inside the nested attribute IFLA_LINKINFO.
IFLA_INFO_KIND: Final = 1
IFLA_INFO_DATA: Final = 2
IFLA_INFO_SLAVE_KIND: Final = 4
IFLA_INFO_SLAVE_DATA: Final = 5
VETH_INFO_PEER: Final = 1

# Attributes of RTM_..STATS messages and of the nests in them.
IFLA_STATS_LINK_64: Final = 1
IFLA_STATS_LINK_XSTATS: Final = 2
IFLA_STATS_LINK_XSTATS_SLAVE: Final = 3
IFLA_STATS_LINK_OFFLOAD_XSTATS: Final = 4
IFLA_STATS_AF_SPEC: Final = 5
IFLA_STATS_MAX: Final = IFLA_STATS_AF_SPEC
IFLA_STATS_GET_FILTERS: Final = 1
IFLA_STATS_SET_OFFLOAD_XSTATS_L3_STATS: Final = 2
IFLA_OFFLOAD_XSTATS_HW_S_INFO: Final = 2
IFLA_OFFLOAD_XSTATS_L3_STATS: Final = 3
IFLA_OFFLOAD_XSTATS_HW_S_INFO_REQUEST: Final = 1
IFLA_OFFLOAD_XSTATS_HW_S_INFO_USED: Final = 2

# Maximum lengths of a link's name, alias and alternative name, including the NUL.
IFNAMSIZ: Final = 16
IFALIASZ: Final = 256
ALTIFNAMSIZ: Final = 128

# Flags of a link.
IFF_UP: Final = 1 << 0
IFF_BROADCAST: Final = 1 << 1
IFF_DEBUG: Final = 1 << 2
IFF_LOOPBACK: Final = 1 << 3
IFF_NOTRAILERS: Final = 1 << 5
IFF_RUNNING: Final = 1 << 6
IFF_NOARP: Final = 1 << 7
IFF_PROMISC: Final = 1 << 8
IFF_ALLMULTI: Final = 1 << 9
IFF_MULTICAST: Final = 1 << 12
IFF_PORTSEL: Final = 1 << 13
IFF_AUTOMEDIA: Final = 1 << 14
IFF_DYNAMIC: Final = 1 << 15
IFF_LOWER_UP: Final = 1 << 16
IFF_DORMANT: Final = 1 << 17
IFF_VOLATILE_SHOWN: Final = IFF_RUNNING | IFF_LOWER_UP | IFF_DORMANT
"""Link flags that the kernel computes from the device's state."""
IFF_VOLATILE: Final = IFF_LOOPBACK | IFF_BROADCAST | IFF_VOLATILE_SHOWN | 1 << 4 | 1 << 10 | 1 << 11 | 1 << 18
"""Link flags that a program cannot change."""

# Operational states (RFC 2863).
IF_OPER_UNKNOWN: Final = 0
IF_OPER_NOTPRESENT: Final = 1
IF_OPER_DOWN: Final = 2
IF_OPER_LOWERLAYERDOWN: Final = 3
IF_OPER_TESTING: Final = 4
IF_OPER_DORMANT: Final = 5
IF_OPER_UP: Final = 6

# Hardware types.
ARPHRD_ETHER: Final = 1
ARPHRD_LOOPBACK: Final = 772
ARPHRD_NETLINK: Final = 824


@attrs.frozen
class IfStatsMsg(Structure):
    """struct if_stats_msg, the header of an RTM_..STATS message: the link, and a mask that selects
    statistics.

    The paddings must be 0.
    """

    LAYOUT = Struct("<BBHII")

    family: int = 0
    pad1: int = 0
    pad2: int = 0
    index: int = 0
    filter_mask: int = 0
