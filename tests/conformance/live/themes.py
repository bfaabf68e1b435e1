"""Themes of random programs. Each theme makes some kinds of steps more frequent."""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.uapi import netlink as nl

ROUTE, USERSOCK, UEVENT, GENERIC = (
    nl.NETLINK_ROUTE,
    nl.NETLINK_USERSOCK,
    nl.NETLINK_KOBJECT_UEVENT,
    nl.NETLINK_GENERIC,
)


@attrs.frozen
class Theme:
    """Weights of the protocols and of the kinds of steps. A kind that is not listed has weight 1.

    `company` is the probability that a new socket joins a group and that a message goes to one. `extack`
    is the probability that it enables extended ACKs and strict checks. `share` is the weight of the theme
    itself.
    """

    protocols: tuple[int, ...]
    weights: dict[str, int]
    company: float = 0.1
    extack: float = 0.1
    share: int = 2


THEMES: Final = {
    "mixed": Theme((USERSOCK, GENERIC, ROUTE, UEVENT), {"send": 6, "receive": 6}),
    "unicast": Theme(
        (USERSOCK,), {"send": 12, "flood": 5, "receive": 12, "drain": 4, "buffer": 4, "filter": 3}
    ),
    "multicast": Theme(
        (USERSOCK, USERSOCK, UEVENT, GENERIC),
        {
            "send": 8,
            "membership": 8,
            "members": 2,
            "flood": 3,
            "receive": 10,
            "drain": 3,
            "buffer": 3,
            "switch": 6,
        },
        company=0.7,
    ),
    "requests": Theme(
        (GENERIC,),
        {"ask": 30, "overrun": 9, "no room": 4, "send": 10, "receive": 12, "switch": 5},
        extack=0.68,
        share=8,
    ),
    "dumps": Theme(
        (GENERIC, GENERIC, ROUTE),
        {"ask": 4, "two dumps": 3, "send": 12, "receive": 40, "buffer": 3, "close": 2},
        extack=0.5,
    ),
    "route": Theme(
        (ROUTE,),
        {"ask": 30, "overrun": 9, "no room": 4, "send": 10, "receive": 12, "switch": 4},
        extack=0.75,
        share=14,
    ),
    "uevent": Theme(
        (UEVENT,),
        {"ask": 6, "send": 10, "receive": 10, "membership": 3, "flood": 2, "buffer": 2},
        extack=0.4,
        share=3,
    ),
    "overrun": Theme(
        (USERSOCK, GENERIC, UEVENT, ROUTE),
        {
            "flood": 10,
            "overrun": 8,
            "buffer": 8,
            "membership": 4,
            "receive": 12,
            "drain": 4,
            "switch": 4,
            "send": 6,
        },
        company=0.6,
        share=4,
    ),
    "options": Theme(
        (USERSOCK, GENERIC, ROUTE, UEVENT),
        {
            "setsockopt": 120,
            "getsockopt": 40,
            "forbidden": 12,
            "switch": 6,
            "become": 4,
            "peer": 3,
            "device": 6,
        },
        share=20,
    ),
    "addresses": Theme(
        (USERSOCK, GENERIC, UEVENT),
        {"bind": 15, "connect": 10, "raw": 16, "socket": 8, "close": 6, "send": 8, "membership": 5},
        share=3,
    ),
}
