"""What is left out of the search where the host's kernel differs from the recorded one.

The recorded cases are grouped by area; where one of an area differs on this host, what the area is about
is not drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from simkernel.uapi import netlink as nl


@attrs.frozen
class Scope:
    """Protocols to open and rules to follow; whether netdev is asked."""

    protocols: tuple[int, ...]
    without_rules: frozenset[str] = frozenset()
    netdev: bool = True

    def without(self, areas: Iterable[str]) -> Scope:
        """What is left when these areas are left out."""
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
"""By area; one that is in neither table says nothing that could be left out, such as how to bind."""
