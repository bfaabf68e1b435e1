"""Requests that Linux handles and simkernel does not model raise NotModelled. Similar requests that are
modelled do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, NotModelled
from simkernel.uapi import fib_rules as fr
from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.netlink import NLA_F_NESTED, NLM_F_BULK, NLM_F_CREATE, NLM_F_REQUEST, attribute, message
from simkernel.uapi.rtnetlink import RtMsg, RtNextHop
from simkernel.uapi.socket import AF_BRIDGE, AF_INET, AF_INET6
from simkernel.uapi.structure import U16
from tests.conformance.cases.fib_lab import packed, route
from tests.kernel import links

LO, VETH, PEER, BRIDGE, OTHER = 1, 3, 2, 4, 6
MAC = attribute(nb.NDA_LLADDR, bytes((2, 0, 0, 0, 0, 9)))
GROUP = attribute(nb.NDA_LLADDR, bytes((1, 0, 0, 0, 0, 9)))


@pytest.fixture(scope="module")
def world() -> Iterator[Any]:
    """A process with a bridge, its port `va`, two other links, and routes with several next hops."""
    with Machine(udev=False, unmodelled="raise") as machine:
        app = machine.blocking(uid=0)
        links.add_veth(app, "va", "vb")
        links.add(app, "br", "bridge")
        links.add_veth(app, "vc", "vd")
        port = rt.IfInfoMsg(index=VETH).pack() + links.number(il.IFLA_MASTER, BRIDGE)
        assert links.ask(app, rt.RTM_SETLINK, port) == "0"
        for name in ("va", "vb", "vc", "vd"):
            assert links.up(app, name) == "0"
        links.settle(app, 2)
        for text, index in (("10.0.0.1", PEER), ("10.0.1.1", OTHER)):
            head = rt.IfAddrMsg(AF_INET, 24, index=index).pack()
            assert links.ask(app, rt.RTM_NEWADDR, head + attribute(2, packed(text)), NLM_F_CREATE) == "0"
        for to, hops in (
            ("10.9.0.0/16", several("10.0.0.9", "10.0.0.8")),
            ("2001:db8:9::/48", several("fe80::9", "fe80::8")),
            ("2001:db8:8::/48", several("fe80::9", "fe80::8", second=OTHER)),
        ):
            assert links.ask(app, rt.RTM_NEWROUTE, route(to, extra=hops), NLM_F_CREATE) == "0"
        yield app


def several(*gateways: str, second: int = PEER) -> bytes:
    """Return RTA_MULTIPATH with two gateways. The second gateway is over the link `second`."""
    hops = b""
    for gateway, index in zip(gateways, (PEER, second), strict=True):
        inner = attribute(rt.RTA_GATEWAY, packed(gateway))
        hops += RtNextHop(RtNextHop.SIZE + len(inner), index=index).pack() + inner
    return attribute(rt.RTA_MULTIPATH, hops)


def neighbour(state: int = 0, flags: int = 0, extended: int = 0, last: int = 9) -> bytes:
    head = nb.NdMsg(AF_INET, index=PEER, state=state, flags=flags).pack()
    more = links.number(nb.NDA_FLAGS_EXT, extended) if extended else b""
    return head + attribute(nb.NDA_DST, bytes((10, 0, 0, last))) + MAC + more


def entry(index: int, flags: int = nb.NTF_SELF, mac: bytes = MAC) -> bytes:
    return nb.NdMsg(AF_BRIDGE, index=index, state=nb.NUD_PERMANENT, flags=flags).pack() + mac


def rule(*attributes: bytes, family: int = AF_INET, flags: int = 0, src_len: int = 0) -> bytes:
    head = FibRuleHdr(family, src_len=src_len, table=77, action=fr.FR_ACT_TO_TBL, flags=flags).pack()
    return head + b"".join(attributes)


def get(to: str, *attributes: bytes) -> bytes:
    data = packed(to)
    head = RtMsg(AF_INET if len(data) == 4 else AF_INET6, 8 * len(data)).pack()
    return head + attribute(rt.RTA_DST, data) + b"".join(attributes)


def link(type: int, data: bytes = b"") -> bytes:
    return rt.IfInfoMsg(index=PEER).pack() + attribute(type, data)


def port(*spec: bytes) -> bytes:
    return rt.IfInfoMsg(AF_BRIDGE, index=VETH).pack() + attribute(il.IFLA_AF_SPEC, b"".join(spec))


def filtered(bits: int) -> bytes:
    part = links.number(il.IFLA_STATS_LINK_OFFLOAD_XSTATS, bits)
    return il.IfStatsMsg(index=LO, filter_mask=8).pack() + attribute(1 | NLA_F_NESTED, part)


NEW, REPLACE = NLM_F_CREATE, 0x100 | NLM_F_CREATE
HOPS, ENTRY, RULE = "the choice among the next hops", "a bridge's forwarding database", "rules of multicast"
RESOLVE = "resolving the address of a neighbour"
SOURCE = attribute(fr.FRA_SRC, bytes(16))

UNMODELLED: dict[str, tuple[int, bytes, int, str]] = {
    "an incoming packet": (rt.RTM_GETROUTE, get("10.0.0.9", links.number(rt.RTA_IIF, PEER)), 0, "incoming"),
    "next hops": (rt.RTM_GETROUTE, get("10.9.0.1"), 0, HOPS),
    "IPv6 next hops": (rt.RTM_GETROUTE, get("2001:db8:9::1"), 0, HOPS),
    "next hops over two links": (rt.RTM_GETROUTE, get("2001:db8:8::1"), 0, HOPS),
    "next hops over a link": (rt.RTM_GETROUTE, get("2001:db8:9::1", links.number(rt.RTA_OIF, PEER)), 0, HOPS),
    "a tunnel": (
        rt.RTM_NEWROUTE,
        route("10.5.0.0/16", extra=attribute(rt.RTA_ENCAP_TYPE, U16.pack(1))),
        NEW,
        "ENCAP",
    ),
    "an empty tunnel": (
        rt.RTM_DELROUTE,
        route("10.5.0.0/16", extra=attribute(rt.RTA_ENCAP | NLA_F_NESTED)),
        0,
        "ENCAP",
    ),
    "an IPv6 gateway": (
        rt.RTM_NEWROUTE,
        route("10.5.0.0/16", extra=attribute(rt.RTA_VIA, b"\x0a\0" + packed("fe80::9"))),
        NEW,
        "an IPv6 gateway of an IPv4 route",
    ),
    **{
        f"neighbour state {state:#x}": (rt.RTM_NEWNEIGH, neighbour(state), NEW, RESOLVE)
        for state in (nb.NUD_INCOMPLETE, nb.NUD_DELAY, nb.NUD_PROBE)
    },
    "a used neighbour": (rt.RTM_NEWNEIGH, neighbour(nb.NUD_STALE, nb.NTF_USE), NEW, RESOLVE),
    "a managed neighbour": (rt.RTM_NEWNEIGH, neighbour(nb.NUD_STALE, extended=1), NEW, RESOLVE),
    "a bridge's entry": (rt.RTM_NEWNEIGH, entry(BRIDGE), NEW, ENTRY),
    "a port's entry": (rt.RTM_NEWNEIGH, entry(VETH, 0), NEW, ENTRY),
    "an entry of a port's bridge": (rt.RTM_DELNEIGH, entry(VETH, nb.NTF_MASTER | nb.NTF_SELF), 0, ENTRY),
    "a group": (rt.RTM_NEWNEIGH, entry(PEER, mac=GROUP), NEW, "a multicast address"),
    "a deleted group": (rt.RTM_DELNEIGH, entry(PEER, mac=GROUP), 0, "a multicast address"),
    "all entries": (rt.RTM_DELNEIGH, entry(PEER), NLM_F_BULK, "NLM_F_BULK"),
    "a looked up entry": (rt.RTM_GETNEIGH, nb.NdMsg(AF_BRIDGE, index=VETH).pack() + MAC, 0, ENTRY),
    "a bridge's looked up entry": (rt.RTM_GETNEIGH, nb.NdMsg(AF_BRIDGE, index=BRIDGE).pack() + MAC, 0, ENTRY),
    "a VLAN": (rt.RTM_SETLINK, port(attribute(2, bytes(4))), 0, "VLAN, MRP, CFM and MST"),
    "virtual functions": (rt.RTM_SETLINK, link(il.IFLA_VFINFO_LIST | NLA_F_NESTED), 0, "virtual functions"),
    "XDP": (rt.RTM_SETLINK, link(il.IFLA_XDP | NLA_F_NESTED), 0, "XDP"),
    "reasons": (rt.RTM_SETLINK, link(il.IFLA_PROTO_DOWN_REASON | NLA_F_NESTED), 0, "protodown"),
    **{
        f"rule attribute {type}": (rt.RTM_NEWRULE, rule(attribute(type, data)), NEW, RULE)
        for type, data in (
            (fr.FRA_TUN_ID, bytes(8)),
            *((type, bytes(4)) for type in (fr.FRA_FLOWLABEL, fr.FRA_FLOWLABEL_MASK)),
            *((type, bytes(2)) for type in (fr.FRA_SPORT_MASK, fr.FRA_DPORT_MASK)),
            (fr.FRA_DSCP_MASK, b"\1"),
        )
    },
    "a rule that finds a source": (
        rt.RTM_NEWRULE,
        rule(SOURCE, family=AF_INET6, flags=fr.FIB_RULE_FIND_SADDR, src_len=64),
        NEW,
        RULE,
    ),
    "a multicast rule": (rt.RTM_NEWRULE, rule(family=rt.RTNL_FAMILY_IPMR), NEW, RULE),
    "a multicast route": (rt.RTM_NEWROUTE, RtMsg(rt.RTNL_FAMILY_IPMR).pack(), NEW, "type 24 of family 128"),
    "a queue": (rt.RTM_GETQDISC, bytes(20), 0, "type 38 of family 0"),
    "a part of statistics": (rt.RTM_GETSTATS, filtered(1), 0, "a statistics filter without"),
    "kept statistics": (
        rt.RTM_SETSTATS,
        il.IfStatsMsg(index=LO).pack() + attribute(2, b"\1"),
        0,
        "hardware statistics of a device",
    ),
}
MODELLED: dict[str, tuple[int, bytes, int, str]] = {
    "a stale neighbour": (rt.RTM_NEWNEIGH, neighbour(nb.NUD_STALE), NEW, "0"),
    **{
        f"neighbour flag {flag:#x}": (rt.RTM_NEWNEIGH, neighbour(nb.NUD_STALE, flag), REPLACE, "0")
        for flag in (nb.NTF_SELF, nb.NTF_MASTER, nb.NTF_ROUTER)
    },
    **{
        f"neighbour state {state:#x}": (rt.RTM_NEWNEIGH, neighbour(state), REPLACE, "0")
        for state in (nb.NUD_REACHABLE, nb.NUD_FAILED, nb.NUD_NOARP, nb.NUD_PERMANENT)
    },
    "a port's own entry": (rt.RTM_NEWNEIGH, entry(VETH), NEW, "0"),
    "an entry of no port": (rt.RTM_NEWNEIGH, entry(PEER), NEW, "0"),
    "a deleted entry": (rt.RTM_DELNEIGH, entry(PEER), 0, "0"),
    "a looked up entry of no port": (
        rt.RTM_GETNEIGH, nb.NdMsg(AF_BRIDGE, index=PEER).pack() + MAC, 0, "EINVAL"
    ),
    "an IPv6 rule with a source": (rt.RTM_NEWRULE, rule(SOURCE, family=AF_INET6, src_len=64), NEW, "0"),
    "an IPv4 rule that finds a source": (rt.RTM_NEWRULE, rule(flags=fr.FIB_RULE_FIND_SADDR), NEW, "0"),
    "an IPv6 rule that finds any source": (
        rt.RTM_NEWRULE, rule(family=AF_INET6, flags=fr.FIB_RULE_FIND_SADDR), NEW, "0"
    ),
    "a mode of a port": (rt.RTM_SETLINK, port(attribute(1, U16.pack(1))), 0, "0"),
    "protodown": (rt.RTM_SETLINK, link(il.IFLA_PROTO_DOWN, b"\1"), 0, "ENOTSUP"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNMODELLED)
def test_unmodelled_requests_raise(world: Any, name: str) -> None:
    type, body, flags, text = UNMODELLED[name]
    with pytest.raises(NotModelled, match=text):
        links.ask(world, type, body, flags)


@pytest.mark.parametrize("name", MODELLED)
def test_similar_requests_are_modelled(world: Any, name: str) -> None:
    type, body, flags, result = MODELLED[name]
    assert links.ask(world, type, body, flags) == result


def test_a_lookup_with_one_usable_next_hop_is_modelled(world: Any) -> None:
    """A lookup over a link ignores the next hops over other links."""
    over = links.number(rt.RTA_OIF, PEER)
    with links.route_socket(world) as sock:
        sock.send(message(rt.RTM_GETROUTE, get("2001:db8:8::1", over), flags=NLM_F_REQUEST, seq=1))
        ((header, _),) = links.messages(sock)
    assert header.type == rt.RTM_NEWROUTE
