"""Network devices, the operations of their drivers, and network namespaces (net/core/dev.c)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum, IntEnum, auto
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import attrs

from simkernel.kernel.vfs.task import NetNamespace
from simkernel.uapi import if_link as il
from simkernel.uapi.errno import EADDRNOTAVAIL, EBUSY, EEXIST, os_error
from simkernel.uapi.if_link import IFF_LOOPBACK
from simkernel.ynl.policy import PolicyTable

if TYPE_CHECKING:
    from simkernel.kernel.module.module import LoadedModule

T = TypeVar("T")
Attributes = Mapping[int, bytes]
"""Payload of each attribute of a request, by attribute type. If the request repeats a type, the last
attribute of this type is used.
"""

MAX_IFINDEX: Final = 2**31 - 1
LOOPBACK_IFINDEX: Final = 1
"""Index of `lo`, the first index of a namespace (include/net/net_namespace.h)."""
MAX_GSO_SEGS: Final = 65535
MAX_GSO_SIZE: Final = 65536
TSO_MAX_SIZE: Final = 524_280
"""Maximum size of a TSO segment of `lo`, in bytes. The default of other devices is `MAX_GSO_SIZE`."""


class Event(Enum):
    """Events of the notifier chain (`enum netdev_cmd`)."""

    UP = auto()
    DOWN = auto()
    CHANGE = auto()
    REGISTER = auto()
    UNREGISTER = auto()
    CHANGEMTU = auto()
    CHANGEADDR = auto()
    PRE_CHANGEADDR = auto()
    GOING_DOWN = auto()
    CHANGENAME = auto()
    FEAT_CHANGE = auto()
    PRE_UP = auto()
    JOIN = auto()
    CHANGEUPPER = auto()
    PRECHANGEMTU = auto()
    CHANGEINFODATA = auto()
    PRECHANGEUPPER = auto()
    POST_INIT = auto()
    PRE_UNINIT = auto()
    CHANGE_TX_QUEUE_LEN = auto()


class Extack(Protocol):
    """An object that stores the error text of a request's extended ACK."""

    message: str | None


class AddressOrigin(IntEnum):
    """Origin of a device's hardware address (NET_ADDR_*)."""

    PERMANENT = 0
    RANDOM = 1
    STOLEN = 2
    SET = 3


class NameOrigin(IntEnum):
    """Origin of a device's name (NET_NAME_*)."""

    UNKNOWN = 0
    ENUM = 1
    PREDICTABLE = 2
    USER = 3
    RENAMED = 4


@attrs.frozen(eq=False, kw_only=True)
class NetDeviceOps:
    """Operations of a network driver (`struct net_device_ops`). An operation is None if the driver lacks
    it.
    """

    init: Callable[[NetDevice], None] | None = None
    uninit: Callable[[NetDevice], None] | None = None
    open: Callable[[NetDevice], None] | None = None
    stop: Callable[[NetDevice], None] | None = None
    validate_addr: Callable[[NetDevice], None] | None = None
    set_mac_address: Callable[[NetDevice, bytes], None] | None = None
    change_mtu: Callable[[NetDevice, int], None] | None = None
    change_carrier: Callable[[NetDevice, bool], None] | None = None
    add_slave: Callable[[NetDevice, NetDevice, Extack], None] | None = None
    del_slave: Callable[[NetDevice, NetDevice], None] | None = None
    get_iflink: Callable[[NetDevice], int] | None = None
    fdb_dump: Callable[[NetDevice, NetDevice | None], list[bytes]] | None = None
    """Function that returns the RTM_NEWNEIGH payloads of the forwarding entries that a bridge stores for one
    of its ports. If the port is None, the function returns the payloads of the bridge's own entries.
    """
    bridge_getlink: Callable[[NetDevice, NetDevice, int], list[bytes]] | None = None
    """Function that returns the RTM_NEWLINK payloads of a bridge's port. Arguments: bridge, port,
    IFLA_EXT_MASK.
    """
    bridge_setlink: Callable[[NetDevice, NetDevice, Attributes, Extack], None] | None = None
    """Function that changes settings of a bridge's port. Arguments: bridge, port, settings, extended ACK."""
    link_settings: Callable[[NetDevice], tuple[int, str]] | None = None
    """Function that returns speed in Mbit/s and duplex (`ethtool_ops.get_link_ksettings`)."""


