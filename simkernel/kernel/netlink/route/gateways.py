"""Gateway selection by neighbour state (`fib_select_default()`, `rt6_check_neigh()`)."""

from __future__ import annotations

from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.route.fib import NextHop, RouteTable
from simkernel.kernel.netlink.route.fib_info import TOS_MASK, Alias
from simkernel.kernel.netlink.route.neighbours import NEIGHBOURS
from simkernel.kernel.netlink.route.rules import Flow
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_INET, AF_INET6


def _state(net: Net, family: int, hop: NextHop) -> int | None:
    """Return the neighbour state of a gateway, or None if it has no neighbour entry."""
    assert hop.device is not None
    entry = NEIGHBOURS.of(net).get((family, hop.device, hop.gateway))
    return None if entry is None else entry.state


def has_failed(net: Net, hop: NextHop) -> bool:
    """Return True if the neighbour state of an IPv6 gateway is NUD_FAILED (`rt6_check_neigh()`)."""
    state = _state(net, AF_INET6, hop) if hop.gateway else None
    return state is not None and not state & nb.NUD_VALID and bool(state & nb.NUD_FAILED)


def default_gateways(table: RouteTable[Alias], flow: Flow, found: Alias) -> list[Alias]:
    """Return the default routes from which the kernel chooses one by the state of its gateway
    (`fib_select_default()`). The argument `found` is the default route that the lookup found.
    """
    aliases: list[Alias] = []
    tos, priority = 0, found.info.priority
    for alias in table.routes[0, 0]:
        info, hop = alias.info, alias.info.hops[0]
        if alias.table != table.id or alias.tos not in (0, flow.tos & TOS_MASK):
            continue
        if info.priority > priority and alias.tos == tos:
            if tos:
                continue
            break
        if info.flags & rt.RTNH_F_DEAD:
            continue
        tos, priority = alias.tos, info.priority
        if info.scope != found.info.scope or alias.type != rt.RTN_UNICAST:
            continue
        if not hop.gateway or hop.scope != rt.RT_SCOPE_LINK:
            continue
        alias.accessed = True
        if not aliases and info is not found.info:
            break
        aliases.append(alias)
    return aliases


def choose_gateway(net: Net, hops: list[NextHop], previous: int) -> int:
    """Return the index of the gateway that a lookup uses, or -1 if no gateway is suitable
    (`fib_detect_death()`).

    The lookup uses the first gateway that meets one of these conditions: the gateway is reachable, it has no
    neighbour entry, or it is valid and the previous lookup did not use it (`previous`). Otherwise, the lookup
    uses `previous` if this gateway is valid, or else the first gateway after `previous` that is not in the
    state NUD_INCOMPLETE.
    """
    last_resort = -1
    for place, hop in enumerate(hops):
        state = _state(net, AF_INET, hop)
        valid = state is not None and bool(state & nb.NUD_VALID)
        if state is None or state == nb.NUD_REACHABLE or (valid and place != previous):
            return place
        if valid or (last_resort < 0 and place > previous and state != nb.NUD_INCOMPLETE):
            last_resort = place
    return last_resort
