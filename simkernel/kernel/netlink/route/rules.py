"""RTM_GETRULE: the rules that a new namespace has (net/core/fib_rules.c).  Changing them is not modelled."""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route.parse import has_header, refuse
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import fib_rules as fr
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EAFNOSUPPORT, EINVAL, os_error
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.netlink import NLM_F_MULTI, NLMSG_HDRLEN, attribute, message
from simkernel.uapi.socket import AF_INET, AF_INET6, AF_UNSPEC
from simkernel.uapi.structure import U8, U32

ANY_LENGTH: Final = 2**32 - 1
"""Of prefixes, none is left out."""
RTPROT_KERNEL: Final = 2


@attrs.frozen
class Rule:
    """Look in a table.  The first rule has no preference, which is 0."""

    family: int
    table: int
    preference: int = 0

    def pack(self) -> bytes:
        """`fib_nl_fill_rule()`"""
        head = FibRuleHdr(self.family, table=self.table, action=fr.FR_ACT_TO_TBL).pack()
        preference = U32.pack(self.preference)
        return b"".join(
            (
                head,
                attribute(fr.FRA_TABLE, U32.pack(self.table)),
                attribute(fr.FRA_SUPPRESS_PREFIXLEN, U32.pack(ANY_LENGTH)),
                attribute(fr.FRA_PROTOCOL, U8.pack(RTPROT_KERNEL)),
                attribute(fr.FRA_PRIORITY, preference) if self.preference else b"",
            )
        )


RULES: Final = (
    Rule(AF_INET, rt.RT_TABLE_LOCAL),
    Rule(AF_INET, rt.RT_TABLE_MAIN, 0x7FFE),
    Rule(AF_INET, rt.RT_TABLE_DEFAULT, 0x7FFF),
    Rule(rt.RTNL_FAMILY_IPMR, rt.RT_TABLE_DEFAULT, 0x7FFF),
    Rule(rt.RTNL_FAMILY_IP6MR, rt.RT_TABLE_MAIN, 0x7FFF),
    Rule(AF_INET6, rt.RT_TABLE_LOCAL),
    Rule(AF_INET6, rt.RT_TABLE_MAIN, 0x7FFE),
)
"""In the order in which their families came to be (`fib_rules_register()`)."""


def dump(writer: MessageWriter, callback: DumpCallback) -> bool:
    """The rules of a family, or all (`fib_nl_dumprule()`).  EAFNOSUPPORT for one without rules."""
    request = callback.request
    if callback.strict:
        _check(request)
    family = request.data[request.start + NLMSG_HDRLEN]
    rules = [rule for rule in RULES if family in (AF_UNSPEC, rule.family)]
    if not rules:
        raise os_error(EAFNOSUPPORT)
    for rule in rules[callback.context or 0 :]:
        data = message(rt.RTM_NEWRULE, rule.pack(), flags=NLM_F_MULTI, seq=request.seq, pid=request.portid)
        writer.append(data)
        callback.context = (callback.context or 0) + 1
    return False


def _check(request: Request) -> None:
    """`fib_valid_dumprule_req()`: nothing but the family may be said."""
    if not has_header(request, FibRuleHdr):
        raise refuse(request, EINVAL, "Invalid header for fib rule dump request")
    start = request.start + NLMSG_HDRLEN
    if any(request.data[start + 1 : start + FibRuleHdr.SIZE]):
        raise refuse(request, EINVAL, "Invalid values in header for fib rule dump request")
    if request.end > start + FibRuleHdr.SIZE:
        raise refuse(request, EINVAL, "Invalid data after header in fib rule dump request")
