"""Neighbours (ARP and NDP entries): header, attributes and flags of RTM_..NEIGH messages.

Source: include/uapi/linux/neighbour.h, as of Linux 6.18.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from simkernel.uapi.socket import AF_UNSPEC
from simkernel.uapi.structure import Structure

NDA_DST: Final = 1
NDA_LLADDR: Final = 2
NDA_CACHEINFO: Final = 3
NDA_PROBES: Final = 4
NDA_VLAN: Final = 5
NDA_PORT: Final = 6
NDA_VNI: Final = 7
NDA_IFINDEX: Final = 8
NDA_MASTER: Final = 9
NDA_PROTOCOL: Final = 12
NDA_NH_ID: Final = 13
NDA_FDB_EXT_ATTRS: Final = 14
NDA_FLAGS_EXT: Final = 15
NDA_NDM_FLAGS_MASK: Final = 17
NDA_MAX: Final = NDA_NDM_FLAGS_MASK

NTF_SELF: Final = 1 << 1
NTF_MASTER: Final = 1 << 2
NTF_PROXY: Final = 1 << 3
NTF_EXT_LEARNED: Final = 1 << 4
NTF_STICKY: Final = 1 << 6
NTF_ROUTER: Final = 1 << 7
NTF_USE: Final = 1 << 0
NTF_EXT_SHIFT: Final = 8
NTF_MANAGED: Final = 1 << 8
NTF_EXT_VALIDATED: Final = 1 << 10
"""NTF_ flags from bit 8 on, such as NTF_MANAGED, do not fit into struct ndmsg. The attribute NDA_FLAGS_EXT
contains them, shifted right by NTF_EXT_SHIFT bits.
"""

NUD_INCOMPLETE: Final = 0x01
NUD_REACHABLE: Final = 0x02
NUD_STALE: Final = 0x04
NUD_DELAY: Final = 0x08
NUD_PROBE: Final = 0x10
NUD_FAILED: Final = 0x20
NUD_NOARP: Final = 0x40
NUD_PERMANENT: Final = 0x80
NUD_IN_TIMER: Final = NUD_INCOMPLETE | NUD_REACHABLE | NUD_DELAY | NUD_PROBE
NUD_CONNECTED: Final = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE
NUD_VALID: Final = NUD_CONNECTED | NUD_PROBE | NUD_STALE | NUD_DELAY


@attrs.frozen
class NdMsg(Structure):
    """struct ndmsg, the header of a message about a neighbour.  `index` is the interface index of the link.

    In a strictly checked request, the paddings must be 0.
    """

    LAYOUT = Struct("<BBHiHBB")

    family: int = AF_UNSPEC
    pad1: int = 0
    pad2: int = 0
    index: int = 0
    state: int = 0
    flags: int = 0
    type: int = 0
