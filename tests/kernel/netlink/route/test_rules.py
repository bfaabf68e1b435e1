"""Single routing rules: which lookups a rule matches, and which attributes a dump shows.

Sources: `fib_rule_match()`, `fib4_rule_match()`, `fib6_rule_match()` and `fib_nl_fill_rule()` of Linux.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from simkernel.kernel.netlink.route.fib import pack_table
from simkernel.kernel.netlink.route.rules import Flow, Rule
from simkernel.uapi import fib_rules as fr
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_INET, AF_INET6

NET = bytes((10, 1, 0, 0))
ADDRESS = 0x0A010203
ALWAYS = {fr.FRA_TABLE, fr.FRA_SUPPRESS_PREFIXLEN, fr.FRA_PROTOCOL}


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes of a message, by type."""
    return dict(nl.iterate_attributes(data))


MATCHES: list[tuple[dict[str, Any], dict[str, int], bool]] = [
    # fields of the rule, fields of the lookup, whether the rule matches
    ({}, {}, True),
    ({"flags": fr.FIB_RULE_INVERT}, {}, False),
    ({"iif": 3}, {"iif": 3}, True),
    ({"iif": 3}, {"iif": 4}, False),
    ({"oif": 3}, {"oif": 3}, True),
    ({"oif": 3}, {"oif": 0}, False),
    ({"mark": 5, "mask": 0xFF}, {"mark": 0x105}, True),
    ({"mark": 5, "mask": 0xFFF}, {"mark": 0x105}, False),
    ({"mark": 5, "mask": 0}, {"mark": 6}, True),
    ({"users": (10, 20)}, {"uid": 10}, True),
    ({"users": (10, 20)}, {"uid": 20}, True),
    ({"users": (10, 20)}, {"uid": 9}, False),
    ({"users": (10, 20)}, {"uid": 21}, False),
    ({"dst": NET, "dst_len": 16}, {}, True),
    ({"dst": NET, "dst_len": 24}, {}, False),
    ({"dst": NET, "dst_len": 15}, {"daddr": 0x0A000203}, True),
    ({"src": NET, "src_len": 16}, {"saddr": ADDRESS}, True),
    ({"src": NET, "src_len": 16}, {}, False),
    ({"ip_proto": 6}, {"proto": 6}, True),
    ({"ip_proto": 6}, {"proto": 17}, False),
    ({"sports": (1, 1)}, {"sport": 1}, True),
    ({"sports": (1, 1)}, {}, False),
    ({"sports": (5, 9)}, {"sport": 5}, True),
    ({"sports": (5, 9)}, {"sport": 9}, True),
    ({"sports": (5, 9)}, {"sport": 4}, False),
    ({"sports": (5, 9)}, {"sport": 10}, False),
    ({"dports": (5, 9)}, {"dport": 5}, True),
    ({"dports": (5, 9)}, {"dport": 9}, True),
    ({"dports": (5, 9)}, {"dport": 4}, False),
    ({"dports": (5, 9)}, {"dport": 10}, False),
    ({"tos": 0x10}, {"tos": 0x10}, True),
    ({"tos": 0x10}, {"tos": 0x13}, True),
    ({"tos": 0x10}, {"tos": 0x08}, False),
    ({"dscp": 4}, {"tos": 0x10}, True),
    ({"dscp": 4}, {"tos": 0x13}, True),
    ({"dscp": 4}, {"tos": 0x14}, False),
    ({"iif": 3, "flags": fr.FIB_RULE_INVERT}, {"iif": 4}, True),
]


@pytest.mark.parametrize(("fields", "lookup", "expected"), MATCHES)
def test_lookups_that_a_rule_matches(fields: dict[str, Any], lookup: dict[str, int], expected: bool) -> None:
    rule = Rule(family=AF_INET, **fields)
    assert rule.matches(Flow(**({"daddr": ADDRESS} | lookup))) is expected


def test_an_ipv6_rule_with_a_source_needs_one() -> None:
    """`fib6_rule_match()` does not match a source prefix if the lookup has no source address."""
    rule = Rule(family=AF_INET6, src=bytes(16), src_len=1)
    assert not rule.matches(Flow(daddr=1))
    assert rule.matches(Flow(daddr=1, saddr=1))
    assert Rule(family=AF_INET6).matches(Flow(daddr=1))


