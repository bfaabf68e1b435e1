"""Attributes and flags of RTM_..ADDR messages.  Source: include/uapi/linux/if_addr.h, as of Linux 6.18."""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from simkernel.uapi.structure import Structure

IFA_ADDRESS: Final = 1
IFA_LOCAL: Final = 2
IFA_LABEL: Final = 3
IFA_BROADCAST: Final = 4
IFA_CACHEINFO: Final = 6
IFA_FLAGS: Final = 8
IFA_RT_PRIORITY: Final = 9
IFA_TARGET_NETNSID: Final = 10
IFA_PROTO: Final = 11
IFA_MAX: Final = IFA_PROTO

IFA_F_SECONDARY: Final = 0x01
IFA_F_NODAD: Final = 0x02
IFA_F_OPTIMISTIC: Final = 0x04
IFA_F_DADFAILED: Final = 0x08
IFA_F_HOMEADDRESS: Final = 0x10
IFA_F_DEPRECATED: Final = 0x20
IFA_F_TENTATIVE: Final = 0x40
IFA_F_PERMANENT: Final = 0x80
IFA_F_MANAGETEMPADDR: Final = 0x100
IFA_F_NOPREFIXROUTE: Final = 0x200
IFA_F_MCAUTOJOIN: Final = 0x400
IFA_F_STABLE_PRIVACY: Final = 0x800

IFAPROT_KERNEL_LO: Final = 1
IFAPROT_KERNEL_LL: Final = 3
"""IFA_PROTO of an address that the kernel has created: IFAPROT_KERNEL_LO on `lo`, IFAPROT_KERNEL_LL for a
link-local address.
"""

INFINITY_LIFE_TIME: Final = 0xFFFF_FFFF


@attrs.frozen
class IfaCacheinfo(Structure):
    """struct ifa_cacheinfo, the lifetimes of an address.

    Lifetimes are in seconds, the times of creation and change in hundredths of a second.
    """

    LAYOUT = Struct("<4I")

    preferred: int = INFINITY_LIFE_TIME
    valid: int = INFINITY_LIFE_TIME
    created: int = 0
    updated: int = 0
