"""Routing rules: header and attributes of the messages RTM_NEWRULE, RTM_DELRULE and RTM_GETRULE.

Source: include/uapi/linux/fib_rules.h, as of Linux 6.18.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from simkernel.uapi.socket import AF_UNSPEC
from simkernel.uapi.structure import Structure

FRA_DST: Final = 1
FRA_SRC: Final = 2
FRA_IIFNAME: Final = 3
FRA_GOTO: Final = 4
FRA_PRIORITY: Final = 6
FRA_FWMARK: Final = 10
FRA_FLOW: Final = 11
FRA_TUN_ID: Final = 12
FRA_SUPPRESS_IFGROUP: Final = 13
FRA_SUPPRESS_PREFIXLEN: Final = 14
FRA_TABLE: Final = 15
FRA_FWMASK: Final = 16
FRA_OIFNAME: Final = 17
FRA_L3MDEV: Final = 19
FRA_UID_RANGE: Final = 20
FRA_PROTOCOL: Final = 21
FRA_IP_PROTO: Final = 22
FRA_SPORT_RANGE: Final = 23
FRA_DPORT_RANGE: Final = 24
FRA_DSCP: Final = 25
FRA_FLOWLABEL: Final = 26
FRA_FLOWLABEL_MASK: Final = 27
FRA_SPORT_MASK: Final = 28
FRA_DPORT_MASK: Final = 29
FRA_DSCP_MASK: Final = 30
FRA_MAX: Final = FRA_DSCP_MASK

# Actions.
FR_ACT_UNSPEC: Final = 0
FR_ACT_TO_TBL: Final = 1
FR_ACT_GOTO: Final = 2
FR_ACT_NOP: Final = 3
FR_ACT_BLACKHOLE: Final = 6
FR_ACT_UNREACHABLE: Final = 7
FR_ACT_PROHIBIT: Final = 8

# Flags.
FIB_RULE_PERMANENT: Final = 0x1
FIB_RULE_INVERT: Final = 0x2
FIB_RULE_UNRESOLVED: Final = 0x4
FIB_RULE_IIF_DETACHED: Final = 0x8
FIB_RULE_OIF_DETACHED: Final = 0x10
FIB_RULE_FIND_SADDR: Final = 0x10000


@attrs.frozen
class FibRuleHdr(Structure):
    """struct fib_rule_hdr, the header of a message about a routing rule.

    `res1` and `res2` must be 0.
    """

    LAYOUT = Struct("<BBBBBBBBI")

    family: int = AF_UNSPEC
    dst_len: int = 0
    src_len: int = 0
    tos: int = 0
    table: int = 0
    res1: int = 0
    res2: int = 0
    action: int = 0
    flags: int = 0
