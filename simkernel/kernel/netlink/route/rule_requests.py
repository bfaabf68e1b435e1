"""Handlers of RTM_NEWRULE, RTM_DELRULE and RTM_GETRULE (net/core/fib_rules.c, net/ipv4/fib_rules.c,
fib6_rules.c).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, Protocol

from simkernel.kernel.net.device import Event, NetDevice
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import LIBERAL, Found
from simkernel.kernel.netlink.route.notify import notify, wanted
from simkernel.kernel.netlink.route.parse import (
    U8_POLICY,
    U16_POLICY,
    U32_POLICY,
    at_least,
    attributes,
    has_header,
    payload,
    refuse,
)
from simkernel.kernel.netlink.route.rules import (
    ALL_PORTS,
    ALL_USERS,
    DSCP_MAX,
    PORT_RANGE,
    TOS_MASK,
    UNSET,
    USER_RANGE,
    Rule,
    RuleSet,
)
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import fib_rules as fr
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EAFNOSUPPORT, EEXIST, EINVAL, ENOENT, EOPNOTSUPP, EPERM, os_error
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.if_link import IFNAMSIZ
from simkernel.uapi.netlink import NLM_F_EXCL, NLM_F_MULTI, NLMSG_HDRLEN, message
from simkernel.uapi.socket import AF_INET, AF_INET6, AF_UNSPEC
from simkernel.uapi.structure import U8, U32
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable, Validation

_NAME = AttributePolicy(NlaType.STRING, length=IFNAMSIZ - 1)
_BE32 = AttributePolicy(NlaType.BE32)
_POLICIES: Final[dict[int, AttributePolicy]] = {
    **dict.fromkeys((fr.FRA_IIFNAME, fr.FRA_OIFNAME), _NAME),
    **dict.fromkeys((fr.FRA_PRIORITY, fr.FRA_FWMARK, fr.FRA_FLOW, fr.FRA_FWMASK), U32_POLICY),
    **dict.fromkeys((fr.FRA_TABLE, fr.FRA_SUPPRESS_PREFIXLEN, fr.FRA_SUPPRESS_IFGROUP), U32_POLICY),
    fr.FRA_GOTO: U32_POLICY,
    **dict.fromkeys((fr.FRA_L3MDEV, fr.FRA_PROTOCOL, fr.FRA_IP_PROTO), U8_POLICY),
    fr.FRA_TUN_ID: AttributePolicy(NlaType.U64),
    fr.FRA_UID_RANGE: at_least(USER_RANGE.size),
    **dict.fromkeys((fr.FRA_SPORT_RANGE, fr.FRA_DPORT_RANGE), at_least(PORT_RANGE.size)),
    fr.FRA_DSCP: AttributePolicy(NlaType.U8, Validation.MAX, maximum=DSCP_MAX),
    **dict.fromkeys((fr.FRA_FLOWLABEL, fr.FRA_FLOWLABEL_MASK), _BE32),
    **dict.fromkeys((fr.FRA_SPORT_MASK, fr.FRA_DPORT_MASK), U16_POLICY),
    fr.FRA_DSCP_MASK: AttributePolicy(NlaType.U8, Validation.MASK, mask=DSCP_MAX),
}
POLICY: Final = PolicyTable(
    "fib rule",
    tuple(_POLICIES.get(type, AttributePolicy()) for type in range(fr.FRA_MAX + 1)),
    strict_start_type=fr.FRA_DPORT_RANGE + 1,
)
"""Policy of the attributes of a rule request (fib_rule_policy)."""
UNMODELLED: Final = {fr.FRA_TUN_ID, fr.FRA_L3MDEV, *range(fr.FRA_FLOWLABEL, fr.FRA_MAX + 1)}
"""Attributes of rule requests that simkernel does not model: tunnels, VRFs, flow labels and masks."""

NOTIFICATION_SIZES: Final = {AF_INET: 228, AF_INET6: 260}
"""Buffer size of a notification in bytes, by family (`fib_rule_nlmsg_size()`)."""

COMPARED_FIELDS: Final = (
    *("action", "table", "priority", "iifname", "oifname", "mark", "mask", "users", "ip_proto", "protocol"),
    *("suppress_ifgroup", "suppress_prefixlen", "sports", "dports"),
)
"""Fields by which the kernel finds a duplicate of a new rule, or the rule to delete. The kernel also compares
the selectors that the request contains (`rule_exists()`, `rule_find()`).
"""
UNSET_VALUES: Final[dict[str, object]] = {
    **dict.fromkeys(("iifname", "oifname"), b""),
    **dict.fromkeys(("suppress_ifgroup", "suppress_prefixlen"), UNSET),
    **dict.fromkeys(("sports", "dports"), ALL_PORTS),
    "users": ALL_USERS,
}
"""Value that a rule field has if an RTM_DELRULE request does not set it. For fields that are not listed, this
value is 0. The kernel does not compare fields that have this value (`rule_find()`).

