"""bridge: a network device that connects other network devices, which are called its ports.

When a program creates a link of the kind `bridge` (RTM_NEWLINK), the kernel requests the module
`rtnl-link-bridge`. IFLA_MASTER makes a device a port.  The bridge has a carrier while at least one port
forwards.  The spanning tree protocol is not modelled: a port forwards as soon as it is up and has a
carrier.

    state.py      a bridge and a port
    fdb.py        the forwarding database
    settings.py   the settings of bridges and ports, in the order of br_fill_info() and br_port_fill_attrs()
    messages.py   netlink messages about bridges and ports
"""

from __future__ import annotations

from typing import Final

from simkernel.driverapi.ktime import ktime_get
from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.netdevice import (
    ETH_ALEN,
    ETH_DATA_LEN,
    ETH_MAX_MTU,
    MAX_GSO_SEGS,
    TSO_MAX_SIZE,
    AddressOrigin,
    Event,
    Extack,
    NetDevice,
    call_netdevice_notifiers,
    dev_set_allmulti,
    dev_set_mtu,
    dev_set_promiscuity,
    eth_hw_addr_random,
    ether_setup,
    is_valid_ether_addr,
    netdev_features_change,
    netdev_master_upper_dev_link,
    netdev_ops,
    netdev_upper_dev_unlink,
    netif_carrier_off,
    netif_carrier_on,
    register_netdevice,
    register_netdevice_notifier,
    unregister_netdevice,
)
from simkernel.driverapi.printk import pr_info
from simkernel.driverapi.rtnetlink import (
    Attributes,
    LinkOps,
    NewLink,
    rtnl_link_register,
    rtnl_link_unregister,
    rtnl_notify,
)
from simkernel.driverapi.unmodelled import unmodelled
from simkernel.uapi.errno import EADDRNOTAVAIL, EBUSY, EINVAL, ELOOP, ENETDOWN, EOPNOTSUPP, os_error
from simkernel.uapi.if_bridge import (
    BR_STATE_BLOCKING,
    BR_STATE_DISABLED,
    BR_STATE_FORWARDING,
    BR_STATE_LEARNING,
    BR_STATE_LISTENING,
    BR_STATES,
    Br,
    BrPort,
)
from simkernel.uapi.if_link import (
    ARPHRD_ETHER,
    IFF_LOOPBACK,
    IFLA_ADDRESS,
)
from simkernel.uapi.netlink import attribute, message
from simkernel.uapi.rtnetlink import RTM_DELLINK, RTM_NEWLINK, RTNLGRP_LINK

from .fdb import ForwardingDatabase
from .messages import fill_bridge, fill_link, fill_port
from .settings import (
    FORWARD_DELAY,
    GROUP_ADDRESS,
    IGNORED,
    POLICY,
    PORT_POLICY,
    SETTINGS,
    TICK,
    change,
    change_port,
)
from .state import Bridge, Port

KIND: Final = "bridge"
MAX_PORTS: Final = 1023
BRIDGE_FILTERS: Final = 0x76
"""The bits of IFLA_EXT_MASK with which a program requests VLAN, MRP and CFM data. Only bridges have such
data.
"""
SPEED_UNKNOWN: Final = -1
LINK_XSTATS_TYPE_BRIDGE: Final = 1
XSTATS: Final = attribute(2, bytes(240))
STP_XSTATS: Final = attribute(4, bytes(48))
"""The attributes with a bridge's statistics, BRIDGE_XSTATS_MCAST and BRIDGE_XSTATS_STP. All counters are 0,
because no packets are modelled.
"""

MODULE = Module(
    license="GPL",
    description="Ethernet bridge driver",
    version="2.3",
    aliases=(f"rtnl-link-{KIND}",),
)