@attrs.frozen(eq=False, kw_only=True)
class LinkOps:
    """A kind of link, for example veth. RTM_NEWLINK creates and changes links of this kind (`struct
    rtnl_link_ops`).

    `setup` sets the defaults of a new device. `newlink` registers the device; if it is None, the kernel
    registers it. `dellink` appends the devices to unregister to a list; if it is None, only the device
    itself is unregistered. `link_net` returns the namespace of the device's peer.
    """

    kind: str
    setup: Callable[[NetDevice], None]
    policy: PolicyTable | None = None
    peer_type: int = 0
    """Type of the attribute inside IFLA_INFO_DATA that describes the peer. The type is 0 if links of this
    kind have no peer.
    """
    validate: Callable[[Attributes, Attributes | None, Extack], None] | None = None
    newlink: Callable[[NewLink], None] | None = None
    changelink: Callable[[NetDevice, Attributes, Attributes, Extack], None] | None = None
    dellink: Callable[[NetDevice, list[NetDevice]], None] | None = None
    fill_info: Callable[[NetDevice], bytes] | None = None
    link_net: Callable[[NetDevice], Net | None] | None = None
    slave_policy: PolicyTable | None = None
    slave_changelink: Callable[[NetDevice, NetDevice, Attributes, Extack], None] | None = None
    fill_slave_info: Callable[[NetDevice, NetDevice], bytes] | None = None
    fill_xstats: Callable[[bool], bytes] | None = None
    """Function that returns extended statistics (`fill_linkxstats`). Its argument is False for the statistics
    of a device of this kind, and True for those of a port whose master is a device of this kind.
    """
    module: LoadedModule | None = None


@attrs.frozen(eq=False)
class NewLink:
    """Arguments of `LinkOps.newlink` (`struct rtnl_newlink_params`).

    `data` contains the attributes of IFLA_INFO_DATA, or is None if the request lacks it. `peer` is the
    description of the peer, and `peer_net` its namespace.
    """

    device: NetDevice
    attributes: Attributes
    data: Attributes | None
    link: Any
    """The RTM_NEWLINK request, parsed."""
    peer: Any
    peer_net: Net
    extack: Extack


