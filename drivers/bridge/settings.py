"""The settings of bridges and ports: the attributes in IFLA_INFO_DATA and IFLA_INFO_SLAVE_DATA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from simkernel.driverapi.netdevice import Extack
from simkernel.driverapi.rtnetlink import AttributePolicy, NlaType, PolicyTable, Validation
from simkernel.uapi.errno import EINVAL, EOPNOTSUPP, ERANGE, os_error
from simkernel.uapi.if_bridge import BR_STATE_BLOCKING, BR_STATE_DISABLED, Br, BrPort
from simkernel.uapi.netlink import attribute
from simkernel.uapi.structure import U8, U16, U32, U64

PRIORITY: Final = 0x8000
"""Default priority of a bridge."""
FORWARD_DELAY: Final = 1500
TICK: Final = 10_000_000
"""Unit of time values in bridge attributes, in ns: one tick of USER_HZ."""
GROUP_ADDRESS: Final = bytes.fromhex("0180c2000000")
"""Multicast address of the spanning tree protocol."""
COSTS: Final = {10_000: 2, 5_000: 3, 2_500: 4, 1_000: 5, 100: 19}
"""Path cost of a port, by its speed in Mbit/s (`port_cost()`)."""
MAX_PATH_COST: Final = 65535
"""Highest path cost of a port (BR_MAX_PATH_COST)."""

TYPES: Final = {1: NlaType.U8, 2: NlaType.U16, 4: NlaType.U32, 8: NlaType.U64}
NUMBERS: Final = {1: U8, 2: U16, 4: U32, 8: U64}
BRIDGE: Final[dict[int, tuple[int, int]]] = {
    **dict.fromkeys((Br.HELLO_TIMER, Br.TCN_TIMER, Br.TOPOLOGY_CHANGE_TIMER, Br.GC_TIMER), (8, 0)),
    Br.FORWARD_DELAY: (4, FORWARD_DELAY),
    Br.HELLO_TIME: (4, 200),
    Br.MAX_AGE: (4, 2000),
    Br.AGEING_TIME: (4, 30000),
    Br.STP_STATE: (4, 0),
    Br.PRIORITY: (2, PRIORITY),
    Br.VLAN_FILTERING: (1, 0),
    Br.GROUP_FWD_MASK: (2, 0),
    Br.BRIDGE_ID: (8, 0),
    Br.ROOT_ID: (8, 0),
    Br.ROOT_PORT: (2, 0),
    Br.ROOT_PATH_COST: (4, 0),
    Br.TOPOLOGY_CHANGE: (1, 0),
    Br.TOPOLOGY_CHANGE_DETECTED: (1, 0),
    Br.GROUP_ADDR: (6, 0),
    Br.MULTI_BOOLOPT: (8, 0x1F << 32),
    Br.FDB_N_LEARNED: (4, 0),
    Br.FDB_MAX_LEARNED: (4, 0),
    Br.MCAST_ROUTER: (1, 1),
    Br.MCAST_SNOOPING: (1, 1),
    Br.MCAST_QUERY_USE_IFADDR: (1, 0),
    Br.MCAST_QUERIER: (1, 0),
    Br.MCAST_STATS_ENABLED: (1, 0),
    Br.MCAST_HASH_ELASTICITY: (4, 16),
    Br.MCAST_HASH_MAX: (4, 4096),
    Br.MCAST_LAST_MEMBER_CNT: (4, 2),
    Br.MCAST_STARTUP_QUERY_CNT: (4, 2),
    Br.MCAST_IGMP_VERSION: (1, 2),
    Br.MCAST_MLD_VERSION: (1, 1),
    Br.MCAST_LAST_MEMBER_INTVL: (8, 100),
    Br.MCAST_MEMBERSHIP_INTVL: (8, 26000),
    Br.MCAST_QUERIER_INTVL: (8, 25500),
    Br.MCAST_QUERY_INTVL: (8, 12500),
    Br.MCAST_QUERY_RESPONSE_INTVL: (8, 1000),
    Br.MCAST_STARTUP_QUERY_INTVL: (8, 3124),
    Br.NF_CALL_IPTABLES: (1, 0),
    Br.NF_CALL_IP6TABLES: (1, 0),
    Br.NF_CALL_ARPTABLES: (1, 0),
}
"""The attributes of a bridge in the order of br_fill_info(), each with its size in bytes and its default."""
PORT: Final[dict[int, tuple[int, int]]] = {
    BrPort.STATE: (1, 0),
    BrPort.PRIORITY: (2, 0x20),
    BrPort.COST: (4, 100),
    **dict.fromkeys((BrPort.MODE, BrPort.GUARD, BrPort.PROTECT), (1, 0)),
    **dict.fromkeys((BrPort.FAST_LEAVE, BrPort.MCAST_TO_UCAST), (1, 0)),
    **dict.fromkeys((BrPort.LEARNING, BrPort.UNICAST_FLOOD), (1, 1)),
    **dict.fromkeys((BrPort.MCAST_FLOOD, BrPort.BCAST_FLOOD), (1, 1)),
    **dict.fromkeys((BrPort.PROXYARP, BrPort.PROXYARP_WIFI), (1, 0)),
    **dict.fromkeys((BrPort.ROOT_ID, BrPort.BRIDGE_ID), (8, 0)),
    BrPort.DESIGNATED_PORT: (2, 0),
    BrPort.DESIGNATED_COST: (2, 0),
    BrPort.ID: (2, 0),
    BrPort.NO: (2, 0),
    **dict.fromkeys((BrPort.TOPOLOGY_CHANGE_ACK, BrPort.CONFIG_PENDING, BrPort.VLAN_TUNNEL), (1, 0)),
    BrPort.GROUP_FWD_MASK: (2, 0),
    **dict.fromkeys((BrPort.NEIGH_SUPPRESS, BrPort.MRP_RING_OPEN, BrPort.MRP_IN_OPEN), (1, 0)),
    **dict.fromkeys((BrPort.ISOLATED, BrPort.LOCKED, BrPort.MAB, BrPort.NEIGH_VLAN_SUPPRESS), (1, 0)),
    **dict.fromkeys((BrPort.MESSAGE_AGE_TIMER, BrPort.FORWARD_DELAY_TIMER, BrPort.HOLD_TIMER), (8, 0)),
    BrPort.MULTICAST_ROUTER: (1, 1),
    BrPort.MCAST_EHT_HOSTS_LIMIT: (4, 512),
    **dict.fromkeys((BrPort.MCAST_EHT_HOSTS_CNT, BrPort.MCAST_N_GROUPS, BrPort.MCAST_MAX_GROUPS), (4, 0)),
}
"""The attributes of a port in the order of br_port_fill_attrs(), each with its size in bytes and its
default.
"""
PORT_DEFAULTS: Final[dict[int, int]] = {type: default for type, (_, default) in PORT.items()}
ON_OR_OFF: Final = (
    "MODE GUARD PROTECT FAST_LEAVE MCAST_TO_UCAST LEARNING UNICAST_FLOOD MCAST_FLOOD BCAST_FLOOD PROXYARP "
    "PROXYARP_WIFI VLAN_TUNNEL NEIGH_SUPPRESS ISOLATED LOCKED MAB NEIGH_VLAN_SUPPRESS"
)
PORT_FLAGS: Final[frozenset[int]] = frozenset(BrPort[name] for name in ON_OR_OFF.split())
"""The boolean settings of a port."""
ANY: Final = (0, 2**64 - 1, 0)
FLAG: Final = (0, 255, 0)
PORT_SETTINGS: Final[dict[int, tuple[int, int, int]]] = {
    **dict.fromkeys(PORT_FLAGS, FLAG),
    BrPort.COST: (1, MAX_PATH_COST, ERANGE),
    BrPort.PRIORITY: (0, 63, ERANGE),
    BrPort.STATE: (BR_STATE_DISABLED, BR_STATE_BLOCKING, EINVAL),
    BrPort.MULTICAST_ROUTER: (0, 3, EINVAL),
    BrPort.MCAST_EHT_HOSTS_LIMIT: (1, 2**32 - 1, EINVAL),
    BrPort.MCAST_MAX_GROUPS: ANY,
    BrPort.GROUP_FWD_MASK: ANY,
}
"""The settings of a port that a program can change (`br_setport()`). Each has its minimum, its maximum, and
the errno for a value out of range.
"""
SETTINGS: Final[dict[int, tuple[int, int, int]]] = {
    Br.FORWARD_DELAY: ANY,  # Linux limits the forward delay only if STP is enabled
    Br.HELLO_TIME: (100, 1000, ERANGE),
    Br.MAX_AGE: (600, 4000, ERANGE),
    Br.AGEING_TIME: ANY,
    Br.STP_STATE: (0, 0, EOPNOTSUPP),
    Br.PRIORITY: ANY,
    Br.VLAN_FILTERING: (1, 0, EOPNOTSUPP),  # no value is valid, because CONFIG_BRIDGE_VLAN_FILTERING is off
    Br.MCAST_ROUTER: (0, 2, EINVAL),
    Br.MCAST_SNOOPING: FLAG,
    Br.MCAST_QUERY_USE_IFADDR: FLAG,
    Br.MCAST_QUERIER: FLAG,
    Br.MCAST_HASH_MAX: ANY,
    Br.MCAST_LAST_MEMBER_CNT: ANY,
    Br.MCAST_STARTUP_QUERY_CNT: ANY,
    Br.MCAST_STATS_ENABLED: FLAG,
    Br.MCAST_IGMP_VERSION: (2, 3, EINVAL),
    Br.MCAST_MLD_VERSION: (1, 2, EINVAL),
    Br.MCAST_LAST_MEMBER_INTVL: ANY,
    Br.MCAST_MEMBERSHIP_INTVL: ANY,
    Br.MCAST_QUERIER_INTVL: ANY,
    Br.MCAST_QUERY_INTVL: ANY,
    Br.MCAST_QUERY_RESPONSE_INTVL: ANY,
    Br.MCAST_STARTUP_QUERY_INTVL: ANY,
    Br.NF_CALL_IPTABLES: FLAG,
    Br.NF_CALL_IP6TABLES: FLAG,
    Br.NF_CALL_ARPTABLES: FLAG,
    Br.FDB_MAX_LEARNED: ANY,
    Br.GROUP_FWD_MASK: ANY,
}
"""The settings of a bridge that a program can change, in Linux's order. Each has its minimum, its maximum,
and the errno for a value out of range. Times are in units of 10 ms.
"""
IGNORED: Final = {
    *(Br.HELLO_TIMER, Br.TCN_TIMER, Br.TOPOLOGY_CHANGE_TIMER, Br.GC_TIMER, Br.ROOT_ID, Br.BRIDGE_ID),
    *(Br.ROOT_PORT, Br.ROOT_PATH_COST, Br.TOPOLOGY_CHANGE, Br.TOPOLOGY_CHANGE_DETECTED),
    *(Br.MCAST_HASH_ELASTICITY, Br.FDB_FLUSH),
}
"""Attributes that Linux accepts in a request and ignores (`br_changelink()`)."""
QUERY_INTERVALS: Final = {Br.MCAST_QUERY_INTVL, Br.MCAST_STARTUP_QUERY_INTVL}
MIN_QUERY_INTERVAL: Final = 100
MAX_QUERY_INTERVAL: Final = 8_640_000
TIMES: Final = {
    *(Br.FORWARD_DELAY, Br.HELLO_TIME, Br.MAX_AGE, Br.AGEING_TIME, Br.MCAST_LAST_MEMBER_INTVL),
    *(Br.MCAST_MEMBERSHIP_INTVL, Br.MCAST_QUERIER_INTVL, Br.MCAST_QUERY_RESPONSE_INTVL),
    *QUERY_INTERVALS,
}
HZ: Final = 250
USER_HZ: Final = 100
GROUP_FWD_RESTRICTED: Final = 0b111
"""Bits of a bridge's GROUP_FWD_MASK that a program must not set."""