class BridgeModule:
    """The loaded module: its device operations, its link kind, and its notifier for the events of ports."""

    def __init__(self, this: ThisModule) -> None:
        self.this = this
        self.ops = netdev_ops(
            this,
            open=self.open,
            stop=self.stop,
            set_mac_address=self.set_mac_address,
            change_mtu=self.change_mtu,
            add_slave=self.add_port,
            del_slave=self.remove_port,
            link_settings=self.link_settings,
            fdb_dump=lambda bridge, port: bridge.private.fdb.dump(port),
            bridge_getlink=self.getlink,
            bridge_setlink=self.setlink,
        )
        kind = LinkOps(
            kind=KIND,
            setup=self.setup,
            policy=POLICY,
            validate=self.validate,
            newlink=self.newlink,
            changelink=self.changelink,
            dellink=self.dellink,
            fill_info=lambda device: fill_bridge(device.private),
            slave_policy=PORT_POLICY,
            slave_changelink=self.change_port,
            fill_xstats=lambda port: attribute(LINK_XSTATS_TYPE_BRIDGE, XSTATS + STP_XSTATS * port),
            fill_slave_info=lambda master, device: fill_port(this, master.private, device),
        )
        self.kind = rtnl_link_register(this, kind)
        self.unsubscribe = register_netdevice_notifier(this, self.device_event)

    # -- bridges --------------------------------------------------------------------

    def setup(self, device: NetDevice) -> None:
        """Set the operations, a random address and an empty forwarding database of a new bridge
        (`br_dev_setup()`).
        """
        ether_setup(device)
        eth_hw_addr_random(self.this, device)
        device.ops, device.max_mtu, device.netns_immutable = self.ops, ETH_MAX_MTU, True
        device.devtype = KIND
        device.private = bridge = Bridge(device)
        bridge.fdb = ForwardingDatabase(self.this, bridge)

    def validate(self, attributes: Attributes, data: Attributes | None, extack: Extack) -> None:
        """Check the hardware address in an RTM_NEWLINK request. Raise EINVAL if its length is wrong,
        EADDRNOTAVAIL if it is all zeros or a multicast address.
        """
        address = attributes.get(IFLA_ADDRESS)
        if address is not None:
            if len(address) != ETH_ALEN:
                raise os_error(EINVAL)
            if not is_valid_ether_addr(address):
                raise os_error(EADDRNOTAVAIL)

    def newlink(self, new: NewLink) -> None:
        """Register a bridge and apply the settings of the RTM_NEWLINK request."""
        register_netdevice(self.this, new.device)
        if IFLA_ADDRESS in new.attributes:
            self.set_id(new.device.private, new.device.address)
        try:
            self.changelink(new.device, new.attributes, new.data or {}, new.extack)
        except OSError:
            new.device.private.fdb.delete(None)
            unregister_netdevice(self.this, new.device)
            raise

    def changelink(self, device: NetDevice, attributes: Attributes, data: Attributes, extack: Extack) -> None:
        """Change the settings of a bridge to the values that a request contains (`br_changelink()`).

        Raise the error in `SETTINGS` if a value is out of range, EOPNOTSUPP if a setting is not modelled.
        """
        bridge: Bridge = device.private
        for type in data.keys() - SETTINGS.keys() - IGNORED - {Br.GROUP_ADDR}:
            raise unmodelled(self.this, f"the setting {type} of a bridge is not modelled", EOPNOTSUPP)
        for type in change(bridge.settings, data):
            if type == Br.PRIORITY:
                self.update(bridge)  # each port stores the bridge id, which contains the priority
        if Br.GROUP_ADDR in data:
            address = data[Br.GROUP_ADDR]
            if address[:5] != GROUP_ADDRESS[:5] or address[5] > 15 or address[5] in (1, 2, 3):
                raise os_error(EINVAL)
            bridge.group_address = address

    def dellink(self, device: NetDevice, doomed: list[NetDevice]) -> None:
        """Remove all ports and append the bridge to `doomed`, the list of the devices to unregister."""
        bridge: Bridge = device.private
        for port in tuple(bridge.ports.values()):
            self.unlink(bridge, port)
        bridge.fdb.delete(None)
        doomed.append(device)

    def open(self, device: NetDevice) -> None:
        """Enable the ports that are up and have a carrier (`br_stp_enable_bridge()`)."""
        for port in device.private.ports.values():
            if port.device.running and port.device.oper_up:
                self.enable(device.private, port)

    def stop(self, device: NetDevice) -> None:
        """Disable the ports (`br_stp_disable_bridge()`)."""
        for port in device.private.ports.values():
            if port.state != BR_STATE_DISABLED:
                self.disable(device.private, port)

    def link_settings(self, device: NetDevice) -> tuple[int, str]:
        """Return the link settings of a bridge: the highest speed of its ports that are up
        (`br_get_link_ksettings()`).
        """
        ports = [port.device for port in device.private.ports.values() if port.device.running]
        speeds = [each.ops.link_settings(each)[0] for each in ports if each.ops.link_settings is not None]
        return max(speeds, default=SPEED_UNKNOWN), "unknown"

    def set_mac_address(self, device: NetDevice, address: bytes) -> None:
        """Set the hardware address of the bridge, and change the bridge id, which contains this address.

        Raise EADDRNOTAVAIL if the address is invalid.
        """
        if not is_valid_ether_addr(address):
            raise os_error(EADDRNOTAVAIL)
        self.set_id(device.private, address)

    def change_mtu(self, device: NetDevice, mtu: int) -> None:
        """Set the MTU of the bridge in bytes. From then on, the MTUs of the ports do not affect it."""
        device.mtu, device.private.mtu_is_set = mtu, True

    def set_id(self, bridge: Bridge, address: bytes) -> None:
        """Change a bridge's hardware address (`br_stp_change_bridge_id()`). This also updates the bridge id,
        the designated ids of the ports, and the forwarding database.
        """
        bridge.fdb.change_bridge(address)
        for port in bridge.ports.values():
            port.change_address(bridge.id_address, address)
        bridge.id_address = bridge.device.address = address
        self.update(bridge)

    def recalculate_id(self, bridge: Bridge) -> bool:
        """Set the bridge's address to the lowest address of its ports, unless a program has set the address.

        Return True if the address changes.
        """
        if bridge.device.address_origin is AddressOrigin.SET:
            return False
        address = min((port.device.address for port in bridge.ports.values()), default=bytes(ETH_ALEN))
        if bridge.id_address == address:
            return False
        self.set_id(bridge, address)
        return True

    def adjust_mtu(self, bridge: Bridge) -> None:
        """Set the bridge's MTU to the lowest MTU of its ports, unless a program has set the MTU."""
        if not bridge.mtu_is_set:
            mtu = min((port.device.mtu for port in bridge.ports.values()), default=ETH_DATA_LEN)
            dev_set_mtu(self.this, bridge.device, mtu)
            bridge.mtu_is_set = False

    def set_offload_limits(self, bridge: Bridge) -> None:
        """Set the bridge's TSO limits to the lowest limits of its ports (`br_set_gso_limits()`)."""
        device, ports = bridge.device, [port.device for port in bridge.ports.values()]
        device.tso_max_size = min((each.tso_max_size for each in ports), default=TSO_MAX_SIZE)
        device.tso_max_segs = min((each.tso_max_segs for each in ports), default=MAX_GSO_SEGS)

    # -- ports ----------------------------------------------------------------------

    def add_port(self, master: NetDevice, device: NetDevice, extack: Extack) -> None:
        """Make a device a port of the bridge (`br_add_if()`).

        Raise EINVAL if the device is not Ethernet, ELOOP if it is a bridge, EBUSY if it already has a
        master.
        """
        this, bridge = self.this, master.private
        if (
            device.flags & IFF_LOOPBACK
            or device.type != ARPHRD_ETHER
            or not is_valid_ether_addr(device.address)
        ):
            raise os_error(EINVAL)
        if device.ops is self.ops:
            extack.message = "Can not enslave a bridge to a bridge"
            raise os_error(ELOOP)
        if device.master is not None:
            raise os_error(EBUSY)
        taken = {port.number for port in bridge.ports.values()}
        port = Port(device, next(each for each in range(1, MAX_PORTS + 2) if each not in taken))
        port.become_designated(bridge)
        self.set_state(bridge, port, BR_STATE_DISABLED)
        call_netdevice_notifiers(this, Event.JOIN, device)
        dev_set_allmulti(this, device, 1)
        bridge.ports = {device: port, **bridge.ports}
        netdev_master_upper_dev_link(this, device, master)
        dev_set_promiscuity(this, device, 1)
        if len(bridge.ports) == 1:
            netdev_features_change(this, master)
        bridge.fdb.add(device, device.address)
        changed = self.recalculate_id(bridge)
        if device.running and device.oper_up and master.is_up:
            self.enable(bridge, port)
        self.notify_port(bridge, port)
        if changed:
            call_netdevice_notifiers(this, Event.CHANGEADDR, master)
        self.adjust_mtu(bridge)
        self.set_offload_limits(bridge)

    def remove_port(self, master: NetDevice, device: NetDevice) -> None:
        """Remove a port, and then update the bridge's MTU, TSO limits and address (`br_del_if()`).

        Raise EINVAL if the device is not a port of this bridge.
        """
        bridge: Bridge = master.private
        if device not in bridge.ports:
            raise os_error(EINVAL)
        self.unlink(bridge, bridge.ports[device])
        self.adjust_mtu(bridge)
        self.set_offload_limits(bridge)
        if self.recalculate_id(bridge):
            call_netdevice_notifiers(self.this, Event.CHANGEADDR, master)
        if not bridge.ports:
            netdev_features_change(self.this, master)

    def unlink(self, bridge: Bridge, port: Port) -> None:
        """Disable and remove a port, and notify RTNLGRP_LINK (`del_nbp()`)."""
        this, device = self.this, port.device
        dev_set_allmulti(this, device, -1)
        dev_set_promiscuity(this, device, -1)
        self.disable(bridge, port)
        self.notify_port(bridge, port, RTM_DELLINK)
        del bridge.ports[device]
        bridge.fdb.delete(device)
        netdev_upper_dev_unlink(this, device)

    def change_port(self, master: NetDevice, device: NetDevice, data: Attributes, extack: Extack) -> None:
        """Change the settings of a port in Linux's order: the flags first (`br_setport()`).

        Raise the error in `PORT_SETTINGS` if a value is out of range.
        """
        bridge: Bridge = master.private
        for type, value in change_port(bridge.ports[device].settings, data, extack):
            port = bridge.ports[device]
            if type == BrPort.STATE:
                self.request_state(bridge, port, value)
                self.select_states(bridge)
            elif type == BrPort.COST:
                self.update(bridge)
            elif type == BrPort.PRIORITY and port.set_priority(bridge, value):
                self.select_states(bridge)
        if data.keys() & {BrPort.BACKUP_PORT, BrPort.BACKUP_NHID}:
            raise unmodelled(self.this, "a backup port of a bridge is not modelled", EOPNOTSUPP)

    def request_state(self, bridge: Bridge, port: Port, state: int) -> None:
        """Set the state of a port to the state that a program requests (`br_set_port_state()`).

        Raise ENETDOWN if the port is down or has no carrier.  The states LISTENING and LEARNING, which end
        by a timer, are not modelled.
        """
        device = port.device
        if not device.running or (state != BR_STATE_DISABLED and not device.oper_up):
            raise os_error(ENETDOWN)
        if state in (BR_STATE_LISTENING, BR_STATE_LEARNING):
            raise unmodelled(self.this, f"the port state {BR_STATES[state]} is not modelled", EOPNOTSUPP)
        self.set_state(bridge, port, state)

    def setlink(self, master: NetDevice, device: NetDevice, data: Attributes, extack: Extack) -> None:
        """Change the settings of a port and notify RTNLGRP_LINK (`br_setlink()`)."""
        self.change_port(master, device, data, extack)
        self.notify_port(master.private, master.private.ports[device])

    def enable(self, bridge: Bridge, port: Port) -> None:
        """Set the state of a port to blocking, then to forwarding (`br_stp_enable_port()`)."""
        port.become_designated(bridge)
        self.set_state(bridge, port, BR_STATE_BLOCKING)
        self.select_states(bridge)
        self.notify_port(bridge, port)

    def disable(self, bridge: Bridge, port: Port) -> None:
        """Set the state of a port to disabled, and notify RTNLGRP_LINK (`br_stp_disable_port()`)."""
        port.become_designated(bridge)
        self.set_state(bridge, port, BR_STATE_DISABLED)
        self.notify_port(bridge, port)
        port.forward_deadline = 0
        self.update(bridge)

    def update(self, bridge: Bridge) -> None:
        """Make each enabled port a designated port with the current bridge id. Then select the state of each
        port (`br_configuration_update()`).
        """
        for port in bridge.ports.values():
            if port.state != BR_STATE_DISABLED:
                port.become_designated(bridge)
        self.select_states(bridge)

    def select_states(self, bridge: Bridge) -> None:
        """Set each enabled port to forwarding if it is designated, else to blocking. Then turn the bridge's
        carrier on if a port forwards, else off (`br_port_state_selection()`).
        """
        for port in bridge.ports.values():
            designated = port.is_designated(bridge)
            if port.state == BR_STATE_BLOCKING and designated:
                self.set_state(bridge, port, BR_STATE_FORWARDING)
                self.notify_port(bridge, port)
                delay = bridge.settings.get(Br.FORWARD_DELAY, FORWARD_DELAY)
                port.forward_deadline = ktime_get(self.this) + delay * TICK
            elif port.state == BR_STATE_FORWARDING and not designated:
                self.set_state(bridge, port, BR_STATE_BLOCKING)
                self.notify_port(bridge, port)
                port.forward_deadline = 0
        forwards = any(port.state == BR_STATE_FORWARDING for port in bridge.ports.values())
        (netif_carrier_on if forwards else netif_carrier_off)(self.this, bridge.device)

    def set_state(self, bridge: Bridge, port: Port, state: int) -> None:
        """Set the state of a port, and write a line to the kernel log (`br_set_state()`)."""
        port.state = state
        where = f"{bridge.device.name}: port {port.number}({port.device.name})"
        pr_info(self.this, f"{where} entered {BR_STATES[state]} state")

    def device_event(self, event: Event, device: NetDevice, info: object) -> None:
        """Update a bridge after an event of a port, such as a change of its MTU (`br_device_event()`)."""
        if event is Event.REGISTER and device.ops is self.ops:
            device.private.fdb.change_bridge(device.address)
        master = device.master
        if master is None or master.ops is not self.ops:
            return
        bridge: Bridge = master.private
        port = bridge.ports.get(device)
        if port is None:
            return
        notified = False
        if event is Event.CHANGEMTU:
            self.adjust_mtu(bridge)
        elif event is Event.CHANGEADDR:
            bridge.fdb.change_port(device)
            if self.recalculate_id(bridge):
                call_netdevice_notifiers(self.this, Event.CHANGEADDR, master)
        elif event is Event.CHANGE:
            notified = self.check_carrier(bridge, port)
        elif event is Event.DOWN:
            if master.is_up:
                self.disable(bridge, port)
                notified = True
        elif event is Event.UP:
            if master.running and device.oper_up:
                self.enable(bridge, port)
                notified = True
        elif event is Event.UNREGISTER:
            self.remove_port(master, device)
        if not notified and event in (Event.CHANGEADDR, Event.UP, Event.CHANGE, Event.DOWN):
            self.notify_port(bridge, port)

    def check_carrier(self, bridge: Bridge, port: Port) -> bool:
        """Enable a port that has a carrier, or disable a port that has none (`br_port_carrier_check()`).

        Return True if it changes.
        """
        if not bridge.device.running:
            return False
        operational = port.device.running and port.device.oper_up
        if operational == (port.state != BR_STATE_DISABLED):
            return False
        (self.enable if operational else self.disable)(bridge, port)
        return True

    # -- messages -------------------------------------------------------------------

    def notify_port(self, bridge: Bridge, port: Port, type: int = RTM_NEWLINK) -> None:
        """Send the state of a port to RTNLGRP_LINK (`br_ifinfo_notify()`)."""
        body = fill_link(self.this, bridge, port.device, type)
        rtnl_notify(self.this, port.device, RTNLGRP_LINK, message(type, body))

    def getlink(self, bridge: NetDevice, device: NetDevice, mask: int) -> list[bytes]:
        """Return a list with one message about a port or about the bridge itself (`br_getlink()`). For the
        bridge, the list is empty if `mask` requests no VLAN, MRP or CFM data.
        """
        if device is bridge and not mask & BRIDGE_FILTERS:
            return []
        return [fill_link(self.this, bridge.private, device)]


def init(this: ThisModule) -> BridgeModule:
    """Register the link kind `bridge`, and the notifier for the events of ports."""
    return BridgeModule(this)


def exit(this: ThisModule, module: BridgeModule) -> None:
    """Unregister the link kind, which deletes all bridges."""
    rtnl_link_unregister(this, module.kind)
    module.unsubscribe()
