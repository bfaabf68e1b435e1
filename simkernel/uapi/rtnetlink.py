"""Routing netlink: message types, multicast groups, and the headers of its messages.

Source: include/uapi/linux/rtnetlink.h and if_addr.h, as of Linux 6.18.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from simkernel.uapi.socket import AF_UNSPEC
from simkernel.uapi.structure import Structure

RTNLGRP_LINK: Final = 1
"""Multicast group for changes of links."""
RTNLGRP_NEIGH: Final = 3
"""Multicast group for changes of neighbours."""

# Message types. Each kind of object has up to four: NEW, DEL, GET and SET.
RTM_BASE: Final = 16
RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18
RTM_SETLINK: Final = 19
RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_GETADDR: Final = 22
RTM_NEWROUTE: Final = 24
RTM_DELROUTE: Final = 25
RTM_GETROUTE: Final = 26
RTM_NEWNEIGH: Final = 28
RTM_DELNEIGH: Final = 29
RTM_GETNEIGH: Final = 30
RTM_NEWRULE: Final = 32
RTM_DELRULE: Final = 33
RTM_GETRULE: Final = 34
RTM_NEWQDISC: Final = 36
RTM_DELQDISC: Final = 37
RTM_GETQDISC: Final = 38
RTM_NEWTCLASS: Final = 40
RTM_DELTCLASS: Final = 41
RTM_GETTCLASS: Final = 42
RTM_NEWTFILTER: Final = 44
RTM_DELTFILTER: Final = 45
RTM_GETTFILTER: Final = 46
RTM_NEWACTION: Final = 48
RTM_DELACTION: Final = 49
RTM_GETACTION: Final = 50
RTM_NEWPREFIX: Final = 52
RTM_NEWMULTICAST: Final = 56
RTM_DELMULTICAST: Final = 57
RTM_GETMULTICAST: Final = 58
RTM_NEWANYCAST: Final = 60
RTM_DELANYCAST: Final = 61
RTM_GETANYCAST: Final = 62
RTM_NEWNEIGHTBL: Final = 64
RTM_GETNEIGHTBL: Final = 66
RTM_SETNEIGHTBL: Final = 67
RTM_NEWNDUSEROPT: Final = 68
RTM_NEWADDRLABEL: Final = 72
RTM_DELADDRLABEL: Final = 73
RTM_GETADDRLABEL: Final = 74
RTM_GETDCB: Final = 78
RTM_SETDCB: Final = 79
RTM_NEWNETCONF: Final = 80
RTM_DELNETCONF: Final = 81
RTM_GETNETCONF: Final = 82
RTM_NEWMDB: Final = 84
RTM_DELMDB: Final = 85
RTM_GETMDB: Final = 86
RTM_NEWNSID: Final = 88
RTM_DELNSID: Final = 89
RTM_GETNSID: Final = 90
RTM_NEWSTATS: Final = 92
RTM_GETSTATS: Final = 94
RTM_SETSTATS: Final = 95
RTM_NEWCACHEREPORT: Final = 96
RTM_NEWCHAIN: Final = 100
RTM_DELCHAIN: Final = 101
RTM_GETCHAIN: Final = 102
RTM_NEWNEXTHOP: Final = 104
RTM_DELNEXTHOP: Final = 105
RTM_GETNEXTHOP: Final = 106
RTM_NEWLINKPROP: Final = 108
RTM_DELLINKPROP: Final = 109
RTM_GETLINKPROP: Final = 110
RTM_NEWVLAN: Final = 112
RTM_DELVLAN: Final = 113
RTM_GETVLAN: Final = 114
RTM_NEWNEXTHOPBUCKET: Final = 116
RTM_DELNEXTHOPBUCKET: Final = 117
RTM_GETNEXTHOPBUCKET: Final = 118
RTM_NEWTUNNEL: Final = 120
RTM_DELTUNNEL: Final = 121
RTM_GETTUNNEL: Final = 122
RTM_MAX: Final = 123

# Multicast groups.
RTNLGRP_IPV4_IFADDR: Final = 5
RTNLGRP_IPV4_ROUTE: Final = 7
RTNLGRP_IPV4_RULE: Final = 8
RTNLGRP_IPV6_IFADDR: Final = 9
RTNLGRP_IPV6_ROUTE: Final = 11
RTNLGRP_IPV6_IFINFO: Final = 12
RTNLGRP_IPV6_RULE: Final = 19
RTNLGRP_IPV4_NETCONF: Final = 24
RTNLGRP_IPV6_NETCONF: Final = 25
RTNLGRP_NSID: Final = 28
RTNLGRP_IPV4_MROUTE_R: Final = 30
RTNLGRP_IPV6_MROUTE_R: Final = 31
RTNLGRP_IPV6_ACADDR: Final = 39
RTNLGRP_MAX: Final = RTNLGRP_IPV6_ACADDR

# Bits of IFLA_EXT_MASK, with which a dump of links requests more content.
RTEXT_FILTER_SKIP_STATS: Final = 1 << 3

# Attributes of RTM_..ROUTE messages.
RTA_DST: Final = 1
RTA_SRC: Final = 2
RTA_IIF: Final = 3
RTA_OIF: Final = 4
RTA_GATEWAY: Final = 5
RTA_PRIORITY: Final = 6
RTA_PREFSRC: Final = 7
RTA_METRICS: Final = 8
RTA_MULTIPATH: Final = 9
RTA_FLOW: Final = 11
RTA_CACHEINFO: Final = 12
RTA_TABLE: Final = 15
RTA_MARK: Final = 16
RTA_VIA: Final = 18
RTA_PREF: Final = 20
RTA_ENCAP_TYPE: Final = 21
RTA_ENCAP: Final = 22
RTA_EXPIRES: Final = 23
RTA_UID: Final = 25
RTA_IP_PROTO: Final = 27
RTA_SPORT: Final = 28
RTA_DPORT: Final = 29
RTA_NH_ID: Final = 30
RTA_FLOWLABEL: Final = 31
RTA_MAX: Final = RTA_FLOWLABEL

# Flags in the header of RTM_..ROUTE messages, and the predefined routing tables.
RTM_F_NOTIFY: Final = 0x100
RTM_F_CLONED: Final = 0x200
RTM_F_PREFIX: Final = 0x800
RTM_F_LOOKUP_TABLE: Final = 0x1000
RTM_F_FIB_MATCH: Final = 0x2000
RT_TABLE_COMPAT: Final = 252
RT_TABLE_DEFAULT: Final = 253
RT_TABLE_MAIN: Final = 254
RT_TABLE_LOCAL: Final = 255

# Types of routes.
RTN_UNSPEC: Final = 0
RTN_UNICAST: Final = 1
RTN_LOCAL: Final = 2
RTN_BROADCAST: Final = 3
RTN_ANYCAST: Final = 4
RTN_MULTICAST: Final = 5
RTN_BLACKHOLE: Final = 6
RTN_UNREACHABLE: Final = 7
RTN_PROHIBIT: Final = 8
RTN_THROW: Final = 9
RTN_NAT: Final = 10
RTN_XRESOLVE: Final = 11
RTN_MAX: Final = RTN_XRESOLVE

# Origins of routes.
RTPROT_UNSPEC: Final = 0
RTPROT_KERNEL: Final = 2
RTPROT_BOOT: Final = 3

# Scopes of routes: the distance to the destination.
RT_SCOPE_UNIVERSE: Final = 0
RT_SCOPE_SITE: Final = 200
RT_SCOPE_LINK: Final = 253
RT_SCOPE_HOST: Final = 254
RT_SCOPE_NOWHERE: Final = 255

# Flags of next hops.
RTNH_F_DEAD: Final = 1
RTNH_F_PERVASIVE: Final = 2
RTNH_F_ONLINK: Final = 4
RTNH_F_OFFLOAD: Final = 8
RTNH_F_LINKDOWN: Final = 16
RTNH_F_TRAP: Final = 64

# Flags of IPv6 routes (include/uapi/linux/ipv6_route.h).
RTF_UP: Final = 0x1
RTF_GATEWAY: Final = 0x2
RTF_HOST: Final = 0x4
RTF_REJECT: Final = 0x200
RTF_ADDRCONF: Final = 0x40000
RTF_ANYCAST: Final = 0x100000
RTF_NONEXTHOP: Final = 0x200000
RTF_EXPIRES: Final = 0x400000
RTF_CACHE: Final = 0x1000000
RTF_LOCAL: Final = 0x80000000

# Flags of a route that a lookup creates and caches (RTCF_*).
RTCF_NOTIFY: Final = 0x10000
RTCF_BROADCAST: Final = 0x10000000
RTCF_MULTICAST: Final = 0x20000000
RTCF_LOCAL: Final = 0x80000000

# Metrics of routes: attributes in RTA_METRICS.
RTAX_LOCK: Final = 1
RTAX_MTU: Final = 2
RTAX_WINDOW: Final = 3
RTAX_RTT: Final = 4
RTAX_CWND: Final = 7
RTAX_ADVMSS: Final = 8
RTAX_HOPLIMIT: Final = 10
RTAX_FEATURES: Final = 12
RTAX_CC_ALGO: Final = 16
RTAX_MAX: Final = 17

# Address families of multicast routing. RTNL_FAMILY_MAX is the highest family with own message handlers.
RTNL_FAMILY_IPMR: Final = 128
RTNL_FAMILY_IP6MR: Final = 129
RTNL_FAMILY_MAX: Final = 129


@attrs.frozen
class RtGenMsg(Structure):
    """struct rtgenmsg: the shortest header that a dump request can have."""

    LAYOUT = Struct("<B")

    family: int = AF_UNSPEC


@attrs.frozen
class IfInfoMsg(Structure):
    """struct ifinfomsg, the header of RTM_..LINK.

    `type` is an ARPHRD_ number; `flags` and `change` are IFF_ bits.
    """

    LAYOUT = Struct("<BxHiII")

    family: int = AF_UNSPEC
    type: int = 0
    index: int = 0
    flags: int = 0
    change: int = 0


@attrs.frozen
class IfAddrMsg(Structure):
    """struct ifaddrmsg, the header of RTM_..ADDR. `index` is the interface index of the link."""

    LAYOUT = Struct("<BBBBI")

    family: int = AF_UNSPEC
    prefixlen: int = 0
    flags: int = 0
    scope: int = 0
    index: int = 0


@attrs.frozen
class RtMsg(Structure):
    """struct rtmsg, the header of RTM_..ROUTE."""

    LAYOUT = Struct("<BBBBBBBBI")

    family: int = AF_UNSPEC
    dst_len: int = 0
    src_len: int = 0
    tos: int = 0
    table: int = 0
    protocol: int = 0
    scope: int = 0
    type: int = 0
    flags: int = 0


@attrs.frozen
class RtNextHop(Structure):
    """struct rtnexthop, an element of RTA_MULTIPATH.  `hops` is the weight minus 1."""

    LAYOUT = Struct("<HBBi")

    length: int
    flags: int = 0
    hops: int = 0
    index: int = 0


@attrs.frozen
class RtaCacheinfo(Structure):
    """struct rta_cacheinfo.  `lastuse` and `expires` are in hundredths of a second."""

    LAYOUT = Struct("<IIiIIIII")

    clntref: int = 0
    lastuse: int = 0
    expires: int = 0
    error: int = 0
    used: int = 0
    id: int = 0
    ts: int = 0
    tsage: int = 0
