"""Messages that Linux 6.18 handles and simkernel does not model, by type and family.

The tables list what the recorded kernel handles with all its subsystems. A listed message raises the error
"not modelled". Other messages without a handler fail with EOPNOTSUPP.
"""

from __future__ import annotations

from typing import Final

from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.socket import AF_BRIDGE, AF_INET, AF_INET6

_INET: Final = frozenset({AF_INET, AF_INET6})
_BRIDGE: Final = frozenset({AF_BRIDGE})
_MULTICAST: Final = frozenset({rtnl.RTNL_FAMILY_IPMR, rtnl.RTNL_FAMILY_IP6MR})
_ALL: Final[frozenset[int]] = frozenset()
"""Entry for a message type that simkernel models for no address family: the empty set stands for all
families.
"""

_DO_FOR_ALL: Final = (
    rtnl.RTM_NEWQDISC,
    rtnl.RTM_DELQDISC,
    rtnl.RTM_GETQDISC,
    rtnl.RTM_NEWTCLASS,
    rtnl.RTM_DELTCLASS,
    rtnl.RTM_GETTCLASS,
    rtnl.RTM_NEWTFILTER,
    rtnl.RTM_DELTFILTER,
    rtnl.RTM_GETTFILTER,
    rtnl.RTM_NEWACTION,
    rtnl.RTM_DELACTION,
    rtnl.RTM_GETACTION,
    rtnl.RTM_SETNEIGHTBL,
    rtnl.RTM_GETDCB,
    rtnl.RTM_SETDCB,
    rtnl.RTM_NEWCHAIN,
    rtnl.RTM_DELCHAIN,
    rtnl.RTM_GETCHAIN,
    rtnl.RTM_NEWNEXTHOP,
    rtnl.RTM_DELNEXTHOP,
    rtnl.RTM_GETNEXTHOP,
    rtnl.RTM_GETNEXTHOPBUCKET,
)
_DUMP_FOR_ALL: Final = (
    rtnl.RTM_GETQDISC,
    rtnl.RTM_GETTCLASS,
    rtnl.RTM_GETTFILTER,
    rtnl.RTM_GETACTION,
    rtnl.RTM_GETNEIGHTBL,
    rtnl.RTM_GETCHAIN,
    rtnl.RTM_GETNEXTHOP,
    rtnl.RTM_GETNEXTHOPBUCKET,
)

DO: Final[dict[int, frozenset[int]]] = {
    rtnl.RTM_NEWROUTE: _MULTICAST,
    rtnl.RTM_DELROUTE: _MULTICAST,
    rtnl.RTM_GETROUTE: _MULTICAST,
    **dict.fromkeys(_DO_FOR_ALL, _ALL),
    rtnl.RTM_NEWADDRLABEL: frozenset({AF_INET6}),
    rtnl.RTM_DELADDRLABEL: frozenset({AF_INET6}),
    rtnl.RTM_GETADDRLABEL: frozenset({AF_INET6}),
    rtnl.RTM_NEWMDB: _BRIDGE,
    rtnl.RTM_DELMDB: _BRIDGE,
    rtnl.RTM_GETMDB: _BRIDGE,
    rtnl.RTM_NEWTUNNEL: _BRIDGE,
    rtnl.RTM_DELTUNNEL: _BRIDGE,
}

DUMP: Final[dict[int, frozenset[int]]] = {
    rtnl.RTM_GETLINK: frozenset({rtnl.RTNL_FAMILY_IPMR}),
    **dict.fromkeys(_DUMP_FOR_ALL, _ALL),
    rtnl.RTM_GETMULTICAST: _INET,
    rtnl.RTM_GETANYCAST: frozenset({AF_INET6}),
    rtnl.RTM_GETADDRLABEL: frozenset({AF_INET6}),
    rtnl.RTM_GETMDB: _BRIDGE,
    rtnl.RTM_GETTUNNEL: _BRIDGE,
}


def is_unsupported(table: dict[int, frozenset[int]], type: int, family: int) -> bool:
    """Return True if a table of unmodelled messages (DO or DUMP) lists the message type `type` for the
    address family `family`.
    """
    families = table.get(type)
    return families is not None and (not families or family in families)