@attrs.define(eq=False, repr=False)
class NetDevice:
    """A network device (`struct net_device`). `private` holds its driver's data."""

    net: Net
    name: str
    ops: NetDeviceOps = NetDeviceOps()
    link_ops: LinkOps | None = None
    index: int = 0
    type: int = il.ARPHRD_LOOPBACK
    flags: int = 0
    mtu: int = 65536
    min_mtu: int = 0
    max_mtu: int = 0
    address: bytes = bytes(6)
    broadcast: bytes = bytes(6)
    perm_address: bytes = bytes(6)
    address_origin: AddressOrigin = AddressOrigin.PERMANENT
    name_origin: NameOrigin = NameOrigin.UNKNOWN
    tx_queue_len: int = 1000
    num_tx_queues: int = 1
    num_rx_queues: int = 1
    group: int = 0
    alias: bytes = b""
    altnames: list[str] = attrs.field(factory=list)
    master: NetDevice | None = None
    lowers: list[NetDevice] = attrs.field(factory=list)
    """Devices that have this device as master."""
    operstate: int = il.IF_OPER_UNKNOWN
    link_mode: int = 0
    carrier: bool = True
    carrier_up_count: int = 0
    carrier_down_count: int = 0
    promiscuity: int = 0
    allmulti: int = 0
    gflags: int = 0
    """The flags IFF_PROMISC and IFF_ALLMULTI that programs have set. If the kernel itself enables promiscuous
    mode, IFF_PROMISC is in `flags`, but not here.
    """
    proto_down: bool = False
    qdisc: str = "noop"
    gso_max_segs: int = MAX_GSO_SEGS
    gso_max_size: int = MAX_GSO_SIZE
    gro_max_size: int = MAX_GSO_SIZE
    gso_ipv4_max_size: int = MAX_GSO_SIZE
    gro_ipv4_max_size: int = MAX_GSO_SIZE
    tso_max_size: int = MAX_GSO_SIZE
    tso_max_segs: int = MAX_GSO_SEGS
    headroom: int = 0
    netns_immutable: bool = False
    no_queue: bool = True
    running: bool = False
    """True from the beginning of `open` to the beginning of `close` (`netif_running()`)."""
    transmits: bool = False
    """True while the device's queueing discipline is active. A change of the carrier changes this value only
    when the kernel handles the carrier event.
    """
    registered: bool = False
    initializing: bool = False
    """True for a device that a program's request creates, until the kernel sends the first RTM_NEWLINK
    notification about the device (RTNL_LINK_INITIALIZING).
    """
    devtype: str = ""
    """DEVTYPE in the device's uevents (`SET_NETDEV_DEVTYPE()`)."""
    private: Any = None
    _slots: dict[DeviceSlot[Any], Any] = attrs.field(factory=dict)

    def __repr__(self) -> str:
        return f"<net device {self.name}>"

    @property
    def is_up(self) -> bool:
        """True if the device is administratively up (IFF_UP)."""
        return bool(self.flags & il.IFF_UP)

    @property
    def is_loopback(self) -> bool:
        """True for the loopback device `lo`."""
        return bool(self.flags & il.IFF_LOOPBACK)

    @property
    def oper_up(self) -> bool:
        """True if the device can transmit packets (`netif_oper_up()`)."""
        return self.operstate in (il.IF_OPER_UP, il.IF_OPER_UNKNOWN)

    @property
    def iflink(self) -> int:
        """Index of the lower device or of the peer. If the device has neither, the device's own index
        (`dev_get_iflink()`).
        """
        return self.ops.get_iflink(self) if self.ops.get_iflink is not None else self.index

    @property
    def shown_flags(self) -> int:
        """Flags as programs read them (`dev_get_flags()`)."""
        flags = self.flags & ~(il.IFF_VOLATILE_SHOWN | il.IFF_PROMISC | il.IFF_ALLMULTI) | self.gflags
        if self.running:
            flags |= il.IFF_RUNNING if self.oper_up else 0
            flags |= il.IFF_LOWER_UP if self.carrier else 0
        return flags


NET_NS_INIT_INO: Final = 0xEFFFFFF9
"""Inode number of the initial namespace (include/uapi/linux/nsfs.h)."""


class NetOwner(Protocol):
    """The part of `Namespaces` that a network namespace uses. `Namespaces` contains all network namespaces of
    a machine.
    """

    @property
    def socket_cookies(self) -> Iterator[int]: ...

    def cleanup(self, net: Net) -> None:
        """Schedule the destruction of a namespace whose last reference was dropped."""

    def by_pid(self, pid: int) -> Net:
        """Return the namespace of a process. Raises ESRCH if the process does not exist."""


def is_valid_ether_addr(address: bytes) -> bool:
    """Return True for a unicast address that is not all zero."""
    return any(address) and not address[0] & 1


def eth_mac_addr(device: NetDevice, address: bytes) -> None:
    """Set the hardware address. Raises EADDRNOTAVAIL if the address is invalid."""
    if not is_valid_ether_addr(address):
        raise os_error(EADDRNOTAVAIL)
    device.address = address


LOOPBACK_OPS: Final = NetDeviceOps(set_mac_address=eth_mac_addr)


