"""Scopes of IPv6 addresses (`ipv6_addr_type()`, `rt_scope()` of addrconf.c)."""

from __future__ import annotations

import ipaddress

import pytest

from simkernel.kernel.netlink.route.address6 import classify
from simkernel.uapi import rtnetlink as rt

UNIVERSE, SITE, LINK, HOST = rt.RT_SCOPE_UNIVERSE, rt.RT_SCOPE_SITE, rt.RT_SCOPE_LINK, rt.RT_SCOPE_HOST
GLOBAL = 14

TYPES = [
    # address, its scope as in multicast addresses (such as 2 in ff02::1), its RT_SCOPE_ value
    ("::1", 2, HOST),
    ("::", GLOBAL, UNIVERSE),
    ("::2", GLOBAL, UNIVERSE),
    ("2001:db8::1", GLOBAL, UNIVERSE),
    ("fd00::1", GLOBAL, UNIVERSE),
    ("fe00::1", GLOBAL, UNIVERSE),
    ("fe01::1", GLOBAL, UNIVERSE),
    ("fe7f::1", GLOBAL, UNIVERSE),
    ("fe80::1", 2, LINK),
    ("fe81::1", 2, LINK),
    ("febf::1", 2, LINK),
    ("fec0::1", 5, SITE),
    ("feff::1", 5, SITE),
    ("ff01::1", 1, HOST),
    ("ff02::1", 2, LINK),
    ("ff05::1", 5, SITE),
    ("ff08::1", 8, UNIVERSE),
    ("ff0e::1", 14, UNIVERSE),
    ("ff12::1", 2, LINK),
    ("ff1e::1", 14, UNIVERSE),
]


@pytest.mark.parametrize(("text", "group", "scope"), TYPES)
def test_type_of_an_address(text: str, group: int, scope: int) -> None:
    assert classify(ipaddress.IPv6Address(text).packed) == (group, scope)