MAC_PAUSE: Final = 0b10
"""Bit of a port's GROUP_FWD_MASK that a program must not set."""

READ_ONLY: Final[dict[int, NlaType]] = {Br.FDB_N_LEARNED: NlaType.REJECT}
PORT_POLICIES: Final[dict[int, AttributePolicy]] = {
    BrPort.MCAST_N_GROUPS: AttributePolicy(NlaType.REJECT),
    BrPort.NEIGH_VLAN_SUPPRESS: AttributePolicy(NlaType.U8, Validation.MAX, maximum=1),
    **dict.fromkeys((BrPort.BACKUP_PORT, BrPort.BACKUP_NHID), AttributePolicy(NlaType.U32)),
}
POLICY: Final = PolicyTable(
    "bridge",
    tuple(
        AttributePolicy(TYPES[BRIDGE[each][0]] if each in SETTINGS else READ_ONLY.get(each, NlaType.UNSPEC))
        for each in range(max(Br) + 1)
    ),
    strict_start_type=Br.FDB_N_LEARNED,
)
PORT_POLICY: Final = PolicyTable(
    "bridge_slave",
    tuple(
        PORT_POLICIES.get(each)
        or AttributePolicy(TYPES[PORT[each][0]] if each in PORT_SETTINGS else NlaType.UNSPEC)
        for each in range(max(BrPort) + 1)
    ),
    strict_start_type=BrPort.MCAST_EHT_HOSTS_LIMIT + 1,
)


