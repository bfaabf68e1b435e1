"""Descriptions of NETLINK_ROUTE requests, from which random requests are drawn."""

from __future__ import annotations

from random import Random
from typing import Final

from simkernel.uapi import if_addr as ia
from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import net_namespace as ns
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.socket import AF_BRIDGE, AF_INET, AF_INET6, AF_UNSPEC
from simkernel.uapi.structure import U32
from tests.conformance import wire
from tests.conformance.live.payloads import Payload, Question, exactly, integer, nest, noise, text

# -- links ----------------------------------------------------------------------


def link_head(random: Random) -> bytes:
    """Return a random struct ifinfomsg, mostly with only an index."""
    index = random.choice((0, 0, 1, 1, 1, 2, 999, -1, -5))
    odd = random.random() < 0.15
    return rtnl.IfInfoMsg(
        family=random.choice((0, 2, 7, 7, 10, 10, 17, 200)) if random.random() < 0.3 else 0,
        type=random.choice((0, 1, 772)) if odd else 0,
        index=index,
        flags=random.choice((0, 1, 0x40)) if odd else 0,
        change=random.choice((0, 0, 1, 2**32 - 1)) if odd else 0,
    ).pack()


def _link(type: int, dump: bool = False) -> Question:
    names = text(b"lo", b"lo", b"nosuch0", b"")
    attributes = (
        (il.IFLA_IFNAME, names),
        (il.IFLA_IFNAME, names),
        (il.IFLA_ALT_IFNAME, names),
        (il.IFLA_EXT_MASK, integer(0, 1, 8, 9, 2**32 - 1)),
        (il.IFLA_GROUP, integer(0, 1)),
        (il.IFLA_TARGET_NETNSID, integer(0, 1, 2**32 - 1)),
        (il.IFLA_NET_NS_PID, integer(0, 2**30)),
        (il.IFLA_NET_NS_FD, integer(2**30)),
        (il.IFLA_LINK_NETNSID, integer(0, 1, 2**32 - 1)),
        (il.IFLA_MTU, integer(100, 2**32 - 1)),
        (il.IFLA_MASTER, integer(0, 5)),
        *((il.IFLA_MAP, exactly(bytes(31))),) * 3,
        *((il.IFLA_PARENT_DEV_NAME, exactly(b"no end")),) * 3,
        (il.IFLA_ADDRESS, noise),
        (il.IFLA_IFALIAS, noise),
        (il.IFLA_LINKINFO, nest((1, text(b"nosuchkind")), (2, noise))),
        (il.IFLA_AF_SPEC, nest((2, noise), (10, noise))),
    )
    return Question(type, link_head, attributes, dump, frozenset({il.IFLA_LINKINFO, il.IFLA_AF_SPEC}))


def _moved_link(type: int) -> Question:
    """Return a request that moves a link to another namespace."""
    where = (
        (il.IFLA_NET_NS_PID, integer(0, 2**30)),
        (il.IFLA_NET_NS_FD, integer(2**30)),
        (il.IFLA_TARGET_NETNSID, integer(0, 1, 2**32 - 1)),
    )
    return Question(type, link_head, where, junk=0.6)


def _made_again() -> Question:
    """Return a request with NLM_F_EXCL for a link that already exists."""
    names = ((il.IFLA_IFNAME, text(b"lo")), (il.IFLA_ALT_IFNAME, text(b"lo")))
    return Question(rtnl.RTM_NEWLINK, link_head, names, flags=nl.NLM_F_EXCL, junk=0.6)


def _without_extack_text() -> Question:
    """Return a request with an invalid link kind, which fails without an extack message."""
    kind = ((il.IFLA_LINKINFO, nest((2, exactly(b"\0")))),)
    nested = frozenset({il.IFLA_LINKINFO})
    return Question(rtnl.RTM_NEWLINK, rtnl.IfInfoMsg().pack(), kind, nested=nested, junk=0.6)


def _all_links() -> Question:
    """Return a request that deletes all links of a group."""
    group = wire.attr(il.IFLA_GROUP, U32.pack(0))
    return Question(rtnl.RTM_DELLINK, rtnl.IfInfoMsg().pack(), (), fixed=group, junk=0.6)


# -- addresses, routes, neighbours ----------------------------------------------

_FAMILIES: Final = (AF_UNSPEC, AF_INET, AF_INET, AF_INET6, AF_INET6, 200)
_TEN: Final = bytes((10, 0, 0, 1))
_DOC: Final = bytes.fromhex("20010db8") + bytes(12)
_WHERE: Final = integer(0, 1, 2**32 - 1)
"""Function that returns a random nsid as the payload of an attribute."""
_LINK: Final = integer(0, 1, 1, 999)


def _odd(random: Random, *values: int) -> int:
    """Return 0 in most cases, otherwise a random element of `values`."""
    return random.choice(values) if random.random() < 0.06 else 0