The field `priority` is an exception: the kernel compares it if the request contains FRA_PRIORITY.
"""


class RuleTables(Protocol):
    """The routing tables of one address family, with the methods that the handlers of rule requests call."""

    rules: RuleSet

    def changing_rules(self, net: Net) -> None:
        """Prepare the tables for a change of a namespace's rules. The handlers call this method before each
        change.
        """

    def table_of_rule(self, net: Net, rule: Rule) -> int | None:
        """Return the id of the table that a new rule selects, or None if the table is invalid."""


class RuleRequests:
    """Handlers of requests about routing rules (`fib_rules_register()`).

    A dump lists the rules of each family in turn. The order of the families is that of the argument `sets`.
    """

    def __init__(
        self,
        devices: NetDevices,
        sets: tuple[RuleSet, ...],
        tables: dict[int, RuleTables],
        unmodelled: Callable[[str, int], Exception],
    ) -> None:
        self._sets = {each.family: each for each in sets}
        self._tables = tables
        self._unmodelled = unmodelled
        devices.subscribe(self._on_event)

    def _on_event(self, event: Event, device: NetDevice, info: Any) -> None:
        """Update the device indexes in rules after a device event (`fib_rules_event()`)."""
        if event not in (Event.REGISTER, Event.CHANGENAME, Event.UNREGISTER):
            return
        name = device.name.encode("utf-8", "surrogateescape")
        for each in self._sets.values():
            for rule in each.of(device.net).rules:
                for index, name_of in (("iif", rule.iifname), ("oif", rule.oifname)):
                    if event is not Event.REGISTER and getattr(rule, index) == device.index:
                        setattr(rule, index, UNSET)
                    if event is not Event.UNREGISTER and getattr(rule, index) == UNSET and name_of == name:
                        setattr(rule, index, device.index)

    def new(self, request: Request) -> None:
        """Add a rule (`fib_nl_newrule()`).

        Raise EINVAL or ERANGE if the request is invalid, EAFNOSUPPORT if the family has no rules, and EEXIST
        if the request has NLM_F_EXCL and the rule exists.
        """
        tables, rule, found = self._parse(request)
        net, rules = request.net, tables.rules.of(request.net)
        if request.flags & NLM_F_EXCL and any(
            each.is_alike(rule, found, COMPARED_FIELDS) for each in rules.rules
        ):
            raise os_error(EEXIST)
        head = _header(request)
        if head.tos & 3:
            raise refuse(request, EINVAL, "Invalid dsfield (tos): ECN bits must be 0")
        if rule.family == AF_INET and head.tos & ~(TOS_MASK | 2):
            raise refuse(request, EINVAL, "Invalid tos")
        if head.tos and rule.dscp is not None:
            raise refuse(request, EINVAL, "Cannot specify both TOS and DSCP")
        tables.changing_rules(net)
        if rule.action == fr.FR_ACT_TO_TBL:
            table = tables.table_of_rule(net, rule)
            if table is None:
                raise refuse(request, EINVAL, "Invalid table")
            rule.table = table
        rules.custom = True
        place = next(
            (at for at, each in enumerate(rules.rules) if each.priority > rule.priority), len(rules.rules)
        )
        rules.rules.insert(place, rule)
        self._notify(rt.RTM_NEWRULE, tables.rules, rule, request)

    def delete(self, request: Request) -> None:
        """Delete the first matching rule (`fib_nl_delrule()`). Raise ENOENT if no rule matches, and EPERM if
        the rule is permanent.
        """
        tables, wanted_rule, found = self._parse(request)
        rules = tables.rules.of(request.net).rules
        fields = tuple(
            field
            for field in COMPARED_FIELDS
            if (
                fr.FRA_PRIORITY in found
                if field == "priority"
                else getattr(wanted_rule, field) != UNSET_VALUES.get(field, 0)
            )
        )
        rule = next((each for each in rules if each.is_alike(wanted_rule, found, fields)), None)
        if rule is None:
            raise os_error(ENOENT)
        if rule.flags & fr.FIB_RULE_PERMANENT:
            raise os_error(EPERM)
        tables.changing_rules(request.net)
        rules.remove(rule)
        self._notify(rt.RTM_DELRULE, tables.rules, rule, request)

    @staticmethod
    def _notify(type: int, rules: RuleSet, rule: Rule, request: Request) -> None:
        if wanted(request.net, rules.group, request):
            body = rules.pack(request.net, rule)
            data = message(type, body, seq=request.seq, pid=request.portid)
            notify(request.net, rules.group, data, request, NOTIFICATION_SIZES[rules.family])

    def _parse(self, request: Request) -> tuple[RuleTables, Rule, Found]:
        """Parse a rule request (`fib_nl2rule()`). Return the routing tables of its address family, the rule
        that it describes, and the offsets of its attributes.
        """
        if not has_header(request, FibRuleHdr):
            raise refuse(request, EINVAL, "Invalid msg length")
        head = _header(request)
        if head.family not in self._sets:
            raise refuse(request, EAFNOSUPPORT, "Rule family not supported")
        try:
            found = attributes(request, FibRuleHdr.SIZE, POLICY, LIBERAL)
        except OSError as error:
            raise refuse(request, error.errno or EINVAL, "Error parsing msg") from None
        tables = self._tables.get(head.family)
        rule = None if tables is None else _rule(request, tables.rules, found)
        if (
            tables is None
            or rule is None
            or not UNMODELLED.isdisjoint(found)
            or (head.flags & fr.FIB_RULE_FIND_SADDR and head.src_len and head.family == AF_INET6)
        ):
            raise self._unmodelled(
                "rules of multicast routing, of tunnels, of VRFs, or with masks are not modelled", EOPNOTSUPP
            )
        return tables, rule, found

    def dump(self, writer: MessageWriter, callback: DumpCallback) -> bool:
        """Dump the rules of a family, or of all families (`fib_nl_dumprule()`).

        Raises EAFNOSUPPORT if the family has no rules.
        """
        request = callback.request
        if callback.strict:
            _check(request)
        family = request.data[request.start + NLMSG_HDRLEN]
        if family not in (AF_UNSPEC, *self._sets):
            raise os_error(EAFNOSUPPORT)
        sets = [each for each in self._sets.values() if family in (AF_UNSPEC, each.family)]
        rules = [(each, rule) for each in sets for rule in each.of(request.net).rules]
        for each, rule in rules[callback.context or 0 :]:
            body = each.pack(request.net, rule)
            writer.append(
                message(rt.RTM_NEWRULE, body, flags=NLM_F_MULTI, seq=request.seq, pid=request.portid)
            )
            callback.context = (callback.context or 0) + 1
        return False


def _header(request: Request) -> FibRuleHdr:
    return FibRuleHdr.unpack(request.data, request.start + NLMSG_HDRLEN)


def _rule(request: Request, rules: RuleSet, found: Found) -> Rule:
    """Return the rule that a request describes. Raises EINVAL if the rule is invalid."""
    head, net = _header(request), request.net

    def number(type: int, default: int = 0) -> int:
        # Linux accepts a payload that is longer than the number, and reads only the first bytes.
        data = payload(request, found, type)
        size = U8.size if _POLICIES[type].type is NlaType.U8 else U32.size
        return int.from_bytes(data[:size], "little") if data else default

    def pair(type: int, layout: struct.Struct, default: tuple[int, int]) -> tuple[int, int]:
        data = payload(request, found, type)
        first, last = layout.unpack_from(data) if data else default
        return first, last

    addresses = []
    for what, type, length in (("source", fr.FRA_SRC, head.src_len), ("dst", fr.FRA_DST, head.dst_len)):
        address = payload(request, found, type)
        if length and (length > 8 * rules.size or len(address) != rules.size):
            raise refuse(request, EINVAL, f"Invalid {what} address")
        addresses.append(address if length else b"")
    names = [payload(request, found, type).partition(b"\0")[0] for type in (fr.FRA_IIFNAME, fr.FRA_OIFNAME)]
    devices = [net.device_named(name.decode("utf-8", "surrogateescape")) for name in names]
    indexes = [
        (UNSET if device is None else device.index) if type in found else 0
        for device, type in zip(devices, (fr.FRA_IIFNAME, fr.FRA_OIFNAME), strict=True)
    ]
    others = rules.of(net).rules
    second = others[1].priority if len(others) > 1 else 0
    mark = number(fr.FRA_FWMARK)
    rule = Rule(
        family=rules.family,
        priority=number(fr.FRA_PRIORITY) if fr.FRA_PRIORITY in found else max(second - 1, 0),
        table=number(fr.FRA_TABLE) if fr.FRA_TABLE in found else head.table,
        action=head.action,
        flags=head.flags,
        protocol=number(fr.FRA_PROTOCOL),
        iifname=names[0],
        oifname=names[1],
        iif=indexes[0],
        oif=indexes[1],
        mark=mark,
        mask=number(fr.FRA_FWMASK, UNSET if mark else 0),
        target=number(fr.FRA_GOTO),
        users=pair(fr.FRA_UID_RANGE, USER_RANGE, ALL_USERS),
        ip_proto=number(fr.FRA_IP_PROTO),
        sports=pair(fr.FRA_SPORT_RANGE, PORT_RANGE, ALL_PORTS),
        dports=pair(fr.FRA_DPORT_RANGE, PORT_RANGE, ALL_PORTS),
        suppress_prefixlen=number(fr.FRA_SUPPRESS_PREFIXLEN, UNSET),
        suppress_ifgroup=number(fr.FRA_SUPPRESS_IFGROUP, UNSET),
        dst=addresses[1],
        dst_len=head.dst_len,
        src=addresses[0],
        src_len=head.src_len,
        tos=head.tos,
        dscp=number(fr.FRA_DSCP) if fr.FRA_DSCP in found else None,
        flow=number(fr.FRA_FLOW),
    )
    is_goto, has_target = rule.action == fr.FR_ACT_GOTO, fr.FRA_GOTO in found
    l3mdev = fr.FRA_L3MDEV in found
    for wrong, text in (
        (l3mdev and number(fr.FRA_L3MDEV) & 0xFF != 1, "Invalid l3mdev attribute"),
        (has_target and not is_goto, "Unexpected goto"),
        (is_goto and not has_target, "Missing goto target for action goto"),
        (l3mdev and rule.table, "l3mdev and table are mutually exclusive"),
        (fr.FRA_UID_RANGE in found and not rule.users[0] <= rule.users[1] < UNSET, "Invalid uid range"),
        (fr.FRA_SPORT_RANGE in found and not _is_port_range(rule.sports), "Invalid sport range"),
        (fr.FRA_DPORT_RANGE in found and not _is_port_range(rule.dports), "Invalid dport range"),
        (has_target and rule.target <= rule.priority, "Backward goto not supported"),
    ):
        if wrong:
            raise refuse(request, EINVAL, text)
    return rule


def _is_port_range(ports: tuple[int, int]) -> bool:
    return 0 < ports[0] <= ports[1] < 2**16 - 1


def _check(request: Request) -> None:
    """Check a strict dump request (`fib_valid_dumprule_req()`). Raise EINVAL if the header is incomplete, if
    data follows the header, or if a header field other than the address family is not 0.
    """
    if not has_header(request, FibRuleHdr):
        raise refuse(request, EINVAL, "Invalid header for fib rule dump request")
    start = request.start + NLMSG_HDRLEN
    if any(request.data[start + 1 : start + FibRuleHdr.SIZE]):
        raise refuse(request, EINVAL, "Invalid values in header for fib rule dump request")
    if request.end > start + FibRuleHdr.SIZE:
        raise refuse(request, EINVAL, "Invalid data after header in fib rule dump request")
