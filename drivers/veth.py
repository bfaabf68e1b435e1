"""veth: pairs of network devices.  Each device receives the packets that its peer sends.

When a program creates a link of the kind `veth` (RTM_NEWLINK), the kernel requests the module
`rtnl-link-veth`.  A device has a carrier while both devices are up.  The two devices can be in different
network namespaces.  If one device is deleted, its peer is deleted, too.
"""

from __future__ import annotations

from typing import Final

from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.netdevice import (
    ETH_ALEN,
    ETH_MAX_MTU,
    ETH_MIN_MTU,
    TSO_MAX_SIZE,
    Extack,
    Net,
    NetDevice,
    eth_hw_addr_random,
    eth_mac_addr,
    eth_validate_addr,
    ether_setup,
    is_valid_ether_addr,
    netdev_ops,
    netif_carrier_off,
    netif_carrier_on,
    register_netdevice,
    unregister_netdevice,
)
from simkernel.driverapi.rtnetlink import (
    AttributePolicy,
    Attributes,
    LinkOps,
    NewLink,
    PolicyTable,
    rtnl_configure_peer,
    rtnl_create_peer,
    rtnl_link_register,
    rtnl_link_unregister,
)
from simkernel.uapi.errno import EADDRNOTAVAIL, EINVAL, ENOTCONN, os_error
from simkernel.uapi.if_link import IFLA_ADDRESS, IFLA_MTU, VETH_INFO_PEER
from simkernel.uapi.rtnetlink import IfInfoMsg
from simkernel.uapi.structure import U32

KIND: Final = "veth"

MODULE = Module(
    license="GPL v2",
    description="Virtual Ethernet Tunnel",
    aliases=(f"rtnl-link-{KIND}",),
)

POLICY: Final = PolicyTable(KIND, (AttributePolicy(), AttributePolicy(length=IfInfoMsg.SIZE)))


class Veth:
    """The loaded module: its device operations and its link kind.

    A device's `private` is its peer, or None after the peer was unregistered.
    """

    def __init__(self, this: ThisModule) -> None:
        self.this = this
        self.ops = netdev_ops(
            this,
            open=self.open,
            stop=self.stop,
            validate_addr=eth_validate_addr,
            set_mac_address=eth_mac_addr,
            link_settings=lambda _: (10_000, "full"),
            get_iflink=lambda device: device.private.index if device.private is not None else 0,
        )
        kind = LinkOps(
            kind=KIND,
            setup=self.setup,
            policy=POLICY,
            peer_type=VETH_INFO_PEER,
            validate=self.validate,
            newlink=self.newlink,
            dellink=self.dellink,
            link_net=self.link_net,
        )
        self.kind = rtnl_link_register(this, kind)

    def setup(self, device: NetDevice) -> None:
        """Set the operations, the maximum MTU and the TSO limit of a new device (`veth_setup()`)."""
        ether_setup(device)
        device.ops = self.ops
        device.max_mtu, device.tso_max_size = ETH_MAX_MTU, TSO_MAX_SIZE

    def validate(self, attributes: Attributes, data: Attributes | None, extack: Extack) -> None:
        """Check the hardware address and the MTU in an RTM_NEWLINK request.

        Raise EINVAL if the MTU is out of range or the address has the wrong length.  Raise EADDRNOTAVAIL if
        the address is all zeros or a multicast address.
        """
        address, mtu = attributes.get(IFLA_ADDRESS), attributes.get(IFLA_MTU)
        if address is not None:
            if len(address) != ETH_ALEN:
                raise os_error(EINVAL)
            if not is_valid_ether_addr(address):
                raise os_error(EADDRNOTAVAIL)
        if mtu is not None and not ETH_MIN_MTU <= U32.unpack_from(mtu)[0] <= ETH_MAX_MTU:
            raise os_error(EINVAL)

    def newlink(self, new: NewLink) -> None:
        """Create and register the peer of the new device, then register the new device itself."""
        this, device = self.this, new.device
        peer = rtnl_create_peer(this, new, self.kind)
        if new.peer is None or IFLA_ADDRESS not in new.peer.tb:
            eth_hw_addr_random(this, peer)
        register_netdevice(this, peer)
        netif_carrier_off(this, peer)
        try:
            rtnl_configure_peer(this, new, peer)
            if IFLA_ADDRESS not in new.attributes:
                eth_hw_addr_random(this, device)
            register_netdevice(this, device)
        except OSError:
            unregister_netdevice(this, peer)
            raise
        netif_carrier_off(this, device)
        device.private, peer.private = peer, device

    def dellink(self, device: NetDevice, doomed: list[NetDevice]) -> None:
        """Append a device and its peer to `doomed`, the list of devices to unregister."""
        peer, device.private = device.private, None
        doomed.append(device)
        if peer is not None:
            peer.private = None
            doomed.append(peer)

    def link_net(self, device: NetDevice) -> Net | None:
        """Return the network namespace of the peer, or None if the device has no peer."""
        return None if device.private is None else device.private.net

    def open(self, device: NetDevice) -> None:
        """If the peer is up, turn on the carriers of the opened device and of the peer. Raise ENOTCONN if the
        device has no peer.
        """
        peer = device.private
        if peer is None:
            raise os_error(ENOTCONN)
        if peer.is_up:
            netif_carrier_on(self.this, device)
            netif_carrier_on(self.this, peer)

    def stop(self, device: NetDevice) -> None:
        """Turn the carriers of a device and its peer off."""
        netif_carrier_off(self.this, device)
        if device.private is not None:
            netif_carrier_off(self.this, device.private)


def init(this: ThisModule) -> Veth:
    """Register the link kind `veth`."""
    return Veth(this)


def exit(this: ThisModule, veth: Veth) -> None:
    """Unregister the link kind, which deletes its devices."""
    rtnl_link_unregister(this, veth.kind)
