"""The forwarding database: the addresses of a bridge and of its ports (br_fdb.c).

All entries are local.  The bridge learns no addresses, because no packets are modelled.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

import attrs

from simkernel.driverapi.ktime import ktime_get
from simkernel.driverapi.module import ThisModule
from simkernel.driverapi.netdevice import NetDevice, is_valid_ether_addr
from simkernel.driverapi.rtnetlink import rtnl_notify
from simkernel.uapi.neighbour import (
    NDA_CACHEINFO,
    NDA_FLAGS_EXT,
    NDA_LLADDR,
    NDA_MASTER,
    NUD_PERMANENT,
    NdMsg,
)
from simkernel.uapi.netlink import attribute, message
from simkernel.uapi.rtnetlink import RTM_DELNEIGH, RTM_NEWNEIGH, RTNLGRP_NEIGH
from simkernel.uapi.socket import AF_BRIDGE
from simkernel.uapi.structure import U32

from .settings import TICK

CACHEINFO: Final = Struct("<4I")
"""struct nda_cacheinfo: the ages `confirmed`, `used` and `updated` in units of 10 ms, and the reference
count.
"""

if TYPE_CHECKING:
    from .state import Bridge


@attrs.define
class Entry:
    """An entry of the forwarding database: an address of a bridge or of a port.

    `port` is None for the bridge's own address.  `created` is the creation time in ns.
    """

    port: NetDevice | None
    created: int


class ForwardingDatabase:
    """The forwarding database of one bridge: the entry for each MAC address, oldest entry first."""

    def __init__(self, this: ThisModule, bridge: Bridge) -> None:
        self._this = this
        self._bridge = bridge
        self._entries: dict[bytes, Entry] = {}

    def add(self, port: NetDevice | None, address: bytes) -> None:
        """Add an entry for an address of a port or of the bridge, unless the address is invalid or already
        has an entry (`fdb_add_local()`).
        """
        if is_valid_ether_addr(address) and address not in self._entries:
            self._entries[address] = Entry(port, ktime_get(self._this))
            self._notify(address, RTM_NEWNEIGH)

    def change_bridge(self, address: bytes) -> None:
        """Replace the entry for the bridge's old address by an entry for `address`
        (`br_fdb_change_mac_address()`).
        """
        old = self._bridge.device.address
        if old in self._entries and self._entries[old].port is None:
            self._delete(None, old)
        self.add(None, address)

    def change_port(self, port: NetDevice) -> None:
        """Replace the entries of a port by one entry for its current address (`br_fdb_changeaddr()`)."""
        self.delete(port)
        self.add(port, port.address)

    def delete(self, port: NetDevice | None) -> None:
        """Delete the entries of a port, or of the bridge if `port` is None (`br_fdb_delete_by_port()`)."""
        for address in [each for each, entry in self._entries.items() if entry.port is port]:
            self._delete(port, address)

    def dump(self, port: NetDevice | None) -> list[bytes]:
        """Return the message bodies for the entries of a port, or of the bridge if `port` is None
        (`br_fdb_dump()`).
        """
        chosen = [address for address, entry in self._entries.items() if entry.port is port]
        return [self._fill(address) for address in reversed(chosen)]

    def _delete(self, port: NetDevice | None, address: bytes) -> None:
        """If another port or the bridge also has `address`, assign the entry for `address` to that port or to
        the bridge. Otherwise delete the entry (`fdb_delete_local()`).
        """
        owners = (each for each in self._bridge.ports if each is not port and each.address == address)
        new_owner = next(owners, None)
        if new_owner is not None:
            self._entries[address].port = new_owner
        elif port is not None and self._bridge.device.address == address:
            self._entries[address].port = None
        else:
            self._notify(address, RTM_DELNEIGH)
            del self._entries[address]

    def _fill(self, address: bytes) -> bytes:
        """Return the message body for an entry (`fdb_fill_info()`)."""
        entry, bridge = self._entries[address], self._bridge.device
        age = (ktime_get(self._this) - entry.created) // TICK
        device = bridge if entry.port is None else entry.port
        return b"".join(
            (
                NdMsg(AF_BRIDGE, index=device.index, state=NUD_PERMANENT).pack(),
                attribute(NDA_LLADDR, address),
                attribute(NDA_MASTER, U32.pack(bridge.index)),
                attribute(NDA_FLAGS_EXT, U32.pack(0)),
                attribute(NDA_CACHEINFO, CACHEINFO.pack(0, age, age, 0)),
            )
        )

    def _notify(self, address: bytes, type: int) -> None:
        rtnl_notify(self._this, self._bridge.device, RTNLGRP_NEIGH, message(type, self._fill(address)))
