"""Random requests that create, change, get, move and delete veth pairs and bridges."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from simkernel.uapi import if_link as il
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.socket import AF_BRIDGE, AF_INET, AF_INET6
from simkernel.uapi.structure import U8, U16, U32
from tests.conformance import wire
from tests.conformance.live.links.picks import Picks
from tests.conformance.live.links.requests import Request, dump

UP, ALL_FLAGS = 1, 0xFFFFFFFF
NOARP: Final = 0x80
FLAGS: Final = (0x2, NOARP, 0x100, 0x200, 0x1000, 0x8000, 0x4, 0x20, 0x10000)
"""Link flags that requests change: BROADCAST, NOARP, PROMISC, ALLMULTI, MULTICAST, DYNAMIC, DEBUG,
NOTRAILERS, LOWER_UP.
"""
INFO_KIND, INFO_DATA, INFO_SLAVE_KIND, INFO_SLAVE_DATA = 1, 2, 4, 5
VETH_INFO_PEER: Final = 1
INET6_ADDR_GEN_MODE: Final = 8
EXT_MASKS: Final = (0, 1, 8, 8, 9, 0xFFFFFFF8)

BRIDGE_OPTIONS: Final[dict[int, tuple[object, tuple[int, ...]]]] = {
    1: (U32, (200, 1500, 3000, 3002, 0)),
    2: (U32, (100, 200, 1000, 1001, 0)),
    3: (U32, (600, 2000, 4000, 4001)),
    4: (U32, (0, 30000, 100)),
    6: (U16, (0, 1, 0x8000, 0xFFFF)),
    9: (U16, (0, 8, 1, 0x4000)),
}
"""Bridge options (IFLA_BR_*) with the values that requests set: forward delay, hello time, maximum age,
ageing time, priority, group forward mask.
"""
PORT_OPTIONS: Final[dict[int, tuple[object, tuple[int, ...]]]] = {
    1: (U8, (0, 0, 3, 3, 4, 4, 5, 1)),
    2: (U16, (0, 8, 63, 64)),
    3: (U32, (0, 1, 2, 65535, 65536)),
    **dict.fromkeys((4, 5, 6, 8, 9, 27, 30, 33, 39, 40, 43), (U8, (0, 1))),
    25: (U8, (0, 1, 2, 3, 4)),
    31: (U16, (0, 1, 2, 0xFFF8)),
    37: (U32, (0, 1, 512)),
    42: (U32, (0, 7)),
}
"""Bridge port options (IFLA_BRPORT_*) with the values that requests set: state, priority, cost, boolean
options, multicast router, group forward mask, limits of multicast hosts and groups.
"""


def _head(p: Picks, index: int = 0, flags: int = 0, change: int = 0, family: int = 0) -> bytes:
    type = 0 if p.often(0.98) else p.one(1, 772)
    return rtnl.IfInfoMsg(family, type, index, flags, change).pack()


def _flag_change(p: Picks) -> tuple[int, int]:
    """Return link flags and the mask of the flags to change.

    A link does not come up with IFF_NOARP: Linux restarts the detection of duplicates with a delay, unless
    its work item is running already (`addrconf_dad_run()`).
    """
    if p.often(0.75):
        return p.one(UP, UP, UP, 0), p.one(UP, UP, UP, ALL_FLAGS, 0)
    flag = p.one(*FLAGS)
    up = 0 if flag == NOARP else UP
    return p.one(0, flag, flag | up), p.one(flag, flag | up, 0)


def _options(p: Picks, table: dict[int, tuple[object, tuple[int, ...]]]) -> bytes:
    options = b""
    for _ in range(p.one(1, 1, 2, 3)):
        type = p.random.choice(tuple(table))
        pack, values = table[type]
        options += p.attribute(type, pack.pack(p.one(*values)))  # type: ignore[attr-defined]
    return options


def _af_spec(p: Picks) -> bytes:
    mode = wire.attr(INET6_ADDR_GEN_MODE, U8.pack(p.one(0, 1, 1, 1, 2, 3, 4)))
    return p.attribute(
        il.IFLA_AF_SPEC | p.one(0, nl.NLA_F_NESTED), p.attribute(p.one(AF_INET6, AF_INET6, AF_INET), mode)
    )


def _namespace(p: Picks) -> bytes:
    """Return an attribute that selects the target namespace of a link."""
    pick = p.random.random()
    if pick < 0.7:
        return p.number(il.IFLA_TARGET_NETNSID, 0, 0, 1, 7, -1)
    if pick < 0.95:
        return p.number(il.IFLA_NET_NS_PID, os.getpid(), os.getpid(), 0, 2**22)
    return p.number(il.IFLA_NET_NS_FD, 2**30)


def _common(p: Picks) -> bytes:
    """Return attributes that are valid for both new and existing links."""
    return (
        p.some(
            0.09,
            lambda: p.number(il.IFLA_MTU, 1400, 1500, 1280, 1279, 68, 67, 0, 9000, 65535, 65536, -1),
            lambda: p.number(il.IFLA_TXQLEN, 0, 1, 500, 1000, -1),
            lambda: p.number(il.IFLA_GROUP, 0, 1, 2),
            lambda: p.attribute(il.IFLA_OPERSTATE, U8.pack(p.one(0, 2, 5, 6, 7))),
            lambda: p.attribute(il.IFLA_LINKMODE, U8.pack(p.one(0, 0, 1, 2))),
            lambda: _af_spec(p),
            lambda: p.attribute(il.IFLA_BROADCAST, b"\xff" * 6),
            lambda: p.number(il.IFLA_GSO_MAX_SEGS, 1, 65535, 65536),
            lambda: p.number(il.IFLA_GSO_MAX_SIZE, 1, 65536, 10**6),
            lambda: p.number(il.IFLA_GRO_MAX_SIZE, 1, 65536, 10**6),
            lambda: p.attribute(il.IFLA_PROTO_DOWN, U8.pack(p.one(0, 1))),
        )
        if p.often(0.5)
        else b""
    )


def _kind(p: Picks, name: bytes, data: bytes = b"", *, with_data: bool = False) -> bytes:
    info = p.attribute(INFO_KIND, name + p.random.choice((b"", b"\0")))
    if data or with_data:
        info += p.attribute(INFO_DATA | p.one(0, nl.NLA_F_NESTED), data)
    return p.attribute(il.IFLA_LINKINFO | p.one(0, nl.NLA_F_NESTED), info)


def _peer(p: Picks) -> bytes:
    flags = p.one(0, 0, UP)
    attributes = wire.attr(il.IFLA_ADDRESS, p.mac()) + p.some(
        0.7, lambda: p.attribute(il.IFLA_IFNAME, p.name())
    )
    attributes += _queues(p) + p.some(0.15, lambda: _namespace(p)) + _common(p)
    index = 0 if p.often(0.95) else p.index()
    return p.attribute(VETH_INFO_PEER, _head(p, index, flags, flags) + attributes)


def _queues(p: Picks) -> bytes:
    """Return attributes with numbers of queues. Without them, a veth has one queue for each possible CPU."""
    return b"".join(
        p.number(each, *(1,) * 30, 2, 0, 4097) for each in (il.IFLA_NUM_TX_QUEUES, il.IFLA_NUM_RX_QUEUES)
    )


def new_veth(p: Picks) -> Request:
    """Return a request that creates a veth pair."""
    attributes = wire.attr(il.IFLA_ADDRESS, p.mac()) + _queues(p)
    attributes += p.some(0.9, lambda: p.attribute(il.IFLA_IFNAME, p.name())) + _common(p)
    attributes += p.some(0.08, lambda: _namespace(p), lambda: p.number(il.IFLA_MASTER, p.index()))
    peer = _peer(p) if p.often(0.93) else b""
    attributes += _kind(p, b"veth", peer)
    return _made(p, attributes, 2)


def new_bridge(p: Picks) -> Request:
    """Return a request that creates a bridge. If the request has no IFLA_ADDRESS, the bridge gets a random
    address, and later the address of a port.
    """
    attributes = p.some(
        0.9, lambda: p.attribute(il.IFLA_IFNAME, p.random.choice((b"br0\0", b"br1\0", p.name())))
    )
    attributes += p.some(0.6, lambda: wire.attr(il.IFLA_ADDRESS, p.mac())) + _common(p)
    attributes += _kind(p, b"bridge", _options(p, BRIDGE_OPTIONS) if p.often(0.2) else b"")
    return _made(p, attributes, 1)


def new_other(p: Picks) -> Request:
    """Return a request for a link of an unknown kind."""
    kind = p.random.choice((b"", b"nosuchkind", b"a" * 56, b"Veth", b"lo"))
    attributes = p.some(0.5, lambda: p.attribute(il.IFLA_IFNAME, p.name())) + _common(p)
    return _made(p, attributes + (_kind(p, kind) if p.often(0.8) else b""), 0)


def _made(p: Picks, attributes: bytes, links: int) -> Request:
    flags, change = _flag_change(p) if p.often(0.4) else (0, 0)
    index = 0 if p.often(0.96) else p.one(5, 9, 30, 31)
    if p.links[p.net] < 9:
        p.links[p.net] += links
    exclusive = nl.NLM_F_CREATE | p.one(nl.NLM_F_EXCL, nl.NLM_F_EXCL, nl.NLM_F_EXCL, 0, nl.NLM_F_REPLACE)
    return Request(rtnl.RTM_NEWLINK, _head(p, index, flags, change) + attributes, exclusive)


def _named(p: Picks) -> tuple[int, bytes]:
    """Return the index of a link, or an attribute with its name or alternative name."""
    pick = p.random.random()
    if pick < 0.75:
        return p.index(), b""
    if pick < 0.9:
        return 0, p.attribute(il.IFLA_IFNAME, p.name())
    if pick < 0.97:
        return 0, p.attribute(il.IFLA_ALT_IFNAME, p.alternative())
    return p.one(0, p.index()), b""


def change(p: Picks) -> Request:
    """Return a request that changes one or several settings of a link."""
    index, attributes = _named(p)
    flags, mask = _flag_change(p) if p.often(0.5) else (0, 0)
    one: tuple[Callable[[], bytes], ...] = (
        lambda: p.number(il.IFLA_MTU, 1400, 1500, 1280, 1279, 68, 67, 0, 9000, 65535, 65536, -1),
        lambda: p.attribute(il.IFLA_ADDRESS, p.mac()),
        lambda: p.attribute(il.IFLA_IFNAME, p.name()),
        lambda: p.attribute(
            il.IFLA_IFALIAS, p.random.choice((b"", b"one", b"two\0", b"z" * 255, b"z" * 256, b"\0"))
        ),
        lambda: p.number(il.IFLA_MASTER, 0, 0, p.index(), p.index(), p.index()),
        lambda: p.number(il.IFLA_TXQLEN, 0, 1, 500, 1000, -1),
        lambda: p.number(il.IFLA_GROUP, 0, 1, 2),
        lambda: p.attribute(il.IFLA_CARRIER, U8.pack(p.one(0, 1))),
        lambda: p.attribute(il.IFLA_PROTO_DOWN, U8.pack(p.one(0, 1))),
        lambda: _af_spec(p),
        lambda: _kind(p, p.random.choice((b"veth", b"bridge", b"bridge")), _options(p, BRIDGE_OPTIONS)),
        lambda: p.number(il.IFLA_LINK, 0, 1, p.index()),
        lambda: p.attribute(il.IFLA_BROADCAST, p.random.choice((b"\xff" * 6, p.mac()))),
        lambda: p.number(il.IFLA_EXT_MASK, *EXT_MASKS),
        lambda: b"",
        lambda: _common(p),
    )
    for _ in range(p.one(0, 1, 1, 1, 2) if mask else p.one(1, 1, 1, 2, 3)):
        attributes += p.random.choice(one)()
    if p.often(0.03):
        attributes += _port(p)
    type = rtnl.RTM_SETLINK if p.often(0.3) else rtnl.RTM_NEWLINK
    flags_of_request = p.one(*(0,) * 12, nl.NLM_F_CREATE, nl.NLM_F_EXCL, nl.NLM_F_REPLACE)
    return Request(type, _head(p, index, flags, mask) + attributes, flags_of_request)


def _port(p: Picks) -> bytes:
    kind = p.attribute(INFO_SLAVE_KIND, p.random.choice((b"bridge", b"bridge\0", b"veth")))
    info = kind + p.attribute(INFO_SLAVE_DATA, _options(p, PORT_OPTIONS))
    return p.attribute(il.IFLA_LINKINFO | p.one(0, nl.NLA_F_NESTED), info)


def change_port(p: Picks) -> Request:
    """Return a request that changes a bridge port, as `ip link set type bridge_slave` or `bridge link set`
    do.
    """
    if p.often(0.5):
        return Request(rtnl.RTM_NEWLINK, _head(p, p.index()) + _port(p))
    info = p.attribute(
        il.IFLA_PROTINFO | p.one(nl.NLA_F_NESTED, nl.NLA_F_NESTED, 0), _options(p, PORT_OPTIONS)
    )
    return Request(rtnl.RTM_SETLINK, _head(p, p.index(), family=AF_BRIDGE) + info)


def enslave(p: Picks, index: int = 0, bridge: int = 0) -> Request:
    """Return a request that sets or removes the master of a link. If `index` is 0, the link is random."""
    masters = (bridge,) if bridge else (0, p.index(), p.index())
    return Request(rtnl.RTM_SETLINK, _head(p, index or p.index()) + p.number(il.IFLA_MASTER, *masters))


def move(p: Picks) -> Request:
    """Return a request that moves a link to another namespace, rarely with a new name or index."""
    index, attributes = _named(p)
    attributes += _namespace(p) + p.some(
        0.15,
        lambda: p.attribute(il.IFLA_IFNAME, p.name()),
        lambda: p.number(il.IFLA_NEW_IFINDEX, 20, 21, 0, -1, 3),
        lambda: p.number(il.IFLA_MTU, 1400),
    )
    p.links[1 - p.net] = max(p.links[1 - p.net], 4)
    return Request(p.one(rtnl.RTM_NEWLINK, rtnl.RTM_SETLINK), _head(p, index) + attributes)


def change_group(p: Picks) -> Request:
    """Return a request that changes all links of a group."""
    flags, mask = _flag_change(p)
    return Request(rtnl.RTM_NEWLINK, _head(p, 0, flags, mask) + p.number(il.IFLA_GROUP, 1, 2) + _common(p))


def delete(p: Picks) -> Request:
    """Return a request that deletes a link or a group of links."""
    index, attributes = _named(p)
    if p.often(0.15):
        index, attributes = 0, p.number(il.IFLA_GROUP, 0, 1, 2)
    attributes += p.some(0.08, lambda: p.number(il.IFLA_TARGET_NETNSID, 0, 0, 1, -1))
    return Request(rtnl.RTM_DELLINK, _head(p, index) + attributes)


def properties(p: Picks) -> Request:
    """Return a request that adds or deletes alternative names."""
    index, attributes = _named(p)
    names = b"".join(p.attribute(il.IFLA_ALT_IFNAME, p.alternative()) for _ in range(p.one(1, 1, 2, 0)))
    attributes += p.attribute(il.IFLA_PROP_LIST | p.one(nl.NLA_F_NESTED, nl.NLA_F_NESTED, 0), names)
    type = p.one(rtnl.RTM_NEWLINKPROP, rtnl.RTM_NEWLINKPROP, rtnl.RTM_DELLINKPROP)
    return Request(
        type, _head(p, index) + attributes, p.one(0, nl.NLM_F_CREATE | nl.NLM_F_EXCL | nl.NLM_F_APPEND)
    )


def get(p: Picks) -> Request:
    """Return a request for a single link."""
    index, attributes = _named(p)
    attributes += p.some(
        0.12,
        lambda: p.number(il.IFLA_EXT_MASK, *EXT_MASKS),
        lambda: p.number(il.IFLA_TARGET_NETNSID, 0, 0, 1, -1),
        lambda: p.attribute(il.IFLA_IFNAME, p.name()),
        lambda: p.number(il.IFLA_MASTER, p.index()),
    )
    return Request(rtnl.RTM_GETLINK, _head(p, index) + attributes)


def get_all(p: Picks) -> Request:
    """Return a request that dumps all links, or those that a filter selects."""
    attributes = p.some(
        0.2,
        lambda: p.number(il.IFLA_EXT_MASK, *EXT_MASKS),
        lambda: p.number(il.IFLA_TARGET_NETNSID, 0, 0, 1, -1),
        lambda: p.number(il.IFLA_MASTER, 0, p.index(), p.index()),
        lambda: _kind(p, p.random.choice((b"veth", b"bridge", b"nosuch", b""))),
    )
    index = 0 if p.often(0.95) else p.index()
    family = p.one(*(0,) * 8, AF_INET6, AF_BRIDGE, AF_INET, 17)
    return dump(rtnl.RTM_GETLINK, _head(p, index, family=family) + attributes)
