"""Generic netlink and its controller family, nlctrl.  Source: include/uapi/linux/genetlink.h."""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from simkernel.uapi.netlink import NLMSG_MIN_TYPE
from simkernel.uapi.structure import Structure

# GENL_NAMSIZ: maximum length of a family's name, NUL included. GENL_MAX_ID: highest family id.
GENL_NAMSIZ: Final = 16
GENL_MAX_ID: Final = 1023

# Reserved family ids.  Other families get an id from GENL_START_ALLOC on.
GENL_ID_CTRL: Final = NLMSG_MIN_TYPE
GENL_ID_VFS_DQUOT: Final = NLMSG_MIN_TYPE + 1
GENL_ID_PMCRAID: Final = NLMSG_MIN_TYPE + 2
GENL_START_ALLOC: Final = NLMSG_MIN_TYPE + 3

# Required privileges and supported requests of an operation (CTRL_ATTR_OP_FLAGS).
GENL_ADMIN_PERM: Final = 0x01
GENL_CMD_CAP_DO: Final = 0x02
GENL_CMD_CAP_DUMP: Final = 0x04
GENL_CMD_CAP_HASPOL: Final = 0x08
GENL_UNS_ADMIN_PERM: Final = 0x10

# Commands of nlctrl.
CTRL_CMD_UNSPEC: Final = 0
CTRL_CMD_NEWFAMILY: Final = 1
CTRL_CMD_DELFAMILY: Final = 2
CTRL_CMD_GETFAMILY: Final = 3
CTRL_CMD_NEWOPS: Final = 4
CTRL_CMD_DELOPS: Final = 5
CTRL_CMD_GETOPS: Final = 6
CTRL_CMD_NEWMCAST_GRP: Final = 7
CTRL_CMD_DELMCAST_GRP: Final = 8
CTRL_CMD_GETMCAST_GRP: Final = 9
CTRL_CMD_GETPOLICY: Final = 10
CTRL_CMD_MAX: Final = CTRL_CMD_GETPOLICY

# Attributes of nlctrl's messages.
CTRL_ATTR_UNSPEC: Final = 0
CTRL_ATTR_FAMILY_ID: Final = 1
CTRL_ATTR_FAMILY_NAME: Final = 2
CTRL_ATTR_VERSION: Final = 3
CTRL_ATTR_HDRSIZE: Final = 4
CTRL_ATTR_MAXATTR: Final = 5
CTRL_ATTR_OPS: Final = 6
CTRL_ATTR_MCAST_GROUPS: Final = 7
CTRL_ATTR_POLICY: Final = 8
CTRL_ATTR_OP_POLICY: Final = 9
CTRL_ATTR_OP: Final = 10

# Attributes of an entry in CTRL_ATTR_OPS.
CTRL_ATTR_OP_UNSPEC: Final = 0
CTRL_ATTR_OP_ID: Final = 1
CTRL_ATTR_OP_FLAGS: Final = 2
CTRL_ATTR_OP_MAX: Final = CTRL_ATTR_OP_FLAGS

# Attributes of an entry in CTRL_ATTR_MCAST_GROUPS.
CTRL_ATTR_MCAST_GRP_UNSPEC: Final = 0
CTRL_ATTR_MCAST_GRP_NAME: Final = 1
CTRL_ATTR_MCAST_GRP_ID: Final = 2
CTRL_ATTR_MCAST_GRP_MAX: Final = CTRL_ATTR_MCAST_GRP_ID

# Attributes of an entry in CTRL_ATTR_OP_POLICY.
CTRL_ATTR_POLICY_UNSPEC: Final = 0
CTRL_ATTR_POLICY_DO: Final = 1
CTRL_ATTR_POLICY_DUMP: Final = 2
CTRL_ATTR_POLICY_DUMP_MAX: Final = CTRL_ATTR_POLICY_DUMP

GENL_HDRLEN: Final = 4


@attrs.frozen
class GenlMsgHdr(Structure):
    """struct genlmsghdr, the header that follows the nlmsghdr of a message. The type in the nlmsghdr is the
    family's id.
    """

    LAYOUT = Struct("<BBH")

    cmd: int
    version: int = 1
    reserved: int = 0
