"""Areas (groups of recorded cases) that the live search omits because their results differ on the host's
kernel.

The recorded cases are grouped by area. If a case of an area differs on this host, the search draws nothing
of that area.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from simkernel.uapi import netlink as nl


@attrs.frozen
class Scope:
    """Scope of a search: the protocols, the kinds of steps that it omits, and whether it sends requests
    to netdev.
    """

    protocols: tuple[int, ...]
    without_rules: frozenset[str] = frozenset()
    netdev: bool = True

    def without(self, areas: Iterable[str]) -> Scope:
        """Return the scope without the protocols and steps of some areas."""
        areas = tuple(areas)
        closed = {PROTOCOLS[area] for area in areas if area in PROTOCOLS}
        rules = {rule for area in areas for rule in RULES.get(area, ())}
        return Scope(
            tuple(protocol for protocol in self.protocols if protocol not in closed),
            self.without_rules | rules,
            self.netdev and "netdev" not in areas,
        )


PROTOCOLS: Final = {
    "route": nl.NETLINK_ROUTE,
    "uevent": nl.NETLINK_KOBJECT_UEVENT,
    "nlctrl": nl.NETLINK_GENERIC,
    "framing": nl.NETLINK_GENERIC,
    "unicast": nl.NETLINK_USERSOCK,
}
RULES: Final = {
    "exact_truesize": ("flood", "overrun", "buffer"),
    "overrun": ("flood", "overrun", "buffer"),
    "multicast": ("membership",),
    "poll": ("poll",),
    "raw_sockaddr": ("raw",),
    "sockopt": ("setsockopt", "getsockopt", "switch", "peer", "device", "forbidden"),
    "filter": ("filter", "lock", "members"),
    "credentials": ("become",),
}
"""For each area (group of recorded cases): the kinds of steps that the search omits if a case of this area
fails on the host. If an area is neither here nor in PROTOCOLS, the search omits nothing for it.
"""
