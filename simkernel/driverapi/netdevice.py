"""include/linux/netdevice.h and etherdevice.h: network devices of a module.

    device = alloc_netdev(this, "dummy%d", setup)        # setup(device) sets type, flags and operations
    register_netdevice(this, device)
    netif_carrier_off(this, device)
    unregister_netdevice(this, device)

`simkernel.driverapi.rtnetlink` registers kinds of links, which RTM_NEWLINK creates.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from simkernel.driverapi.context import kernel_of, module_of
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.net.device import MAX_GSO_SEGS as MAX_GSO_SEGS
from simkernel.kernel.net.device import TSO_MAX_SIZE as TSO_MAX_SIZE
from simkernel.kernel.net.device import AddressOrigin as AddressOrigin
from simkernel.kernel.net.device import Event as Event
from simkernel.kernel.net.device import Extack as Extack
from simkernel.kernel.net.device import NameOrigin
from simkernel.kernel.net.device import NetDevice as NetDevice
from simkernel.kernel.net.device import NetDeviceOps as NetDeviceOps
from simkernel.kernel.net.device import eth_mac_addr as eth_mac_addr
from simkernel.kernel.net.device import is_valid_ether_addr as is_valid_ether_addr
from simkernel.kernel.net.namespace import Net as Net
from simkernel.uapi.errno import EADDRNOTAVAIL, os_error
from simkernel.uapi.if_link import ARPHRD_ETHER, IFF_BROADCAST, IFF_MULTICAST

ETH_ALEN: Final = 6
ETH_DATA_LEN: Final = 1500
ETH_MIN_MTU: Final = 68
ETH_MAX_MTU: Final = 65535


def netdev_ops(this: ThisModule, **operations: Callable[..., Any]) -> NetDeviceOps:
    """Return the `NetDeviceOps` of a network driver. Each argument has the name of a field of `NetDeviceOps`.

    An exception in an operation becomes an oops, unless it is an OSError.
    """
    return NetDeviceOps(**{name: under_rtnl(this, f"ndo_{name}", call) for name, call in operations.items()})


def under_rtnl(this: ThisModule, where: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls `function` with the rtnl mutex held. If `function` raises an exception
    that is not an OSError, the kernel logs an oops. `simkernel explore` can pause a driver between two
    statements, but not in `function`.
    """
    kernel = kernel_of(this)
    guarded = kernel.oopses.wrap(module_of(this), where, function)

    def call(*arguments: Any) -> Any:
        with kernel.rtnl:
            return guarded(*arguments)

    return call


def alloc_netdev(this: ThisModule, name: str, setup: Callable[[NetDevice], None]) -> NetDevice:
    """Create a network device in the initial namespace. When the device is registered, a `%d` in `name` is
    replaced by the lowest free number.
    """
    device = NetDevice(kernel_of(this).net, name, name_origin=NameOrigin.ENUM)
    setup(device)
    return device


def register_netdevice(this: ThisModule, device: NetDevice) -> None:
    """Add a device to its namespace. Raise EINVAL if its name is invalid, EEXIST if the name is in use.
    Raise ENFILE if no number is free for a `%d` in the name, EBUSY if the interface index is in use.
    """
    kernel_of(this).net_devices.register(device)


def unregister_netdevice(this: ThisModule, device: NetDevice) -> None:
    """Remove a device from its namespace."""
    kernel_of(this).net_devices.unregister([device])


def register_netdevice_notifier(
    this: ThisModule, callback: Callable[[Event, NetDevice, Any], None]
) -> Callable[[], None]:
    """Call `callback` with each event of each network device.

    Returns a function that unregisters the callback. The module calls it in its exit function.
    """
    kernel, module = kernel_of(this), module_of(this)
    guarded = under_rtnl(this, "netdevice notifier", callback)
    devices = kernel.net_devices
    resource = kernel.resources.add(module, "netdevice notifier", "", partial(devices.unsubscribe, guarded))
    devices.subscribe(guarded)

    def unregister() -> None:
        kernel.resources.remove(resource)
        devices.unsubscribe(guarded)

    return unregister


def netdev_features_change(this: ThisModule, device: NetDevice) -> None:
    """Call the subscribers of the notifier chain, because the features of `device` have changed."""
    kernel_of(this).net_devices.notify(Event.FEAT_CHANGE, device)


def call_netdevice_notifiers(this: ThisModule, event: Event, device: NetDevice) -> None:
    """Call the subscribers of the notifier chain with an event of `device`."""
    kernel_of(this).net_devices.notify(event, device)


def netif_carrier_on(this: ThisModule, device: NetDevice) -> None:
    """Report that the device has a carrier."""
    kernel_of(this).net_devices.set_carrier(device, True)


def netif_carrier_off(this: ThisModule, device: NetDevice) -> None:
    """Report that the device has lost its carrier."""
    kernel_of(this).net_devices.set_carrier(device, False)


def netdev_master_upper_dev_link(this: ThisModule, device: NetDevice, master: NetDevice) -> None:
    """Make `master`, for example a bridge, the master of `device`. Send the events PRECHANGEUPPER and
    CHANGEUPPER to the notifier chain.
    """
    kernel_of(this).net_devices.link_master(device, master)


def netdev_upper_dev_unlink(this: ThisModule, device: NetDevice) -> None:
    """Detach `device` from its master, for example a bridge. Send the events PRECHANGEUPPER and CHANGEUPPER
    to the notifier chain.
    """
    kernel_of(this).net_devices.unlink_master(device)


def dev_set_allmulti(this: ThisModule, device: NetDevice, step: int) -> None:
    """Increment (1) or decrement (-1) the allmulti count. While it is not 0, the device receives all
    multicasts.
    """
    kernel_of(this).net_devices.set_allmulti(device, step)


def dev_set_promiscuity(this: ThisModule, device: NetDevice, step: int) -> None:
    """Increment (1) or decrement (-1) the promiscuity count. While it is not 0, the device receives all
    packets.
    """
    kernel_of(this).net_devices.set_promiscuity(device, step)


def dev_set_mtu(this: ThisModule, device: NetDevice, mtu: int) -> None:
    """Set the MTU in bytes. Raises EINVAL if it is outside the device's limits."""
    kernel_of(this).net_devices.set_mtu(device, mtu)


# -- Ethernet ---------------------------------------------------------------------


def ether_setup(device: NetDevice) -> None:
    """Set the type, the MTU and its limits, the addresses and the flags of `device` to the defaults of
    Ethernet, such as an MTU of 1500 bytes.
    """
    device.type = ARPHRD_ETHER
    device.mtu, device.min_mtu, device.max_mtu = ETH_DATA_LEN, ETH_MIN_MTU, ETH_DATA_LEN
    device.address, device.broadcast = bytes(ETH_ALEN), b"\xff" * ETH_ALEN
    device.flags = IFF_BROADCAST | IFF_MULTICAST


def eth_hw_addr_random(this: ThisModule, device: NetDevice) -> None:
    """Set a random, locally administered unicast address."""
    drawn = bytearray(kernel_of(this).engine.rng("ethernet addresses").randbytes(ETH_ALEN))
    drawn[0] = drawn[0] & 0xFE | 0x02
    device.address, device.address_origin = bytes(drawn), AddressOrigin.RANDOM


def eth_validate_addr(device: NetDevice) -> None:
    """Raise EADDRNOTAVAIL if the device's address is a multicast address or all zero."""
    if not is_valid_ether_addr(device.address):
        raise os_error(EADDRNOTAVAIL)
