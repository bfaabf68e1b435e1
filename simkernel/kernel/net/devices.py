"""Operations on network devices, and the notifier chain (net/core/dev.c).

Theory of operation. A subsystem registers a callback at the notifier chain and keeps its data of each
device in a `DeviceSlot`. Each operation changes the device, sends messages to RTNLGRP_LINK and calls the
chain, in the order of the Linux function of its name. No time passes during an operation, as on Linux
under the rtnl mutex. A change of the carrier takes effect later, in a work item (`LinkWatch`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from simkernel.engine import Engine
from simkernel.kernel.lib.log import Log
from simkernel.kernel.net.device import LOOPBACK_IFINDEX, AddressOrigin, Event, Extack, NameOrigin, NetDevice
from simkernel.kernel.net.kobjects import NetKobjects
from simkernel.kernel.net.link_watch import LinkWatch
from simkernel.kernel.net.names import pick_name
from simkernel.kernel.net.namespace import Namespaces, Net
from simkernel.kernel.workqueue import WorkQueue
from simkernel.uapi import if_link as il
from simkernel.uapi.errno import EEXIST, EINVAL, EOPNOTSUPP, ERANGE, os_error
from simkernel.uapi.rtnetlink import RTM_DELLINK

ALL_CHANGED: Final = 2**32 - 1
SETTABLE: Final = (
    il.IFF_DEBUG
    | il.IFF_NOTRAILERS
    | il.IFF_NOARP
    | il.IFF_DYNAMIC
    | il.IFF_MULTICAST
    | il.IFF_PORTSEL
    | il.IFF_AUTOMEDIA
)
"""Device flags that a program can set and that the kernel only stores."""

Callback = Callable[[Event, NetDevice, Any], None]


class _NoText:
    """A dummy extended ACK, used if the caller has no netlink request to answer. An error text that is stored
    in it is discarded.
    """

    message: str | None = None


class LinkMessages(Protocol):
    """Sender of messages to RTNLGRP_LINK (`rtmsg_ifinfo()`)."""

    def prepare(
        self,
        type: int,
        device: NetDevice,
        change: int,
        *,
        request: Any = None,
        new_net: Net | None = None,
        new_index: int = 0,
    ) -> Callable[[], None]:
        """Build an RTM_NEWLINK or RTM_DELLINK message from the device's current state. Return a function that
        sends this message.

        `request` caused the message. `new_net` and `new_index` are the destination of a device that moves.
        """

    def changed(self, device: NetDevice, change: int = 0, request: Any = None) -> None:
        """Send RTM_NEWLINK for a device. `change` is the mask of the changed flags."""


class NetDevices:
    """The network devices of a machine, in all namespaces."""

    def __init__(
        self,
        engine: Engine,
        namespaces: Namespaces,
        log: Log,
        work: WorkQueue,
        messages: LinkMessages,
        kobjects: NetKobjects,
    ) -> None:
        self.namespaces = namespaces
        self.engine = engine
        self.log = log
        self._messages = messages
        self.kobjects = kobjects
        self.work = work
        self._chain: list[tuple[int, Callback]] = []
        self.watch = LinkWatch(engine, work, self.state_change)

    def enter(self, net: Net) -> None:
        """Send the uevents of the loopback device of a new namespace (`loopback_net_init()`)."""
        if not net.initial:
            self.kobjects.add(net.devices[LOOPBACK_IFINDEX])

    def leave(self, net: Net) -> None:
        """Unregister the devices of a namespace that is destroyed (`default_device_exit_batch()`)."""
        doomed: list[NetDevice] = []
        for device in reversed(net.devices.values()):
            if device not in doomed:
                self.queue_delete(device, doomed)
        self.unregister(doomed)

    # -- the notifier chain -------------------------------------------------------

    def subscribe(self, callback: Callback, priority: int = 0) -> None:
        """Register a callback in the notifier chain (`register_netdevice_notifier()`). It is called with an
        event, the device and the event's details.

        Subscribers are called in descending priority, then in the order of subscription. If Linux
        evaluates the result of the event, an OSError raised by a callback refuses the operation.
        """
        self._chain.append((-priority, callback))
        self._chain.sort(key=lambda entry: entry[0])

    def unsubscribe(self, callback: Callback) -> None:
        """Remove a callback from the notifier chain."""
        self._chain = [entry for entry in self._chain if entry[1] != callback]

    def notify(self, event: Event, device: NetDevice, info: Any = None) -> None:
        """Call all callbacks of the notifier chain with an event (`call_netdevice_notifiers()`)."""
        for _, callback in tuple(self._chain):
            callback(event, device, info)

    def state_change(self, device: NetDevice) -> None:
        """If a device is up, notify programs and the notifier chain of a change of the device's state
        (`netdev_state_change()`).
        """
        if device.is_up:
            self.notify(Event.CHANGE, device)
            self._messages.changed(device)

    # -- register, unregister, move ---------------------------------------------------------

    def register(self, device: NetDevice) -> None:
        """Add a device to its namespace (`register_netdevice()`).

        Raises EINVAL for an invalid name, EEXIST for a name in use, ENFILE if no number is free for a
        `%d`, EBUSY for an index in use. Errors of the driver's `init` propagate.
        """
        device.name = pick_name(device.net, device.name)
        if device.ops.init is not None:
            device.ops.init(device)
        try:
            device.index = device.net.reserve_index(device.index)
        except OSError:
            self._call(device.ops.uninit, device)
            raise
        self.notify(Event.POST_INIT, device)
        self.kobjects.add(device)
        device.registered = True
        self.watch.init(device)
        device.net.list_device(device)
        if device.address_origin is AddressOrigin.PERMANENT:
            device.perm_address = device.address
        self.notify(Event.REGISTER, device)
        if not device.initializing:
            self._messages.changed(device, ALL_CHANGED)

    def configure(self, device: NetDevice, flags: int, mask: int, request: Any = None) -> None:
        """Set the flags of a device that RTM_NEWLINK created, and notify RTNLGRP_LINK
        (`rtnl_configure_link()`).
        """
        before = device.flags
        if flags or mask:
            self._set_flags(device, combine(device, flags, mask))
        changes = ALL_CHANGED if device.initializing else before ^ device.flags
        device.initializing = False
        self._notify_flags(device, before, changes, request)

    def unregister(self, devices: list[NetDevice], request: Any = None) -> None:
        """Remove devices from their namespaces (`unregister_netdevice_many()`)."""
        self._close([device for device in devices if device.is_up])
        for device in devices:
            device.net.unlist_device(device)
            device.registered = False  # suppresses RTM_NEWLINK
        for device in devices:
            device.qdisc = "noop"
            self.notify(Event.UNREGISTER, device)
            send = None
            if not device.initializing:
                send = self._messages.prepare(RTM_DELLINK, device, ALL_CHANGED, request=request)
            device.altnames.clear()
            self.notify(Event.PRE_UNINIT, device)
            self._call(device.ops.uninit, device)
            if send is not None:
                send()
            self.watch.forget(device)
            self.kobjects.remove(device)

    def delete(self, device: NetDevice, request: Any = None) -> None:
        """Unregister a device and the devices deleted with it, such as its peer (`rtnl_delete_link()`).

        Raises EOPNOTSUPP if the device has no kind.
        """
        if device.link_ops is None:
            raise os_error(EOPNOTSUPP)
        doomed: list[NetDevice] = []
        self.queue_delete(device, doomed)
        self.unregister(doomed, request)

    def queue_delete(self, device: NetDevice, doomed: list[NetDevice]) -> None:
        """Append `device` to `doomed`, a list of devices to unregister. If `device.link_ops.dellink` exists,
        call this function instead. It can also append other devices, for example the peer.
        """
        if device.link_ops is not None and device.link_ops.dellink is not None:
            device.link_ops.dellink(device, doomed)
        else:
            doomed.append(device)

    def move(
        self, device: NetDevice, net: Net, name: str = "", index: int = 0, extack: Extack | None = None
    ) -> None:
        """Move a device to another namespace (`__dev_change_net_namespace()`).

        Raises EINVAL for an immutable device, EBUSY for an index in use. Raises EEXIST if the device's
        name is in use in the new namespace and `name` does not replace it.
        """
        extack = extack or _NoText()
        if device.netns_immutable:
            extack.message = "The interface netns is immutable"
            raise os_error(EINVAL)
        old = device.net
        if old is net:
            return
        new_name = device.name
        if net.device_named(new_name) is not None:
            if not name:
                extack.message = "An interface with the same name exists in the target netns"
                raise os_error(EEXIST)
            try:
                new_name = pick_name(net, name)
            except OSError:
                extack.message = f"Unable to use '{name}' for the new interface name in the target netns"
                raise
        for each in device.altnames:
            if net.device_named(each) is not None:
                extack.message = f"An interface with the altname {each} exists in the target netns"
                raise os_error(EEXIST)
        try:
            new_index = net.reserve_index(index or (0 if device.index in net.devices else device.index))
        except OSError:
            extack.message = f"The ifindex {index} is not available in the target netns"
            raise
        self.close(device)
        old.unlist_device(device)
        device.qdisc = "noop"
        self.notify(Event.UNREGISTER, device)
        self._messages.prepare(RTM_DELLINK, device, ALL_CHANGED, new_net=net, new_index=new_index)()
        self.kobjects.uevent("remove", device)
        device.net, device.index, device.name = net, new_index, new_name
        self.kobjects.uevent("add", device)
        net.list_device(device)
        self.notify(Event.REGISTER, device)
        self._messages.changed(device, ALL_CHANGED)

    # -- up and down --------------------------------------------------------------

    def open(self, device: NetDevice) -> None:
        """Bring a device up, and notify programs and the notifier chain (`dev_open()`)."""
        if not device.is_up:
            self._open(device)
            self._messages.changed(device, il.IFF_UP | il.IFF_RUNNING)
            self.notify(Event.UP, device)

    def close(self, device: NetDevice) -> None:
        """Bring a device down, and notify programs and the notifier chain (`dev_close()`)."""
        self._close([device] if device.is_up else [])

    def _open(self, device: NetDevice) -> None:
        """Bring a device up, without messages to programs (`__dev_open()`)."""
        self.notify(Event.PRE_UP, device)
        device.running = True
        try:
            self._call(device.ops.validate_addr, device)
            self._call(device.ops.open, device)
        except OSError:
            device.running = False
            raise
        device.flags |= il.IFF_UP
        self.watch.activate(device)

    def _shut(self, devices: list[NetDevice]) -> None:
        """Bring devices down, without messages to programs (`__dev_close_many()`)."""
        for device in devices:
            self.notify(Event.GOING_DOWN, device)
            device.running = device.transmits = False
        for device in devices:
            self._call(device.ops.stop, device)
            device.flags &= ~il.IFF_UP

    def _close(self, devices: list[NetDevice]) -> None:
        """Bring devices down, and notify programs and the notifier chain (`dev_close_many()`)."""
        self._shut(devices)
        for device in devices:
            self._messages.changed(device, il.IFF_UP | il.IFF_RUNNING)
            self.notify(Event.DOWN, device)

    def change_flags(self, device: NetDevice, flags: int, mask: int = 0) -> None:
        """Set those flags of a device that are in `mask`, or all flags if `mask` is 0. Then notify programs
        and the notifier chain (`dev_change_flags()`).
        """
        before, gbefore = device.flags, device.gflags
        self._set_flags(device, combine(device, flags, mask))
        self._notify_flags(device, before, (before ^ device.flags) | (gbefore ^ device.gflags))

    def _set_flags(self, device: NetDevice, flags: int) -> None:
        """Set the flags of a device, without messages to programs (`__dev_change_flags()`)."""
        before = device.flags
        kept = il.IFF_UP | il.IFF_VOLATILE | il.IFF_PROMISC | il.IFF_ALLMULTI
        device.flags = flags & SETTABLE | before & kept
        if (before ^ flags) & il.IFF_UP:
            if before & il.IFF_UP:
                self._shut([device])
            else:
                self._open(device)
        for flag, change in (
            (il.IFF_PROMISC, self.count_promiscuity),
            (il.IFF_ALLMULTI, self._count_allmulti),
        ):
            if (flags ^ device.gflags) & flag:
                device.gflags ^= flag
                change(device, 1 if flags & flag else -1)

    def _notify_flags(self, device: NetDevice, before: int, changes: int, request: Any = None) -> None:
        """Notify programs and the notifier chain of changed device flags (`__dev_notify_flags()`)."""
        changed = device.flags ^ before
        if changes:
            self._messages.changed(device, changes, request)
        if changed & il.IFF_UP:
            self.notify(Event.UP if device.is_up else Event.DOWN, device)
        quiet = il.IFF_UP | il.IFF_PROMISC | il.IFF_ALLMULTI | il.IFF_VOLATILE
        if device.is_up and changed & ~quiet:
            self.notify(Event.CHANGE, device, changed)

    def count_promiscuity(self, device: NetDevice, step: int) -> None:
        """Add 1 or -1 to a device's promiscuity count, without notifications (`__dev_set_promiscuity()`)."""
        device.promiscuity += step
        before = device.flags
        device.flags = before & ~il.IFF_PROMISC | (il.IFF_PROMISC if device.promiscuity else 0)
        if device.flags != before:
            verb = "entered" if device.promiscuity else "left"
            self.log.info(f"{device.name}: {verb} promiscuous mode")

    def _count_allmulti(self, device: NetDevice, step: int) -> None:
        device.allmulti += step
        before = device.flags
        device.flags = before & ~il.IFF_ALLMULTI | (il.IFF_ALLMULTI if device.allmulti else 0)
        if device.flags != before:
            verb = "entered" if device.allmulti else "left"
            self.log.info(f"{device.name}: {verb} allmulticast mode")

    def set_promiscuity(self, device: NetDevice, step: int) -> None:
        """Add 1 or -1 to a device's promiscuity count, and send RTM_NEWLINK (`dev_set_promiscuity()`)."""
        before = device.flags
        self.count_promiscuity(device, step)
        self._notify_flags(device, before, il.IFF_PROMISC)

    def set_allmulti(self, device: NetDevice, step: int) -> None:
        """Add 1 or -1 to a device's allmulti count (`dev_set_allmulti()`). Notify if its flags change."""
        before = device.flags
        self._count_allmulti(device, step)
        if device.flags != before:
            self._notify_flags(device, before, 0)

    # -- attributes ---------------------------------------------------------------

    def rename(self, device: NetDevice, name: str) -> None:
        """Rename a device (`dev_change_name()`). One `%d` in the new name is replaced by the lowest free
        number.

        Raises EINVAL for an invalid name, EEXIST for a name in use, ENFILE if no number is free.
        """
        old = device.name
        if name == old:
            return
        device.name = pick_name(device.net, name, device)
        up = " (while UP)" if device.is_up else ""
        self.log.info(f"{device.name}: renamed from {old}{up}")
        device.name_origin = NameOrigin.RENAMED
        if device.name != old:
            self.kobjects.rename(device, old)
        self.notify(Event.CHANGENAME, device)

    def set_mtu(self, device: NetDevice, mtu: int, extack: Extack | None = None) -> None:
        """Set the MTU in bytes (`dev_set_mtu_ext()`). Raises EINVAL if it is outside the device's limits."""
        if mtu == device.mtu:
            return
        text = extack or _NoText()
        try:
            check_mtu(device, mtu, text)
        except OSError:
            if extack is None:
                self.log.err(f"{device.name}: {text.message}")
            raise
        self.notify(Event.PRECHANGEMTU, device)
        if device.ops.change_mtu is not None:
            device.ops.change_mtu(device, mtu)
        else:
            device.mtu = mtu
        self.notify(Event.CHANGEMTU, device)

    def set_address(self, device: NetDevice, address: bytes) -> None:
        """Set the hardware address (`dev_set_mac_address()`).

        Raises EOPNOTSUPP if the driver lacks the operation. Errors of the driver propagate.
        """
        if device.ops.set_mac_address is None:
            raise os_error(EOPNOTSUPP)
        self.notify(Event.PRE_CHANGEADDR, device, address)
        if device.address != address:
            device.ops.set_mac_address(device, address)
        device.address_origin = AddressOrigin.SET
        self.notify(Event.CHANGEADDR, device)

    def set_tx_queue_len(self, device: NetDevice, length: int) -> None:
        """Set the length of the transmit queue in packets (`dev_change_tx_queue_len()`). Raises ERANGE if the
        length is 2^32 or more.
        """
        if length >= 2**32:
            raise os_error(ERANGE)
        if device.tx_queue_len != length:
            device.tx_queue_len = length
            self.notify(Event.CHANGE_TX_QUEUE_LEN, device)

    def set_master(self, device: NetDevice, index: int, extack: Extack) -> None:
        """Make `device` a port of the device with the index `index`. If `index` is 0, remove the master of
        `device` (`do_set_master()`).

        Raises EOPNOTSUPP if that device cannot have ports, EINVAL if it does not exist.
        """
        master = device.master
        if master is not None:
            if master.index == index:
                return
            if master.ops.del_slave is None:
                raise os_error(EOPNOTSUPP)
            master.ops.del_slave(master, device)
        if index:
            upper = device.net.devices.get(index)
            if upper is None:
                raise os_error(EINVAL)
            if upper.ops.add_slave is None:
                raise os_error(EOPNOTSUPP)
            upper.ops.add_slave(upper, device, extack)

    def link_master(self, device: NetDevice, master: NetDevice) -> None:
        """Set the master of a device (`netdev_master_upper_dev_link()`)."""
        self.notify(Event.PRECHANGEUPPER, device, master)
        device.master = master
        master.lowers.append(device)
        self.notify(Event.CHANGEUPPER, device, master)

    def unlink_master(self, device: NetDevice) -> None:
        """Remove the master of a device (`netdev_upper_dev_unlink()`)."""
        master = device.master
        assert master is not None
        self.notify(Event.PRECHANGEUPPER, device)
        device.master = None
        master.lowers.remove(device)
        self.notify(Event.CHANGEUPPER, device)

    def set_carrier(self, device: NetDevice, on: bool) -> None:
        """Set or clear the carrier of a device. If the carrier changes, schedule the handling of a carrier
        event (`netif_carrier_on()`, `netif_carrier_off()`).
        """
        if device.carrier == on:
            return
        device.carrier = on
        if device.registered:
            device.carrier_up_count += on
            device.carrier_down_count += not on
            self.watch.fire(device)

    @staticmethod
    def _call(operation: Callable[[NetDevice], None] | None, device: NetDevice) -> None:
        if operation is not None:
            operation(device)


def combine(device: NetDevice, flags: int, mask: int) -> int:
    """Return the new flags of a device. A request's `mask` selects the flags to change (0 selects all), and
    `flags` contains their new values (`rtnl_dev_combine_flags()`).
    """
    if not mask:
        return flags
    shown = device.flags & ~(il.IFF_PROMISC | il.IFF_ALLMULTI) | device.gflags
    return flags & mask | shown & ~mask


def check_mtu(device: NetDevice, mtu: int, extack: Extack) -> None:
    """Raise EINVAL if an MTU is outside the device's limits (`dev_validate_mtu()`)."""
    if not device.min_mtu <= mtu < 2**31:
        extack.message = "mtu less than device minimum"
        raise os_error(EINVAL)
    if device.max_mtu and mtu > device.max_mtu:
        extack.message = "mtu greater than device maximum"
        raise os_error(EINVAL)