class Net(NetNamespace):
    """A network namespace (`struct net`). Its owner is the initial user namespace.

    `devices` maps indexes to network devices, in the order of registration. `dev_base_seq` counts its
    changes, so that a dump can detect an interruption. `number` is the inode number of `/proc/PID/ns/net`.
    """

    __slots__ = (
        "_generic",
        "_ids",
        "_last_index",
        "cookie",
        "dev_base_seq",
        "devices",
        "initial",
        "namespaces",
        "number",
        "socket_cookies",
    )

    def __init__(self, namespaces: NetOwner, cookie: int, number: int) -> None:
        super().__init__()
        self.namespaces = namespaces
        self.cookie = cookie
        self.socket_cookies = namespaces.socket_cookies
        self.number = number
        self.initial = number == NET_NS_INIT_INO
        self._generic: dict[object, Any] = {}
        # The `lo` of a new namespace is down (`loopback_setup()`).
        lo = NetDevice(
            self, "lo", LOOPBACK_OPS, index=LOOPBACK_IFINDEX, flags=IFF_LOOPBACK, netns_immutable=True
        )
        lo.tso_max_size = TSO_MAX_SIZE
        lo.name_origin = NameOrigin.PREDICTABLE
        lo.registered = True
        self.devices: dict[int, NetDevice] = {lo.index: lo}
        self.dev_base_seq = 1
        self._last_index = LOOPBACK_IFINDEX
        self._ids: dict[Net, int] = {}

    def __repr__(self) -> str:
        return f"<net {self.cookie}>"

    def destroy(self) -> None:
        self.namespaces.cleanup(self)

    def assign_id(self, peer: Net, number: int | None = None) -> int:
        """Assign an id to the namespace `peer`, valid in this namespace, and return the id (RTM_NEWNSID,
        `peernet2id_alloc()`).

        If `number` is negative or None, the lowest free id is assigned. Raises EEXIST if the id is in use
        or `peer` already has an id.
        """
        taken = self._ids.values()
        if number is None or number < 0:
            number = next(each for each in range(len(self._ids) + 1) if each not in taken)
        if peer in self._ids or number in taken:
            raise os_error(EEXIST)
        self._ids[peer] = number
        return number

    def id_of(self, peer: Net) -> int | None:
        """Return the id of `peer` in this namespace, or None if it has no id (`peernet2id()`)."""
        return self._ids.get(peer)

    def net_by_id(self, number: int) -> Net | None:
        """Return the namespace with an id. Return None if no namespace has the id, or if that namespace has
        no references left (`get_net_ns_by_id()`).
        """
        return next((peer for peer, each in self._ids.items() if each == number and peer.users), None)

    @property
    def net_ids(self) -> list[tuple[int, Net]]:
        """Namespaces that have an id in this namespace, ordered by id."""
        return sorted(((number, peer) for peer, number in self._ids.items()), key=lambda each: each[0])

    def device_named(self, name: str) -> NetDevice | None:
        """Return the device with a name or alternative name, or None (`dev_get_by_name()`)."""
        return next(
            (device for device in self.devices.values() if device.name == name or name in device.altnames),
            None,
        )

    def reserve_index(self, index: int) -> int:
        """Return the index for a new device: `index`, or the next free index if `index` is 0
        (`dev_index_reserve()`).

        Raises EBUSY if `index` is in use.
        """
        if index:
            if index in self.devices:
                raise os_error(EBUSY)
            return index
        following = chain(range(self._last_index + 1, MAX_IFINDEX + 1), range(1, self._last_index + 1))
        self._last_index = next(each for each in following if each not in self.devices)
        return self._last_index

    def list_device(self, device: NetDevice) -> None:
        """Add a device to the namespace (`list_netdevice()`)."""
        self.devices[device.index] = device
        self.dev_base_seq += 1

    def unlist_device(self, device: NetDevice) -> None:
        """Remove a device from the namespace (`unlist_netdevice()`)."""
        del self.devices[device.index]
        self.dev_base_seq += 1

    def forget(self, peer: Net) -> int | None:
        """Free the id that `peer` has in this namespace and return it, or None if `peer` has no id
        (`unhash_nsid()`).
        """
        return self._ids.pop(peer, None)


class DeviceSlot(Generic[T]):
    """A subsystem's data for each device, such as `dev->ip_ptr`. `make` creates the data of a device on first
    use.
    """

    def __init__(self, make: Callable[[NetDevice], T]) -> None:
        self._make = make

    def of(self, device: NetDevice) -> T:
        """Return the subsystem's data for `device`. If `device` has none, create the data."""
        if self not in device._slots:
            device._slots[self] = self._make(device)
        value: T = device._slots[self]
        return value

    def get(self, device: NetDevice) -> T | None:
        """Return the subsystem's data for `device`, or None if the data does not exist."""
        value: T | None = device._slots.get(self)
        return value

    def drop(self, device: NetDevice) -> T | None:
        """Remove the subsystem's data for `device`, and return the data or None."""
        value: T | None = device._slots.pop(self, None)
        return value
