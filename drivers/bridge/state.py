"""The state of a bridge and of its ports."""

from __future__ import annotations

import attrs

from simkernel.driverapi.netdevice import ETH_ALEN, NetDevice
from simkernel.uapi.if_bridge import BR_STATE_DISABLED, Br, BrPort

from .fdb import ForwardingDatabase
from .settings import COSTS, GROUP_ADDRESS, PORT_DEFAULTS, PRIORITY


@attrs.define(eq=False)
class Port:
    """A device that is a port of a bridge (`struct net_bridge_port`)."""

    device: NetDevice
    number: int
    state: int = BR_STATE_DISABLED
    settings: dict[int, int] = attrs.field(factory=dict)
    forward_deadline: int = 0
    """The time in ns at which the port's forward delay timer expires."""
    id: int = attrs.field(init=False)
    """The port id: the priority in the upper bits, the port number in the lower 10 bits."""
    designated_root: bytes = bytes(8)
    designated_bridge: bytes = bytes(8)
    designated_port: int = 0

    def __attrs_post_init__(self) -> None:
        self.id = PORT_DEFAULTS[BrPort.PRIORITY] << 10 | self.number

    def become_designated(self, bridge: Bridge) -> None:
        """Store the current bridge id and port id as the port's designated ids
        (`br_become_designated_port()`).
        """
        self.designated_root = self.designated_bridge = bridge.id
        self.designated_port = self.id

    def is_designated(self, bridge: Bridge) -> bool:
        """Return True if the port's designated ids equal the current bridge id and port id
        (`br_is_designated_port()`).
        """
        return (self.designated_bridge, self.designated_port) == (bridge.id, self.id)

    def set_priority(self, bridge: Bridge, priority: int) -> bool:
        """Set the priority in the port id (`br_stp_set_port_priority()`).

        Return True if the port becomes a designated port.
        """
        designated = self.is_designated(bridge)
        self.id = priority << 10 | self.number
        if designated:
            self.designated_port = self.id
        if self.designated_bridge != bridge.id or self.id >= self.designated_port:
            return False
        self.become_designated(bridge)
        return True

    def change_address(self, old: bytes, new: bytes) -> None:
        """Replace a bridge's old hardware address in the port's designated ids
        (`br_stp_change_bridge_id()`).
        """
        for name in ("designated_root", "designated_bridge"):
            stored: bytes = getattr(self, name)
            if stored[2:] == old:
                setattr(self, name, stored[:2] + new)


@attrs.define(eq=False)
class Bridge:
    """The state of a bridge (`struct net_bridge`). The bridge's network device stores it as private data."""

    device: NetDevice
    fdb: ForwardingDatabase = attrs.field(init=False)
    id_address: bytes = bytes(ETH_ALEN)
    """The hardware address in the bridge id."""
    ports: dict[NetDevice, Port] = attrs.field(factory=dict)
    """The ports of the bridge by network device. The newest port is first."""
    settings: dict[int, int] = attrs.field(factory=dict)
    mtu_is_set: bool = False
    group_address: bytes = GROUP_ADDRESS

    @property
    def id(self) -> bytes:
        """The bridge id, 8 bytes: the priority in 2 bytes, then the hardware address."""
        return self.settings.get(Br.PRIORITY, PRIORITY).to_bytes(2, "big") + self.id_address


def port_cost(device: NetDevice) -> int:
    """Return the path cost of a port, from the speed of its device (`port_cost()`)."""
    speed = 0 if device.ops.link_settings is None else device.ops.link_settings(device)[0]
    return COSTS.get(speed, 100 if speed < max(COSTS) else 1)