def _address_head(*families: int, links: tuple[int, ...] = (0, 0, 0, 1, 999)) -> Payload:
    def make(random: Random) -> bytes:
        prefixlen, flags, scope = (_odd(random, 1, 32, 33, 128, 129) for _ in range(3))
        return rtnl.IfAddrMsg(random.choice(families), prefixlen, flags, scope, random.choice(links)).pack()

    return make


def _route_head(*families: int, bits: int = 0) -> Payload:
    """Return a function that encodes a random struct rtmsg. Its destination prefix length is mostly `bits`,
    otherwise 0.
    """

    def make(random: Random) -> bytes:
        length = bits if random.random() < 0.8 else 0
        source, tos, table, protocol, scope, type = (
            _odd(random, 1, 24, 32, 128, 253, 254, 255) for _ in range(6)
        )
        flags = _odd(random, 0x100, 0x200, 0x800, 0x1000, 0x2000)
        family = random.choice(families)
        return rtnl.RtMsg(family, length, source, tos, table, protocol, scope, type, flags).pack()

    return make


def _neighbour_head(*families: int, links: tuple[int, ...] = (0, 0, 1, 1, 999)) -> Payload:
    def make(random: Random) -> bytes:
        pad1, pad2, type = (_odd(random, 1, 255) for _ in range(3))
        flags = random.choice((0, 0, 0, nb.NTF_PROXY))
        index, state = random.choice(links), _odd(random, 1, 2, 0x80)
        return nb.NdMsg(random.choice(families), pad1, pad2, index, state, flags, type).pack()

    return make


_ADDRESS: Final = (
    (ia.IFA_TARGET_NETNSID, _WHERE),
    (ia.IFA_LABEL, text(b"lo")),
    (ia.IFA_ADDRESS, exactly(_DOC)),
    (ia.IFA_LOCAL, exactly(_DOC)),
    (ia.IFA_FLAGS, integer(0, 2**32 - 1)),
    (ia.IFA_CACHEINFO, noise),
)
_DUMPED_ROUTE: Final = (
    *((rtnl.RTA_TABLE, integer(0, 253, 254, 255, 1000)),) * 2,
    *((rtnl.RTA_OIF, _LINK),) * 2,
    (rtnl.RTA_GATEWAY, exactly(_TEN)),
    (rtnl.RTA_METRICS, noise),
)
_LOOKUP: Final = (
    (rtnl.RTA_OIF, _LINK),
    (rtnl.RTA_MARK, integer(0, 1)),
    (rtnl.RTA_UID, integer(0, 1)),
    (rtnl.RTA_DPORT, exactly(b"\0\1")),
    (rtnl.RTA_FLOWLABEL, exactly(b"\0\x10\0\0")),
    (rtnl.RTA_TABLE, integer(254)),
    (rtnl.RTA_PREF, noise),
)
_NEIGHBOUR: Final = (
    *((nb.NDA_DST, exactly(_TEN)),) * 4,
    (nb.NDA_DST, exactly(_DOC)),
    (nb.NDA_DST, noise),
    (nb.NDA_LLADDR, exactly(bytes(6))),
    (nb.NDA_IFINDEX, _LINK),
    (nb.NDA_MASTER, _LINK),
    (nb.NDA_FLAGS_EXT, integer(1, 2, 4)),
)
_NAMESPACE: Final = (
    (ns.NETNSA_NSID, _WHERE),
    (ns.NETNSA_PID, integer(2**30)),
    (ns.NETNSA_FD, integer(2**30)),
    (ns.NETNSA_TARGET_NSID, _WHERE),
    (ns.NETNSA_CURRENT_NSID, _WHERE),
)


_ENTRY: Final = (
    *((nb.NDA_LLADDR, exactly(bytes(6))),) * 5,
    (nb.NDA_LLADDR, noise),
    (nb.NDA_MASTER, _LINK),
    (nb.NDA_IFINDEX, _LINK),
    (nb.NDA_VLAN, exactly(b"\1\0")),
    (nb.NDA_VLAN, exactly(bytes(2))),
    (nb.NDA_DST, exactly(_TEN)),
)
_FILTERS: Final = (
    (
        il.IFLA_STATS_GET_FILTERS,
        nest((il.IFLA_STATS_LINK_OFFLOAD_XSTATS, integer(2, 7, 16)), (1, integer(1))),
    ),
    (il.IFLA_STATS_SET_OFFLOAD_XSTATS_L3_STATS, noise),
)


def _statistics_head(random: Random) -> bytes:
    pads = _odd(random, 1), _odd(random, 1)
    index, mask = random.choice((0, 1, 1, 1, 999)), random.choice((0, 1, 1, 8, 8, 16, 31, 32))
    return il.IfStatsMsg(0, *pads, index, mask).pack()


def _statistics(dump: bool = False) -> Question:
    nested = frozenset({il.IFLA_STATS_GET_FILTERS})
    return Question(rtnl.RTM_GETSTATS, _statistics_head, _FILTERS, dump, nested)


def _local_lookup(family: int, bits: int, to: bytes) -> Question:
    """Return a request that looks up the route to the address `to`."""
    fixed = wire.attr(rtnl.RTA_DST, to)
    return Question(rtnl.RTM_GETROUTE, _route_head(family, bits=bits), _LOOKUP, fixed=fixed)


