"""dummy: network devices that drop every packet.

When a program creates a link of the kind `dummy` (RTM_NEWLINK), the kernel requests the module
`rtnl-link-dummy`.
"""

from __future__ import annotations

from typing import Final

from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.netdevice import (
    ETH_ALEN,
    Extack,
    NetDevice,
    alloc_netdev,
    eth_hw_addr_random,
    eth_mac_addr,
    eth_validate_addr,
    ether_setup,
    is_valid_ether_addr,
    netdev_ops,
    netif_carrier_off,
    netif_carrier_on,
    register_netdevice,
)
from simkernel.driverapi.rtnetlink import Attributes, LinkOps, rtnl_link_register, rtnl_link_unregister
from simkernel.uapi.errno import EADDRNOTAVAIL, EINVAL, os_error
from simkernel.uapi.if_link import IFF_MULTICAST, IFF_NOARP, IFLA_ADDRESS

KIND: Final = "dummy"

MODULE = Module(
    license="GPL",
    description="Dummy netdevice driver which discards all packets sent to it",
    parameters=(ModuleParameter("numdummies", int, 1, perm=0, description="Number of dummy pseudo devices"),),
    aliases=(f"rtnl-link-{KIND}",),
)


class Dummy:
    """The state of the loaded module, with the link kind that it has registered."""

    def __init__(self, this: ThisModule) -> None:
        self.this = this
        self.ops = netdev_ops(
            this,
            validate_addr=eth_validate_addr,
            set_mac_address=eth_mac_addr,
            change_carrier=self.change_carrier,
        )
        self.kind = rtnl_link_register(this, LinkOps(kind=KIND, setup=self.setup, validate=self.validate))

    def setup(self, device: NetDevice) -> None:
        """Set the operations, the flags and a random address of a new device (`dummy_setup()`)."""
        ether_setup(device)
        device.ops = self.ops
        device.flags = device.flags & ~IFF_MULTICAST | IFF_NOARP
        device.min_mtu = device.max_mtu = 0
        eth_hw_addr_random(self.this, device)

    def validate(self, attributes: Attributes, data: Attributes | None, extack: Extack) -> None:
        """Check the hardware address in an RTM_NEWLINK request.

        Raise EINVAL if its length is wrong, EADDRNOTAVAIL if it is all zeros or a multicast address.
        """
        address = attributes.get(IFLA_ADDRESS)
        if address is not None:
            if len(address) != ETH_ALEN:
                raise os_error(EINVAL)
            if not is_valid_ether_addr(address):
                raise os_error(EADDRNOTAVAIL)

    def change_carrier(self, device: NetDevice, on: bool) -> None:
        """Turn the carrier on or off. Programs set it with IFLA_CARRIER or the sysfs attribute `carrier`."""
        (netif_carrier_on if on else netif_carrier_off)(self.this, device)


def init(this: ThisModule) -> Dummy:
    """Register the link kind and create `numdummies` devices."""
    dummy = Dummy(this)
    for _ in range(this.parameters["numdummies"]):
        device = alloc_netdev(this, f"{KIND}%d", dummy.setup)
        device.link_ops = dummy.kind
        register_netdevice(this, device)
    return dummy


def exit(this: ThisModule, dummy: Dummy) -> None:
    """Unregister the link kind, which deletes its devices."""
    rtnl_link_unregister(this, dummy.kind)
