"""Recorded cases that simkernel does not show yet, each with what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PENDING: Final[Mapping[str, str]] = {
    "dummies.settings": "RTM_NEWNETCONF and RTM_DELNETCONF",
    **dict.fromkeys(
        (
            *("dummies.up_and_down", "dummies.removed_with_their_module", "dummies.ipv4_address"),
            *("dummies.ipv4_address_of_a_link_that_is_down", "dummies.ipv4_secondary"),
            *(
                "dummies.ipv4_routes",
                "dummies.ipv6_link_local",
                "dummies.ipv6_address",
                "dummies.ipv6_routes",
            ),
        ),
        "routes of a link",
    ),
}
