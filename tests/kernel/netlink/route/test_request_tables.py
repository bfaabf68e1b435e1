"""Tables of requests with one wrong field, and of routes whose result depends on earlier routes. The expected
results are those of Linux 6.18.
"""

from __future__ import annotations

import errno
import ipaddress
from typing import Any, Final

from simkernel.uapi import if_addr as ia
from simkernel.uapi import neighbour as nb
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.neighbour import NdMsg
from simkernel.uapi.netlink import attribute, iterate_attributes, message
from simkernel.uapi.rtnetlink import IfAddrMsg, RtMsg
from simkernel.uapi.socket import AF_BRIDGE, AF_INET, AF_INET6, AF_UNSPEC, SOL_NETLINK
from simkernel.uapi.structure import S32
from tests.kernel import links
from tests.kernel.host import expect_as_on_this_host, only_6_18

HEADERS: Final[list[dict[str, int]]] = [
    {}, {"pad1": 1}, {"pad2": 1}, {"pad1": 1, "pad2": 1}, {"state": 2}, {"flags": 1}, {"flags": nb.NTF_PROXY},
    {"type": 1}, {"index": 1},
]  # fmt: skip
ATTRIBUTES: Final = [(), (nb.NDA_IFINDEX,), (nb.NDA_MASTER,), (nb.NDA_IFINDEX, nb.NDA_MASTER), (nb.NDA_VLAN,)]
VA, VB = 3, 2
"""Interface indexes of the two ends of the veth link."""


def neighbour_dumps(world: Any) -> list[list[object]]:
    """Request a strict dump of neighbours for each combination of header fields and attributes. Return each
    request with its error, or "0".
    """
    seen: list[list[object]] = []
    for family in (AF_UNSPEC, AF_INET, AF_INET6, AF_BRIDGE):
        for fields in HEADERS:
            for types in ATTRIBUTES:
                sock = links.route_socket(world)
                sock.setsockopt(SOL_NETLINK, nl.NETLINK_GET_STRICT_CHK, 1)
                more = b"".join(links.number(type, 1) for type in types)
                body = NdMsg(family, **fields).pack() + more
                sock.send(message(rt.RTM_GETNEIGH, body, flags=nl.NLM_F_REQUEST | nl.NLM_F_DUMP, seq=1))
                header, data = links.messages(sock)[-1]
                assert header.type in (nl.NLMSG_ERROR, nl.NLMSG_DONE)
                error = errno.errorcode.get(-S32.unpack_from(data)[0], "0")
                seen.append([family, fields, list(types), header.type, error])
    return seen


def ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def address(world: Any, type: int, text: str, index: int, *more: bytes) -> str:
    head = IfAddrMsg(AF_INET6, 64, flags=ia.IFA_F_NODAD, index=index).pack()
    return links.ask(world, type, head + attribute(ia.IFA_LOCAL, ip(text)) + b"".join(more), nl.NLM_F_CREATE)


def route(
    world: Any, to: str, index: int, via: str = "", *, table: int = 254, metric: int = 5, flags: int = 0
) -> str:
    """Add a route with RTM_NEWROUTE; `flags` are NLM_F_CREATE and NLM_F_EXCL if not given."""
    network = ipaddress.ip_network(to)
    head = RtMsg(AF_INET6, network.prefixlen, table=table, protocol=3, type=rt.RTN_UNICAST).pack()
    body = head + attribute(rt.RTA_DST, network.network_address.packed)
    body += links.number(rt.RTA_OIF, index) + links.number(rt.RTA_PRIORITY, metric)
    body += attribute(rt.RTA_GATEWAY, ip(via)) if via else b""
    return links.ask(world, rt.RTM_NEWROUTE, body, flags or nl.NLM_F_CREATE | nl.NLM_F_EXCL)


def routes(world: Any, prefix: str) -> list[list[object]]:
    """Return the routes to `prefix` with a prefix length below 128. Each is a list: prefix length, device,
    gateway, and True if the route expires.
    """
    sock = links.route_socket(world)
    body = RtMsg(AF_INET6).pack()
    sock.send(message(rt.RTM_GETROUTE, body, flags=nl.NLM_F_REQUEST | nl.NLM_F_DUMP, seq=1))
    found: list[list[object]] = []
    for header, data in links.messages(sock):
        if header.type == rt.RTM_NEWROUTE:
            each = dict(iterate_attributes(data[RtMsg.SIZE :]))
            if each.get(rt.RTA_DST) == ip(prefix) and data[1] < 128:
                expires = any(rt.RtaCacheinfo.unpack(each[rt.RTA_CACHEINFO]).pack()[8:12])
                gateway = each.get(rt.RTA_GATEWAY, b"").hex()
                found.append([data[1], each[rt.RTA_OIF].hex(), gateway, expires])
    return found


def ipv6_routes(world: Any) -> list[object]:
    """Add IPv6 addresses and routes. Return the results, which depend on the addresses and routes added
    before.
    """
    seen: list[object] = [links.add_veth(world, "va", "vb"), links.up(world, "vb"), links.up(world, "va")]
    links.settle(world, 0.2)
    new, delete = rt.RTM_NEWADDR, rt.RTM_DELADDR
    replace = nl.NLM_F_REPLACE
    seen += [
        address(world, new, "fe80::a1", VA),
        address(world, new, "fe80::b1", VB),
        "a link-local gateway may be an address of another device",
        route(world, "2001:db8:a::/48", VA, "fe80::b1"),
        route(world, "2001:db8:b::/48", VA, "fe80::a1"),
        route(world, "2001:db8:b::/48", VB, "fe80::a1"),
        "the route's own table leads to the gateway over the given device",
        route(world, "2001:db8:1::/48", VA, table=77),
        route(world, "2001:db8:1:1::/64", VB, table=77),
        route(world, "2001:db8:c::/48", VA, "2001:db8:1:1::5", table=77),
        route(world, "2001:db8:c::/48", VA, "2001:db8:2::5", table=77),
        "a route through a gateway replaces one without",
        route(world, "2001:db8:d::/48", VA),
        route(world, "2001:db8:d::/48", VA, "fe80::99", flags=replace),
        routes(world, "2001:db8:d::"),
        route(world, "2001:db8:d::/48", VA, flags=replace),
        routes(world, "2001:db8:d::"),
        route(world, "2001:db8:d::/48", VA, metric=6, flags=replace),
        "a prefix route expires with the last address that does",
        address(world, new, "fd00::1", VA),
        address(
            world,
            new,
            "fd00::2",
            VA,
            attribute(ia.IFA_CACHEINFO, bytes.fromhex("64000000c8000000") + bytes(8)),
        ),
        routes(world, "fd00::"),
        address(world, delete, "fd00::1", VA),
        routes(world, "fd00::"),
        address(world, delete, "fd00::2", VA),
        routes(world, "fd00::"),
    ]
    return seen


@only_6_18
def test_strict_neighbour_dumps_are_refused_as_on_this_host() -> None:
    expect_as_on_this_host(neighbour_dumps)


@only_6_18
def test_ipv6_routes_that_depend_on_others_are_as_on_this_host() -> None:
    expect_as_on_this_host(ipv6_routes)
