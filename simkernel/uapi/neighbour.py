"""Neighbours: header, attributes and flags of RTM_..NEIGH.

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


@attrs.frozen
class NdMsg(Structure):
    """struct ndmsg: a neighbour on the link `index`.  The paddings are 0 where somebody looks."""

    LAYOUT = Struct("<BBHiHBB")

    family: int = AF_UNSPEC
    pad1: int = 0
    pad2: int = 0
    index: int = 0
    state: int = 0
    flags: int = 0
    type: int = 0