_TO_TEN: Final = wire.attr(nb.NDA_DST, _TEN)
_ON_LO: Final = _neighbour_head(AF_INET, links=(1,))
_CERTAIN: Final = (
    Question(rtnl.RTM_DELADDR, _address_head(AF_INET, links=(1,)), (), junk=0.3),
    Question(rtnl.RTM_GETADDR, _address_head(AF_INET6), (), fixed=wire.attr(ia.IFA_LOCAL, _DOC)),
    *(Question(rtnl.RTM_GETROUTE, _route_head(AF_INET6), (), junk=0.8),) * 3,
    *(Question(rtnl.RTM_GETNEIGH, _ON_LO, (), fixed=_TO_TEN, junk=0),) * 3,
    Question(rtnl.RTM_GETNEIGH, _ON_LO, (), junk=0),
    Question(rtnl.RTM_GETNEIGH, _neighbour_head(200, links=(1,)), (), fixed=_TO_TEN, junk=0),
    *(Question(rtnl.RTM_DELNEIGH, _ON_LO, (), fixed=_TO_TEN),) * 2,
    Question(rtnl.RTM_DELNEIGH, _neighbour_head(200, links=(1,)), (), fixed=_TO_TEN),
    *(
        Question(rtnl.RTM_GETNSID, exactly(bytes(4)), (), fixed=wire.attr(type, U32.pack(2**30)), junk=0)
        for type in (ns.NETNSA_NSID, ns.NETNSA_PID, ns.NETNSA_FD)
    ),
)
"""Descriptions of requests with mostly fixed contents. The kernel would seldom send the same replies to fully
random requests.
"""

_NOTHING_THERE: Final = (
    *(Question(rtnl.RTM_GETADDR, _address_head(*_FAMILIES), _ADDRESS, dump=True),) * 2,
    Question(rtnl.RTM_GETADDR, _address_head(AF_INET6), _ADDRESS),
    Question(rtnl.RTM_DELADDR, _address_head(AF_INET, AF_INET6), _ADDRESS),
    Question(rtnl.RTM_NEWADDR, _address_head(AF_INET, AF_INET6, links=(999,)), _ADDRESS),
    *(Question(rtnl.RTM_GETROUTE, _route_head(*_FAMILIES, 128, 129), _DUMPED_ROUTE, dump=True),) * 2,
    _local_lookup(AF_INET, 32, _TEN),
    _local_lookup(AF_INET6, 128, _DOC),
    Question(rtnl.RTM_GETNEIGH, _neighbour_head(*_FAMILIES), _NEIGHBOUR, dump=True),
    Question(rtnl.RTM_GETNEIGH, _neighbour_head(*_FAMILIES), _NEIGHBOUR),
    Question(rtnl.RTM_DELNEIGH, _neighbour_head(*_FAMILIES), _NEIGHBOUR),
    Question(rtnl.RTM_NEWNEIGH, _neighbour_head(*_FAMILIES, links=(999,)), _NEIGHBOUR),
    Question(rtnl.RTM_GETNEIGH, _neighbour_head(AF_BRIDGE), _ENTRY, dump=True),
    Question(rtnl.RTM_GETNEIGH, _neighbour_head(AF_BRIDGE), _ENTRY),
    Question(rtnl.RTM_DELNEIGH, _neighbour_head(AF_BRIDGE), _ENTRY),
    Question(rtnl.RTM_NEWNEIGH, _neighbour_head(AF_BRIDGE), _ENTRY),
    _statistics(),
    _statistics(dump=True),
    Question(rtnl.RTM_GETNSID, exactly(bytes(4)), _NAMESPACE),
    Question(rtnl.RTM_GETNSID, exactly(bytes(4)), _NAMESPACE, dump=True),
    Question(rtnl.RTM_NEWNSID, exactly(bytes(4)), _NAMESPACE),
)

ROUTE_QUESTIONS: Final = (
    _link(rtnl.RTM_GETLINK),
    _link(rtnl.RTM_GETLINK),
    _link(rtnl.RTM_GETLINK, dump=True),
    _link(rtnl.RTM_DELLINK),
    _link(rtnl.RTM_NEWLINK),
    _link(rtnl.RTM_SETLINK),
    *(_moved_link(rtnl.RTM_NEWLINK),) * 3,
    *(_moved_link(rtnl.RTM_SETLINK),) * 7,
    *(_made_again(),) * 5,
    *(_without_extack_text(),) * 3,
    *(_all_links(),) * 2,
    *(Question(rtnl.RTM_GETLINK, link_head, ((100, integer(1)), (il.IFLA_MTU, integer(100)))),) * 2,
    *(Question(rtnl.RTM_SETLINK, rtnl.IfInfoMsg(index=1).pack(), (), flags=nl.NLM_F_ACK, junk=0.8),) * 2,
    *_NOTHING_THERE,
    *_CERTAIN,
)
