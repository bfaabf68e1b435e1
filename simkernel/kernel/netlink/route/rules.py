"""Routing rules, which select the routing table of a lookup (net/core/fib_rules.c)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import attrs

from simkernel.kernel.net.device import LOOPBACK_IFINDEX, NetDevice
from simkernel.kernel.net.namespace import Net, PernetSlot
from simkernel.kernel.netlink.policy import Found
from simkernel.uapi import fib_rules as fr
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EACCES, EAGAIN, EINVAL, ENETUNREACH, ESRCH
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.netlink import attribute
from simkernel.uapi.socket import AF_INET
from simkernel.uapi.structure import U8, U32, U32_MAX

UNSET: Final = U32_MAX
"""Value of an unset prefix length, device group, device index or user id (-1)."""
DSCP_MAX: Final = 0x3F
PORT_RANGE: Final = struct.Struct("<HH")
USER_RANGE: Final = struct.Struct("<II")
ALL_USERS: Final = (0, UNSET)
ALL_PORTS: Final = (0, 0)
ALL_BITS: Final = b"\xff\xff"
"""Port mask that selects exactly one port."""
TOS_MASK: Final = 0x1C
"""TOS bits that IPv4 compares (IPTOS_TOS_MASK without ECN)."""
ACTIONS: Final = {fr.FR_ACT_UNREACHABLE: ENETUNREACH, fr.FR_ACT_PROHIBIT: EACCES}
"""Errno of a lookup that ends at a rule without a table, by the rule's action. For actions that are not
listed, the errno is EINVAL.
"""


@attrs.define(kw_only=True)
class Flow:
    """Key of a route lookup (`struct flowi`). Addresses are integers, 0 if unset."""

    daddr: int
    saddr: int = 0
    oif: int = 0
    iif: int = LOOPBACK_IFINDEX
    mark: int = 0
    uid: int = 0
    tos: int = 0
    scope: int = 0
    proto: int = 0
    sport: int = 0
    dport: int = 0
    realms: int = 0
    """Realms (FRA_FLOW) of the rule that ended the lookup."""


class Outcome(Protocol):
    """A route that a lookup has found. This class declares only those properties of the route that rules
    use.
    """

    @property
    def length(self) -> int:
        """Prefix length of the route."""

    @property
    def device(self) -> NetDevice | None:
        """Output device of the route, or None."""


T = TypeVar("T", bound=Outcome)


@attrs.define(eq=False, kw_only=True)
class Rule:
    """A routing rule (`struct fib_rule`).

    A device index is UNSET if no device has the name. A rule has `tos` or `dscp`, not both.
    """

    family: int
    priority: int = 0
    table: int = 0
    action: int = fr.FR_ACT_TO_TBL
    flags: int = 0
    protocol: int = rt.RTPROT_KERNEL
    iifname: bytes = b""
    oifname: bytes = b""
    iif: int = 0
    oif: int = 0
    mark: int = 0
    mask: int = 0
    target: int = 0
    users: tuple[int, int] = ALL_USERS
    ip_proto: int = 0
    sports: tuple[int, int] = ALL_PORTS
    dports: tuple[int, int] = ALL_PORTS
    suppress_prefixlen: int = UNSET
    suppress_ifgroup: int = UNSET
    dst: bytes = b""
    dst_len: int = 0
    src: bytes = b""
    src_len: int = 0
    tos: int = 0
    dscp: int | None = None
    flow: int = 0

    def matches(self, flow: Flow) -> bool:
        """Return True if the rule applies to a lookup (`fib_rule_match()`)."""
        if self.dscp is None:
            tos = self.tos in (0, flow.tos & (TOS_MASK if self.family == AF_INET else DSCP_MAX << 2))
        else:
            tos = self.dscp == flow.tos >> 2
        matched = (
            tos
            and self.iif in (0, flow.iif)
            and self.oif in (0, flow.oif)
            and not (self.mark ^ flow.mark) & self.mask
            and self.users[0] <= flow.uid <= self.users[1]
            and _is_in(flow.daddr, self.dst, self.dst_len)
            and _is_in(flow.saddr, self.src, self.src_len)
            and (self.family == AF_INET or flow.saddr != 0 or not self.src_len)
            and self.ip_proto in (0, flow.proto)
            and (self.sports == ALL_PORTS or self.sports[0] <= flow.sport <= self.sports[1])
            and (self.dports == ALL_PORTS or self.dports[0] <= flow.dport <= self.dports[1])
        )
        return matched != bool(self.flags & fr.FIB_RULE_INVERT)

    def suppresses(self, found: Outcome) -> bool:
        """Return True if the rule rejects a route that the lookup found (`fib4_rule_suppress()`)."""
        shorter = self.suppress_prefixlen != UNSET and found.length <= self.suppress_prefixlen
        return shorter or (found.device is not None and found.device.group == self.suppress_ifgroup)

    def is_alike(self, wanted: Rule, request: Found, fields: tuple[str, ...]) -> bool:
        """Return True if this rule equals the rule `wanted`, which a request describes.

        Only the fields in `fields` and the selectors that the request contains must be equal.
        """
        return (
            all(getattr(self, field) == getattr(wanted, field) for field in fields)
            and wanted.dst_len in (0, self.dst_len)
            and wanted.src_len in (0, self.src_len)
            and (not wanted.dst_len or wanted.dst == self.dst)
            and (not wanted.src_len or wanted.src == self.src)
            and wanted.tos in (0, self.tos)
            and wanted.dscp in (None, self.dscp)
            and (fr.FRA_FLOW not in request or self.family != AF_INET or wanted.flow == self.flow)
        )

    def pack(self, *, unresolved: bool = False) -> bytes:
        """Return header and attributes of the rule (`fib_nl_fill_rule()`)."""
        flags = self.flags | (fr.FIB_RULE_UNRESOLVED if unresolved else 0)
        flags |= fr.FIB_RULE_IIF_DETACHED if self.iifname and self.iif == UNSET else 0
        flags |= fr.FIB_RULE_OIF_DETACHED if self.oifname and self.oif == UNSET else 0
        table = self.table if self.table < 2**8 else rt.RT_TABLE_COMPAT
        head = FibRuleHdr(
            self.family, self.dst_len, self.src_len, self.tos, table, action=self.action, flags=flags
        )
        dscp = b"" if self.dscp is None else U8.pack(self.dscp)
        return head.pack() + b"".join(
            attribute(type, payload)
            for type, payload in (
                (fr.FRA_TABLE, U32.pack(self.table)),
                (fr.FRA_SUPPRESS_PREFIXLEN, U32.pack(self.suppress_prefixlen)),
                (fr.FRA_PROTOCOL, U8.pack(self.protocol)),
                (fr.FRA_IIFNAME, self.iifname and self.iifname + b"\0"),
                (fr.FRA_OIFNAME, self.oifname and self.oifname + b"\0"),
                (fr.FRA_PRIORITY, _u32(self.priority)),
                (fr.FRA_FWMARK, _u32(self.mark)),
                (fr.FRA_FWMASK, _u32(self.mask, shown=bool(self.mark or self.mask))),
                (fr.FRA_GOTO, _u32(self.target)),
                (fr.FRA_UID_RANGE, b"" if self.users == ALL_USERS else USER_RANGE.pack(*self.users)),
                (fr.FRA_SPORT_RANGE, b"" if self.sports == ALL_PORTS else PORT_RANGE.pack(*self.sports)),
                (fr.FRA_SPORT_MASK, ALL_BITS if 0 < self.sports[0] == self.sports[1] else b""),
                (fr.FRA_DPORT_RANGE, b"" if self.dports == ALL_PORTS else PORT_RANGE.pack(*self.dports)),
                (fr.FRA_DPORT_MASK, ALL_BITS if 0 < self.dports[0] == self.dports[1] else b""),
                (fr.FRA_IP_PROTO, U8.pack(self.ip_proto) if self.ip_proto else b""),
                (fr.FRA_SUPPRESS_IFGROUP, _u32(self.suppress_ifgroup, shown=self.suppress_ifgroup != UNSET)),
                (fr.FRA_DSCP, dscp),
                (fr.FRA_DSCP_MASK, dscp and U8.pack(DSCP_MAX)),
                (fr.FRA_DST, self.dst if self.dst_len else b""),
                (fr.FRA_SRC, self.src if self.src_len else b""),
                (fr.FRA_FLOW, _u32(self.flow) if self.family == AF_INET else b""),
            )
            if payload
        )


def _u32(value: int, *, shown: bool | None = None) -> bytes:
    return U32.pack(value) if (value if shown is None else shown) else b""


def _is_in(address: int, prefix: bytes, length: int) -> bool:
    return not length or not (address ^ int.from_bytes(prefix)) >> (8 * len(prefix) - length)


# -- the rules of a namespace ---------------------------------------------------------


@attrs.define(eq=False)
class RuleList:
    """Rules of a family in a namespace, by priority. `custom` is True after a program has changed the
    rules.
    """

    rules: list[Rule]
    custom: bool = False


class RuleSet:
    """Rules of an address family in every namespace (`struct fib_rules_ops`).

    `size` is the length of an address in bytes. `tables` contains table and priority of the rules of a new
    namespace. Until a program changes the rules, a lookup searches only the tables in `searched`.
    """

    def __init__(
        self,
        family: int,
        group: int,
        size: int,
        tables: tuple[tuple[int, int], ...],
        searched: tuple[int, ...] = (),
    ) -> None:
        self.family = family
        self.group = group
        self.size = size
        self._initial = [Rule(family=family, table=table) for table in searched]
        self._lists: PernetSlot[RuleList] = PernetSlot(
            lambda: RuleList(
                [Rule(family=family, table=table, priority=priority) for table, priority in tables]
            )
        )

    def of(self, net: Net) -> RuleList:
        """Return the family's rules in the namespace `net`."""
        return self._lists.of(net)

    def target(self, net: Net, rule: Rule) -> int | None:
        """Return the list index of the target of a goto rule, or None if the target does not exist."""
        rules = self.of(net).rules
        return next((place for place, each in enumerate(rules) if each.priority == rule.target), None)

    def pack(self, net: Net, rule: Rule) -> bytes:
        """Return header and attributes of a rule, with FIB_RULE_UNRESOLVED if the target of a goto rule does
        not exist.
        """
        unresolved = rule.action == fr.FR_ACT_GOTO and self.target(net, rule) is None
        return rule.pack(unresolved=unresolved)

    def lookup(
        self, net: Net, flow: Flow, search: Callable[[Net, int, Flow], T | int], *, suppress: bool = True
    ) -> T | int:
        """Search the tables of the matching rules, and return the first result or an errno
        (`fib_rules_lookup()`).

        `search` looks up a flow in one table. If it returns EAGAIN, the next rule is tried. After the last
        rule the result is ESRCH. If `suppress` is False, no rule rejects a route.
        """
        own, place = self.of(net), 0
        rules = own.rules if own.custom else self._initial
        while place < len(rules):
            rule = rules[place]
            place += 1
            if not rule.matches(flow) or rule.action == fr.FR_ACT_NOP:
                continue
            if rule.action == fr.FR_ACT_GOTO:
                target = self.target(net, rule)
                place = place if target is None else target
                continue
            if rule.action == fr.FR_ACT_TO_TBL:
                result = search(net, rule.table, flow)
                if suppress and not isinstance(result, int) and rule.suppresses(result):
                    continue
            else:
                result = ACTIONS.get(rule.action, EINVAL)
            if result != EAGAIN:
                flow.realms = rule.flow
                return result
        return ESRCH
