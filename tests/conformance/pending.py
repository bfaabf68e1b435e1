"""Recorded cases that simkernel does not show yet, each with what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

IPV6 = "IPv6 of a link: its address, its routes, its settings"
ADDRESSES = "addresses of a link and their routes"

PENDING: Final[Mapping[str, str]] = {
    "dummies.settings": "RTM_NEWNETCONF",
    **dict.fromkeys(
        (
            *("dummies.created_and_deleted", "dummies.up_and_down", "dummies.attributes"),
            *("dummies.removed_with_their_module", "dummies.veth_pair", "dummies.bridge_port"),
            *("dummies.ipv6_link_local", "dummies.ipv6_address", "dummies.ipv6_routes"),
        ),
        IPV6,
    ),
    **dict.fromkeys(
        (
            *("dummies.ipv4_address", "dummies.ipv4_address_of_a_link_that_is_down"),
            *("dummies.ipv4_secondary", "dummies.ipv4_routes"),
        ),
        ADDRESSES,
    ),
}