SHOWN: list[tuple[dict[str, Any], dict[int, bytes]]] = [
    # fields of the rule; attributes that a dump shows for this rule, but not for every rule
    ({}, {}),
    ({"priority": 1}, {fr.FRA_PRIORITY: b"\1\0\0\0"}),
    ({"mark": 1}, {fr.FRA_FWMARK: b"\1\0\0\0", fr.FRA_FWMASK: bytes(4)}),
    ({"mask": 1}, {fr.FRA_FWMASK: b"\1\0\0\0"}),
    ({"users": (0, 5)}, {fr.FRA_UID_RANGE: b"\0\0\0\0\5\0\0\0"}),
    ({"sports": (1, 1)}, {fr.FRA_SPORT_RANGE: b"\1\0\1\0", fr.FRA_SPORT_MASK: b"\xff\xff"}),
    ({"sports": (1, 2)}, {fr.FRA_SPORT_RANGE: b"\1\0\2\0"}),
    ({"dports": (1, 1)}, {fr.FRA_DPORT_RANGE: b"\1\0\1\0", fr.FRA_DPORT_MASK: b"\xff\xff"}),
    ({"dports": (1, 2)}, {fr.FRA_DPORT_RANGE: b"\1\0\2\0"}),
    ({"ip_proto": 6}, {fr.FRA_IP_PROTO: b"\6"}),
    ({"suppress_ifgroup": 0}, {fr.FRA_SUPPRESS_IFGROUP: bytes(4)}),
    ({"dscp": 0}, {fr.FRA_DSCP: b"\0", fr.FRA_DSCP_MASK: b"\x3f"}),
    ({"iifname": b"lo", "iif": 1}, {fr.FRA_IIFNAME: b"lo\0"}),
    ({"oifname": b"lo", "oif": 1}, {fr.FRA_OIFNAME: b"lo\0"}),
    ({"dst": NET, "dst_len": 16}, {fr.FRA_DST: NET}),
    ({"src": NET, "src_len": 16}, {fr.FRA_SRC: NET}),
    ({"dst": NET}, {}),
    ({"flow": 7}, {fr.FRA_FLOW: b"\7\0\0\0"}),
    ({"target": 9}, {fr.FRA_GOTO: b"\x09\0\0\0"}),
]


@pytest.mark.parametrize(("fields", "expected"), SHOWN)
def test_attributes_of_a_dump(fields: dict[str, Any], expected: dict[int, bytes]) -> None:
    found = attributes(Rule(family=AF_INET, table=254, **fields).pack()[12:])
    assert {type: found[type] for type in found.keys() - ALWAYS} == expected
    assert found.keys() >= ALWAYS
    assert found[fr.FRA_TABLE] == b"\xfe\0\0\0"


@pytest.mark.parametrize(("table", "shown"), [(0, 0), (255, 255), (256, 252), (1000, 252)])
def test_a_table_above_255_is_in_the_attribute_only(table: int, shown: int) -> None:
    """If the table number is above 255, the header contains RT_TABLE_COMPAT. The attribute FRA_TABLE always
    contains the number.
    """
    packed = Rule(family=AF_INET, table=table).pack()
    assert packed[4] == shown
    assert attributes(packed[12:])[fr.FRA_TABLE] == table.to_bytes(4, "little")
    assert pack_table(table) == (shown, nl.attribute(rt.RTA_TABLE, table.to_bytes(4, "little")))


SUPPRESSED = [
    # suppress_prefixlen and suppress_ifgroup of the rule; prefix length and group of the route; True if the
    # rule rejects the route
    (0xFFFFFFFF, 0xFFFFFFFF, 0, 0, False),
    (0, 0xFFFFFFFF, 0, 0, True),
    (0, 0xFFFFFFFF, 1, 0, False),
    (8, 0xFFFFFFFF, 8, 0, True),
    (8, 0xFFFFFFFF, 9, 0, False),
    (0xFFFFFFFF, 5, 9, 5, True),
    (0xFFFFFFFF, 5, 9, 6, False),
    (0xFFFFFFFF, 0, 9, None, False),
]


@pytest.mark.parametrize(("length", "group", "found", "of", "expected"), SUPPRESSED)
def test_suppressed_routes(length: int, group: int, found: int, of: int | None, expected: bool) -> None:
    """The expected results follow `fib4_rule_suppress()`."""
    rule = Rule(family=AF_INET, suppress_prefixlen=length, suppress_ifgroup=group)
    device = None if of is None else SimpleNamespace(group=of)
    route: Any = SimpleNamespace(length=found, device=device)
    assert rule.suppresses(route) is expected
