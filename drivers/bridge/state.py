"""A bridge and its ports."""

from __future__ import annotations

import attrs

from simkernel.driverapi.netdevice import ETH_ALEN, NetDevice
from simkernel.uapi.if_bridge import BR_STATE_DISABLED, Br

from .fdb import ForwardingDatabase
from .settings import COSTS, GROUP_ADDRESS, PRIORITY


@attrs.define(eq=False)
class Port:
    """A device that belongs to a bridge (`struct net_bridge_port`)."""

    device: NetDevice
    number: int
    state: int = BR_STATE_DISABLED
    settings: dict[int, int] = attrs.field(factory=dict)
    forward_deadline: int = 0
    """The time in ns at which the forward delay timer of the port ends."""


@attrs.define(eq=False)
class Bridge:
    """A bridge (`struct net_bridge`), stored as the `private` of its device."""

    device: NetDevice
    fdb: ForwardingDatabase = attrs.field(init=False)
    id_address: bytes = bytes(ETH_ALEN)
    """The hardware address in the bridge id."""
    ports: dict[NetDevice, Port] = attrs.field(factory=dict)
    """The ports, the newest first."""
    settings: dict[int, int] = attrs.field(factory=dict)
    mtu_is_set: bool = False
    group_address: bytes = GROUP_ADDRESS

    @property
    def id(self) -> bytes:
        """The bridge id of 8 bytes: the priority, then the hardware address."""
        return self.settings.get(Br.PRIORITY, PRIORITY).to_bytes(2, "big") + self.id_address


def port_cost(device: NetDevice) -> int:
    """Return the cost of a port, computed from the speed of its device (`port_cost()`)."""
    speed = 0 if device.ops.link_settings is None else device.ops.link_settings(device)[0]
    return COSTS.get(speed, 100 if speed < max(COSTS) else 1)
