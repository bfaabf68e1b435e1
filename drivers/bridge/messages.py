"""Netlink attributes of bridges and ports (br_fill_info(), br_port_fill_attrs(), br_fill_ifinfo())."""

from __future__ import annotations

from simkernel.driverapi.ktime import ktime_get
from simkernel.driverapi.module import ThisModule
from simkernel.driverapi.netdevice import NetDevice
from simkernel.uapi.if_bridge import Br, BrPort
from simkernel.uapi.if_link import (
    IF_OPER_DOWN,
    IFLA_ADDRESS,
    IFLA_IFNAME,
    IFLA_LINK,
    IFLA_MASTER,
    IFLA_MTU,
    IFLA_OPERSTATE,
    IFLA_PROTINFO,
)
from simkernel.uapi.netlink import NLA_F_NESTED, attribute
from simkernel.uapi.rtnetlink import RTM_NEWLINK, IfInfoMsg
from simkernel.uapi.socket import AF_BRIDGE
from simkernel.uapi.structure import U8, U32

from .settings import BRIDGE, PORT, TICK, pack
from .state import Bridge, Port, port_cost


def fill_bridge(bridge: Bridge) -> bytes:
    """Return the encoded netlink attributes of a bridge (`br_fill_info()`)."""
    texts: dict[int, bytes] = {
        Br.BRIDGE_ID: bridge.id,
        Br.ROOT_ID: bridge.id,
        Br.GROUP_ADDR: bridge.group_address,
    }
    return pack(BRIDGE, bridge.settings, texts)


def fill_port(this: ThisModule, bridge: Bridge, device: NetDevice) -> bytes:
    """Return the encoded netlink attributes of a port (`br_port_fill_attrs()`)."""
    port = bridge.ports.get(device)
    if port is None:  # the bridge has already removed this port
        port = Port(device, 0)
        port.become_designated(bridge)
    computed: dict[int, int] = {BrPort.STATE: port.state, BrPort.ID: port.id, BrPort.NO: port.number}
    computed[BrPort.DESIGNATED_PORT] = port.designated_port
    computed[BrPort.FORWARD_DELAY_TIMER] = max(port.forward_deadline - ktime_get(this), 0) // TICK
    texts: dict[int, bytes] = {BrPort.ROOT_ID: port.designated_root, BrPort.BRIDGE_ID: port.designated_bridge}
    return pack(PORT, {BrPort.COST: port_cost(device)} | port.settings | computed, texts)


def fill_link(this: ThisModule, bridge: Bridge, device: NetDevice, type: int = RTM_NEWLINK) -> bytes:
    """Return the header and the attributes of a message about a port (`br_fill_ifinfo()`)."""
    body = IfInfoMsg(AF_BRIDGE, device.type, device.index, device.shown_flags, 0).pack()
    body += attribute(IFLA_IFNAME, device.name.encode("utf-8", "surrogateescape") + b"\0")
    body += attribute(IFLA_MASTER, U32.pack(bridge.device.index)) + attribute(IFLA_MTU, U32.pack(device.mtu))
    body += attribute(IFLA_OPERSTATE, U8.pack(device.operstate if device.running else IF_OPER_DOWN))
    body += attribute(IFLA_ADDRESS, device.address)
    if device.iflink != device.index:
        body += attribute(IFLA_LINK, U32.pack(device.iflink))
    if type == RTM_NEWLINK and device is not bridge.device:
        body += attribute(IFLA_PROTINFO | NLA_F_NESTED, fill_port(this, bridge, device))
    return body