def change(settings: dict[int, int], data: Mapping[int, bytes]) -> Iterator[int]:
    """Store the settings of a bridge in Linux's order. After each setting, yield its attribute type.

    Raise the error in `SETTINGS` if a value is out of range; the settings before it stay changed.
    """
    for type in SETTINGS:
        if type in data:
            value = checked(BRIDGE, SETTINGS, type, data[type])
            if type == Br.GROUP_FWD_MASK and value & GROUP_FWD_RESTRICTED:
                raise os_error(EINVAL)
            if type in QUERY_INTERVALS:
                value = min(max(value, MIN_QUERY_INTERVAL), MAX_QUERY_INTERVAL)
            if type in TIMES:
                value = value * HZ // USER_HZ * USER_HZ // HZ  # Linux stores jiffies
            settings[type] = value
            yield type


def change_port(
    settings: dict[int, int], data: Mapping[int, bytes], extack: Extack
) -> Iterator[tuple[int, int]]:
    """Store the settings of a port in Linux's order, flags first. After each setting that is not a flag,
    yield its type and value.

    The caller then applies the value, for example a new state of the port.
    """
    values = {each: checked(PORT, PORT_SETTINGS, each, data[each]) for each in PORT_FLAGS if each in data}
    flags = PORT_DEFAULTS | settings | values
    if flags[BrPort.MAB] and not (flags[BrPort.LOCKED] and flags[BrPort.LEARNING]):
        extack.message = "Bridge port must be locked and have learning enabled when MAB is enabled"
        raise os_error(EINVAL)
    settings.update(values)
    for type in PORT_SETTINGS:
        if type in data and type not in PORT_FLAGS:
            value = checked(PORT, PORT_SETTINGS, type, data[type])
            if type == BrPort.GROUP_FWD_MASK and value & MAC_PAUSE:
                raise os_error(EINVAL)
            settings[type] = value
            yield type, value


def checked(
    table: Mapping[int, tuple[int, int]],
    limits: Mapping[int, tuple[int, int, int]],
    type: int,
    payload: bytes,
) -> int:
    """Decode the value of a setting from its attribute's payload. `limits` has the range of each setting, and
    the errno to raise for a value out of range.
    """
    low, high, error = limits[type]
    value = int.from_bytes(payload[: table[type][0]], "little")
    if not low <= value <= high:
        raise os_error(error)
    return int(bool(value)) if limits[type] == FLAG else value


def pack(
    table: Mapping[int, tuple[int, int]], values: Mapping[int, int], texts: Mapping[int, bytes]
) -> bytes:
    """Encode all attributes in `table`. If neither `values` nor `texts` contains an attribute, encode its
    default value.
    """
    return b"".join(
        attribute(type, texts[type] if type in texts else NUMBERS[size].pack(values.get(type, default)))
        for type, (size, default) in table.items()
    )
