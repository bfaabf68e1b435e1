"""Contents of /proc/net/route and /proc/net/ipv6_route."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.net.device import LOOPBACK_IFINDEX
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.route.fib4 import TABLES4, nodes4
from simkernel.kernel.netlink.route.fib6 import ANY, TABLES6, Route6, packed, routes_in_order
from simkernel.kernel.netlink.route.fib6_requests import NULL_METRIC
from simkernel.kernel.netlink.route.fib_info import BITS, BROADCAST, Alias
from simkernel.uapi import rtnetlink as rt

WIDTH: Final = 127
"""Minimum width of a line of /proc/net/route in bytes, reached by padding (`seq_setwidth()`)."""
HEADER: Final = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
HIDDEN: Final = (rt.RTN_BROADCAST, rt.RTN_MULTICAST)
TCP_HEADERS: Final = 40


def route(net: Net) -> list[str]:
    """Return the lines of /proc/net/route: the routes of the table main (`fib_route_seq_show()`)."""
    table = TABLES4.of(net).tables.get(rt.RT_TABLE_MAIN)
    if table is None:
        return []
    aliases = [alias for _, found in nodes4(table) for alias in found if alias.type not in HIDDEN]
    return [f"{line:<{WIDTH}}\n" for line in (HEADER, *map(_line, aliases))]


def _line(alias: Alias) -> str:
    info, hop = alias.info, alias.info.hops[0]
    mask = ~(BROADCAST >> alias.length) & BROADCAST
    flags = rt.RTF_UP | (rt.RTF_GATEWAY if hop.gateway else 0) | (rt.RTF_HOST if alias.length == BITS else 0)
    flags |= rt.RTF_REJECT if alias.type in (rt.RTN_UNREACHABLE, rt.RTN_PROHIBIT) else 0
    mss, window, rtt = (
        int(info.metrics.get(each, 0)) for each in (rt.RTAX_ADVMSS, rt.RTAX_WINDOW, rt.RTAX_RTT)
    )
    dst, gateway, shown_mask = (
        int.from_bytes(each, "little") for each in (alias.dst.to_bytes(4), hop.gateway, mask.to_bytes(4))
    )
    name = "*" if hop.device is None else hop.device.name
    return (
        f"{name}\t{dst:08X}\t{gateway:08X}\t{flags:04X}\t0\t0\t{info.priority}\t{shown_mask:08X}"
        f"\t{mss and mss + TCP_HEADERS}\t{window}\t{rtt >> 3}"
    )


def ipv6_route(net: Net) -> list[str]:
    """Return the lines of /proc/net/ipv6_route: the routes of all tables (`ipv6_route_native_seq_show()`).

    If a table has no default route, its empty root node has a line too.
    """
    lines = []
    for table in sorted(TABLES6.of(net).tables.values(), key=lambda each: each.place):
        lines += [_line6(each) for each in routes_in_order(table)]
        if (0, 0) not in table.routes:
            flags = rt.RTF_REJECT | rt.RTF_NONEXTHOP
            lines.append(
                _format(((0, 0), (0, 0)), ANY, NULL_METRIC, 1, flags, net.devices[LOOPBACK_IFINDEX].name)
            )
    return lines


def _line6(route: Route6) -> str:
    """Return the line of a route in /proc/net/ipv6_route, which contains the route's reference count.

    The references are those of the table, of a local route's address, and of a cached route.
    """
    dst, length, src, src_len = (*route.key, 0, 0)[:4]
    references = 1 + (route.flags & rt.RTF_LOCAL != 0) + (route.hop.cached[0] is not None)
    flags = route.flags | (rt.RTF_GATEWAY if route.hop.gateway else 0)
    name = "" if route.device is None else route.device.name
    prefixes = (dst, length), (src, src_len)
    return _format(prefixes, route.hop.gateway or ANY, route.metric, references, flags, name)


def _format(
    prefixes: tuple[tuple[int, int], tuple[int, int]],
    gateway: bytes,
    metric: int,
    references: int,
    flags: int,
    name: str,
) -> str:
    (dst, length), (src, src_len) = prefixes
    return (
        f"{packed(dst).hex()} {length:02x} {packed(src).hex()} {src_len:02x} {gateway.hex()} "
        f"{metric:08x} {references:08x} {0:08x} {flags:08x} {name:>8}\n"
    )
