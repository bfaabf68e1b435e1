"""Rules of routing: header and attributes of RTM_..RULE.

Source: include/uapi/linux/fib_rules.h, as of Linux 6.18.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from simkernel.uapi.socket import AF_UNSPEC
from simkernel.uapi.structure import Structure

FRA_PRIORITY: Final = 6
FRA_SUPPRESS_PREFIXLEN: Final = 14
FRA_TABLE: Final = 15
FRA_PROTOCOL: Final = 21

FR_ACT_TO_TBL: Final = 1


@attrs.frozen
class FibRuleHdr(Structure):
    """struct fib_rule_hdr: a rule of one family.  `res1` and `res2` are to be 0."""

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
