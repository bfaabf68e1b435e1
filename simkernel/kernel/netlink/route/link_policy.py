"""Attribute policies of link messages: ifla_policy of net/core/rtnetlink.c, as of Linux 6.18."""

from __future__ import annotations

from typing import Final

from simkernel.uapi import if_link as il
from simkernel.uapi.structure import U32_MAX
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable, Validation

MAX_ADDR_LEN: Final = 32
MAX_PHYS_ITEM_ID_LEN: Final = 32
IFMAP_SIZE: Final = 32
MAX_TCP_HEADER: Final = 192

_U8 = AttributePolicy(NlaType.U8)
_U32 = AttributePolicy(NlaType.U32)
_S32 = AttributePolicy(NlaType.S32)
_NESTED = AttributePolicy(NlaType.NESTED)
_REJECT = AttributePolicy(NlaType.REJECT)
_SEGMENTED = AttributePolicy(NlaType.U32, Validation.MIN, minimum=MAX_TCP_HEADER + 1)

POLICIES: Final[dict[int, AttributePolicy]] = {
    il.IFLA_ADDRESS: AttributePolicy(NlaType.BINARY, length=MAX_ADDR_LEN),
    il.IFLA_BROADCAST: AttributePolicy(NlaType.BINARY, length=MAX_ADDR_LEN),
    il.IFLA_IFNAME: AttributePolicy(NlaType.STRING, length=il.IFNAMSIZ - 1),
    il.IFLA_MTU: _U32,
    il.IFLA_LINK: _U32,
    il.IFLA_MASTER: _U32,
    il.IFLA_TXQLEN: AttributePolicy(NlaType.U32, Validation.RANGE_PTR, maximum=U32_MAX),
    il.IFLA_MAP: AttributePolicy(length=IFMAP_SIZE),
    il.IFLA_WEIGHT: _U32,
    il.IFLA_OPERSTATE: _U8,
    il.IFLA_LINKMODE: _U8,
    il.IFLA_LINKINFO: _NESTED,
    il.IFLA_NET_NS_PID: _U32,
    il.IFLA_IFALIAS: AttributePolicy(NlaType.BINARY, length=il.IFALIASZ - 1),
    il.IFLA_VFINFO_LIST: _NESTED,
    il.IFLA_VF_PORTS: _NESTED,
    il.IFLA_PORT_SELF: _NESTED,
    il.IFLA_AF_SPEC: _NESTED,
    il.IFLA_GROUP: _U32,
    il.IFLA_NET_NS_FD: _U32,
    il.IFLA_EXT_MASK: _U32,
    il.IFLA_PROMISCUITY: _U32,
    il.IFLA_NUM_TX_QUEUES: _U32,
    il.IFLA_NUM_RX_QUEUES: _U32,
    il.IFLA_CARRIER: _U8,
    il.IFLA_PHYS_PORT_ID: AttributePolicy(NlaType.BINARY, length=MAX_PHYS_ITEM_ID_LEN),
    il.IFLA_CARRIER_CHANGES: _U32,
    il.IFLA_PHYS_SWITCH_ID: AttributePolicy(NlaType.BINARY, length=MAX_PHYS_ITEM_ID_LEN),
    il.IFLA_LINK_NETNSID: _S32,
    il.IFLA_PROTO_DOWN: _U8,
    il.IFLA_GSO_MAX_SEGS: _U32,
    il.IFLA_GSO_MAX_SIZE: _SEGMENTED,
    il.IFLA_XDP: _NESTED,
    il.IFLA_EVENT: _U32,
    il.IFLA_TARGET_NETNSID: _S32,
    il.IFLA_CARRIER_UP_COUNT: _U32,
    il.IFLA_CARRIER_DOWN_COUNT: _U32,
    il.IFLA_NEW_IFINDEX: AttributePolicy(NlaType.S32, Validation.MIN, minimum=1),
    il.IFLA_MIN_MTU: _U32,
    il.IFLA_MAX_MTU: _U32,
    il.IFLA_PROP_LIST: _NESTED,
    il.IFLA_ALT_IFNAME: AttributePolicy(NlaType.STRING, length=il.ALTIFNAMSIZ - 1),
    il.IFLA_PERM_ADDRESS: _REJECT,
    il.IFLA_PROTO_DOWN_REASON: _NESTED,
    il.IFLA_PARENT_DEV_NAME: AttributePolicy(NlaType.NUL_STRING),
    il.IFLA_GRO_MAX_SIZE: _U32,
    il.IFLA_TSO_MAX_SIZE: _REJECT,
    il.IFLA_TSO_MAX_SEGS: _REJECT,
    il.IFLA_ALLMULTI: _REJECT,
    il.IFLA_GSO_IPV4_MAX_SIZE: _SEGMENTED,
    il.IFLA_GRO_IPV4_MAX_SIZE: _U32,
    il.IFLA_NETNS_IMMUTABLE: _REJECT,
    il.IFLA_HEADROOM: _REJECT,
    il.IFLA_TAILROOM: _REJECT,
}

LINKINFO_POLICY: Final = PolicyTable(
    "linkinfo",
    (
        AttributePolicy(),
        AttributePolicy(NlaType.STRING),  # IFLA_INFO_KIND
        _NESTED,  # IFLA_INFO_DATA
        AttributePolicy(),  # IFLA_INFO_XSTATS
        AttributePolicy(NlaType.STRING),  # IFLA_INFO_SLAVE_KIND
        _NESTED,  # IFLA_INFO_SLAVE_DATA
    ),
)
"""Policy of the attributes in IFLA_LINKINFO (ifla_info_policy)."""

LINK_POLICY: Final = PolicyTable(
    "link",
    tuple(POLICIES.get(type, AttributePolicy()) for type in range(il.IFLA_MAX + 1)),
    strict_start_type=il.IFLA_DPLL_PIN,
)
