"""Handlers for links and neighbours of bridges (family AF_BRIDGE, net/core/rtnetlink.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simkernel.kernel.net.device import Attributes, DeviceSlot, Event, NetDevice
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT, LIBERAL, Found
from simkernel.kernel.netlink.route.link_policy import LINK_POLICY
from simkernel.kernel.netlink.route.link_request import LinkRequest
from simkernel.kernel.netlink.route.neighbour_requests import NEIGHBOUR_POLICY, header
from simkernel.kernel.netlink.route.notify import notify, wanted
from simkernel.kernel.netlink.route.parse import attributes, has_header, number, refuse
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi.errno import EEXIST, EINVAL, ENODEV, ENOENT, EOPNOTSUPP, os_error
from simkernel.uapi.if_bridge import BrPort
from simkernel.uapi.if_link import ARPHRD_ETHER
from simkernel.uapi.neighbour import NdMsg
from simkernel.uapi.netlink import (
    NLA_F_NESTED,
    NLA_TYPE_MASK,
    NLM_F_BULK,
    NLM_F_EXCL,
    NLM_F_MULTI,
    NLMSG_HDRLEN,
    attribute,
    locate_attributes,
    message,
)
from simkernel.uapi.rtnetlink import (
    RTM_DELNEIGH,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTM_SETLINK,
    RTNLGRP_NEIGH,
    IfInfoMsg,
)
from simkernel.uapi.socket import AF_BRIDGE
from simkernel.uapi.structure import U16, U32
from simkernel.ynl.policy import AttributePolicy, PolicyTable

IFLA_BRIDGE_FLAGS: Final = 0
IFLA_BRIDGE_MODE: Final = 1
BRIDGE_FLAGS_MASTER: Final = 1
BRIDGE_FLAGS_SELF: Final = 2
ETH_ALEN: Final = 6
VLAN_VID_MASK: Final = 0x0FFF

ANY_NEIGHBOUR: Final = PolicyTable("fdb", (AttributePolicy(),) * (nb.NDA_MAX + 1))
"""The table for requests that Linux parses without a policy. It accepts any payload, and rejects only
attribute types above NDA_MAX.
"""


# -- links ----------------------------------------------------------------------


def dump_links(writer: MessageWriter, callback: DumpCallback) -> bool:
    """Dump the ports of bridges, and bridges if the filter mask requests them (`rtnl_bridge_getlink()`).

    An invalid request raises an error only if it is strict.
    """
    mask = 0
    try:
        found = _check_links(callback)
        mask = number(callback.request, found, il.IFLA_EXT_MASK)
    except OSError:
        if callback.strict:
            raise
    bodies: list[bytes] = []
    for device in callback.request.net.devices.values():
        for bridge in (device.master, device):
            if bridge is not None and bridge.ops.bridge_getlink is not None:
                bodies += bridge.ops.bridge_getlink(bridge, device, mask)
    for place in range(callback.context or 0, len(bodies)):
        flags, seq, portid = NLM_F_MULTI, callback.request.seq, callback.request.portid
        writer.append(message(RTM_NEWLINK, bodies[place], flags=flags, seq=seq, pid=portid))
        callback.context = place + 1
    return False


def _check_links(callback: DumpCallback) -> Found:
    """Parse a dump request for bridge ports (`valid_bridge_getlink_req()`). Raise EINVAL if the header or an
    attribute is invalid.
    """
    request = callback.request
    if not callback.strict:
        return attributes(request, IfInfoMsg.SIZE, LINK_POLICY, LIBERAL)
    if not has_header(request, IfInfoMsg):
        raise refuse(request, EINVAL, "Invalid header for bridge link dump")
    start = request.start + NLMSG_HDRLEN
    head = IfInfoMsg.unpack(request.data, start)
    if request.data[start + 1] or head.type or head.flags or head.change or head.index:
        raise refuse(request, EINVAL, "Invalid values in header for bridge link dump request")
    found = attributes(request, IfInfoMsg.SIZE, LINK_POLICY, DEPRECATED_STRICT)
    if not found.keys() <= {il.IFLA_EXT_MASK}:
        raise refuse(request, EINVAL, "Unsupported attribute in bridge link dump request")
    return found


def change_link(unmodelled: Callable[[str, int], Exception], request: Request) -> None:
    """Change settings of a bridge port (`rtnl_bridge_setlink()`, `rtnl_bridge_dellink()`).

    Raises EINVAL, ENODEV, or EOPNOTSUPP if the device is not a port. Errors of the bridge's driver
    propagate.
    """
    if not has_header(request, IfInfoMsg):
        raise os_error(EINVAL)
    start = request.start + NLMSG_HDRLEN
    device = request.net.devices.get(IfInfoMsg.unpack(request.data, start).index)
    if device is None:
        raise refuse(request, ENODEV, "unknown ifindex")
    located, _ = locate_attributes(request.data, start + IfInfoMsg.SIZE, request.end)
    places = {type & NLA_TYPE_MASK: (type, first, last) for type, first, last in reversed(located)}
    inner = _checked_spec(request, places[il.IFLA_AF_SPEC][1:]) if il.IFLA_AF_SPEC in places else {}
    flags = inner.get(IFLA_BRIDGE_FLAGS, 0)
    if flags and not flags & (BRIDGE_FLAGS_MASTER | BRIDGE_FLAGS_SELF):
        raise os_error(EOPNOTSUPP)
    if not flags or flags & BRIDGE_FLAGS_MASTER:
        master = device.master
        if master is None or master.ops.bridge_setlink is None:
            raise os_error(EOPNOTSUPP)
        if inner.keys() - {IFLA_BRIDGE_FLAGS, IFLA_BRIDGE_MODE}:
            raise unmodelled("VLAN, MRP, CFM and MST settings of bridge ports are not modelled", EOPNOTSUPP)
        if il.IFLA_PROTINFO in places and request.type == RTM_SETLINK:
            data = _port_settings(request, master, *places[il.IFLA_PROTINFO])
            master.ops.bridge_setlink(master, device, data, request.extack)
    if flags & BRIDGE_FLAGS_SELF and device.ops.bridge_setlink is None:
        raise os_error(EOPNOTSUPP)


def _checked_spec(request: Request, place: tuple[int, int]) -> dict[int, int]:
    """Return the values of the attributes in IFLA_AF_SPEC, by type. Only IFLA_BRIDGE_FLAGS and, for
    RTM_SETLINK, IFLA_BRIDGE_MODE are decoded. The value of other attributes is 0.

    Raises EINVAL if the flags or the mode are too short.
    """
    spec: dict[int, int] = {}
    checked = (IFLA_BRIDGE_FLAGS, IFLA_BRIDGE_MODE) if request.type == RTM_SETLINK else (IFLA_BRIDGE_FLAGS,)
    for type, first, last in locate_attributes(request.data, *place)[0]:
        number_of = type & NLA_TYPE_MASK
        if number_of in checked and (number_of, number_of in spec) != (IFLA_BRIDGE_FLAGS, True):
            if last - first < U16.size:
                raise os_error(EINVAL)
            spec[number_of] = U16.unpack_from(request.data, first)[0]
        spec.setdefault(number_of, 0)
    return spec


def _port_settings(request: Request, master: NetDevice, type: int, first: int, last: int) -> Attributes:
    """Return the port settings in IFLA_PROTINFO. If IFLA_PROTINFO lacks NLA_F_NESTED, the first byte of the
    payload is the state of the port.
    """
    if not type & NLA_F_NESTED:
        if last == first:
            raise os_error(EINVAL)
        return {BrPort.STATE: request.data[first : first + 1]}
    assert master.link_ops is not None and master.link_ops.slave_policy is not None
    link = LinkRequest(request)
    return link.payloads(link.nest((first, last), master.link_ops.slave_policy, silent=True))


# -- forwarding databases ---------------------------------------------------------


UNICAST: Final[DeviceSlot[dict[bytes, int]]] = DeviceSlot(lambda device: {})
"""Secondary unicast addresses of a device (`dev->uc`), as the keys of a dictionary. All values are 1."""


def _fill(device: NetDevice, address: bytes, state: int) -> bytes:
    """Return header and attributes of a forwarding entry (`nlmsg_populate_fdb_fill()`)."""
    head = NdMsg(AF_BRIDGE, index=device.index, state=state, flags=nb.NTF_SELF)
    return head.pack() + attribute(nb.NDA_LLADDR, address)


def dump_fdb(writer: MessageWriter, callback: DumpCallback) -> bool:
    """Dump the forwarding databases of bridges and the secondary addresses of devices (`rtnl_fdb_dump()`).

    Raises ENODEV if the bridge does not exist. Multicast addresses of devices are not modelled.
    """
    request = callback.request
    master, index = _check_fdb_dump(request) if callback.strict else _old_fdb_dump(request)
    if master and master not in request.net.devices:
        raise os_error(ENODEV)
    bodies: list[bytes] = []
    for _, device in sorted(request.net.devices.items()):
        if index not in (0, device.index):
            continue
        above = device.master
        if above is not None and above.ops.fdb_dump is not None and master in (0, above.index):
            bodies += above.ops.fdb_dump(above, device)
        if not master or (above is not None and above.index == master):
            bodies += [_fill(device, address, nb.NUD_PERMANENT) for address in UNICAST.get(device) or ()]
        if device.ops.fdb_dump is not None and master in (0, device.index):
            bodies += device.ops.fdb_dump(device, None)
    for place in range(callback.context or 0, len(bodies)):
        flags, seq = NLM_F_MULTI, request.seq
        writer.append(message(RTM_NEWNEIGH, bodies[place], flags=flags, seq=seq, pid=request.portid))
        callback.context = place + 1
    return False


def _check_fdb_dump(request: Request) -> tuple[int, int]:
    """Check a strict dump request. Return the indexes of the bridge and of the device that the request
    selects. An index of 0 selects all.

    Source: `valid_fdb_dump_strict()`.
    """
    if not has_header(request, NdMsg):
        raise refuse(request, EINVAL, "Invalid header for fdb dump request")
    head = header(request)
    if head.pad1 or head.pad2 or head.state or head.flags or head.type:
        raise refuse(request, EINVAL, "Invalid values in header for fdb dump request")
    found = attributes(request, NdMsg.SIZE, ANY_NEIGHBOUR, DEPRECATED_STRICT)
    names = {nb.NDA_IFINDEX: "IFINDEX", nb.NDA_MASTER: "MASTER"}
    for type in sorted(found):
        if type not in names:
            raise refuse(request, EINVAL, "Unsupported attribute in fdb dump request")
        if found[type][1] - found[type][0] != U32.size:
            raise refuse(request, EINVAL, f"Invalid {names[type]} attribute in fdb dump request")
    index = number(request, found, nb.NDA_IFINDEX) if nb.NDA_IFINDEX in found else head.index
    return number(request, found, nb.NDA_MASTER), index


def _old_fdb_dump(request: Request) -> tuple[int, int]:
    """Check a dump request from a socket without NETLINK_GET_STRICT_CHK. Return the indexes of the bridge and
    of the device that the request selects. An index of 0 selects all.

    The request has the header of link requests. If it has the length of a neighbour request, it has no
    attributes. Source: `valid_fdb_dump_legacy()`.
    """
    if request.length - NLMSG_HDRLEN in (NdMsg.SIZE, NdMsg.SIZE + 4 + U32.size):
        return 0, 0
    try:
        found = attributes(request, IfInfoMsg.SIZE, LINK_POLICY, LIBERAL)
    except OSError:
        raise os_error(EINVAL) from None
    head = IfInfoMsg.unpack(request.data, request.start + NLMSG_HDRLEN)
    return number(request, found, il.IFLA_MASTER), head.index


def _parse_get(request: Request) -> Found:
    """Parse a request for one forwarding entry (`valid_fdb_get_strict()`). Raise EINVAL if the header or an
    attribute is invalid.
    """
    if not has_header(request, NdMsg):
        raise refuse(request, EINVAL, "Invalid header for fdb get request")
    head = header(request)
    if head.pad1 or head.pad2 or head.state or head.type:
        raise refuse(request, EINVAL, "Invalid values in header for fdb get request")
    if head.flags & ~(nb.NTF_MASTER | nb.NTF_SELF):
        raise refuse(request, EINVAL, "Invalid flags in header for fdb get request")
    found = attributes(request, NdMsg.SIZE, NEIGHBOUR_POLICY, DEPRECATED_STRICT)
    for type in sorted(found):
        if type == nb.NDA_LLADDR:
            if found[type][1] - found[type][0] != ETH_ALEN:
                raise refuse(request, EINVAL, "Invalid address in fdb get request")
        elif type == nb.NDA_VLAN:
            _check_vlan(request, found)
        elif type not in (nb.NDA_MASTER, nb.NDA_VNI):
            raise refuse(request, EINVAL, "Unsupported attribute in fdb get request")
    return found


def _check_vlan(request: Request, found: Found) -> None:
    """Raise EINVAL if NDA_VLAN is not a valid VLAN id (`fdb_vid_parse()`)."""
    first, last = found[nb.NDA_VLAN]
    if last - first != U16.size:
        raise refuse(request, EINVAL, "invalid vlan attribute size")
    if not 0 < U16.unpack_from(request.data, first)[0] < VLAN_VID_MASK:
        raise refuse(request, EINVAL, "invalid vlan id")


class ForwardingEntries:
    """Handlers of the neighbour messages of family AF_BRIDGE, which describe forwarding entries."""

    def __init__(self, devices: NetDevices, unmodelled: Callable[[str, int], Exception]) -> None:
        self._devices = devices
        self._unmodelled = unmodelled
        self._promiscuous: set[NetDevice] = set()
        devices.subscribe(self._on_event)

    def _on_event(self, event: Event, device: NetDevice, info: object) -> None:
        """Delete a device's secondary addresses when the device is unregistered. Before a device with
        secondary addresses comes up, make it promiscuous.

        Sources: `dev_uc_flush()` for UNREGISTER, `dev_set_rx_mode()` in `__dev_open()` for PRE_UP.
        """
        if event is Event.UNREGISTER:
            UNICAST.drop(device)
            self._promiscuous.discard(device)
        elif event is Event.PRE_UP:
            self._filter(device)

    def _filter(self, device: NetDevice) -> None:
        """Make a device promiscuous while it has secondary addresses (`__dev_set_rx_mode()`)."""
        wanted_now = bool(UNICAST.get(device))
        if wanted_now != (device in self._promiscuous):
            (self._promiscuous.add if wanted_now else self._promiscuous.discard)(device)
            self._devices.count_promiscuity(device, 1 if wanted_now else -1)

    def get(self, request: Request) -> None:
        """Handle a request for one forwarding entry (`rtnl_fdb_get()`).

        Raises EINVAL, ENODEV, or EOPNOTSUPP if the device is not a bridge.
        """
        found = _parse_get(request)
        head, devices = header(request), request.net.devices
        if nb.NDA_LLADDR not in found:
            raise refuse(request, EINVAL, "Missing lookup address for fdb get request")
        if head.index and head.index not in devices:
            raise refuse(request, ENODEV, "Unknown device ifindex")
        master = number(request, found, nb.NDA_MASTER)
        if master:
            if head.index:
                raise refuse(request, EINVAL, "Master and device are mutually exclusive")
            if master not in devices:
                raise refuse(request, EINVAL, "Invalid master ifindex")
        for index in (head.index, master):
            if index and (devices[index].master is not None or devices[index].ops.add_slave is not None):
                raise self._unmodelled(
                    "an entry of a bridge's forwarding database is not modelled", EOPNOTSUPP
                )
        if head.index and (not head.flags or head.flags & nb.NTF_MASTER):
            raise refuse(request, EINVAL, "Device is not a bridge port")
        if not master and not head.index:
            raise refuse(request, ENODEV, "No device specified")
        raise refuse(request, EOPNOTSUPP, "Fdb get operation not supported by device")

    def add(self, request: Request) -> None:
        """Add a secondary address to a device (`rtnl_fdb_add()`, `ndo_dflt_fdb_add()`)."""
        found = attributes(request, NdMsg.SIZE, ANY_NEIGHBOUR, LIBERAL)
        device = _device(request)
        address = _address(request, found)
        if device.type != ARPHRD_ETHER:
            raise refuse(request, EINVAL, "FDB add only supported for Ethernet devices")
        head = self._check(request, found, device)
        if head.state and not head.state & nb.NUD_PERMANENT:
            raise os_error(EINVAL)
        if nb.NDA_FLAGS_EXT in found or nb.NDA_VLAN in found:
            raise os_error(EINVAL)
        self._refuse_group(address)
        addresses = UNICAST.of(device)
        if address in addresses and request.flags & NLM_F_EXCL:
            raise os_error(EEXIST)
        addresses.setdefault(address, 1)
        if device.is_up:
            self._filter(device)
        self._notify(device, address, head.state, RTM_NEWNEIGH)

    def delete(self, request: Request) -> None:
        """Delete a secondary address of a device (`rtnl_fdb_del()`, `ndo_dflt_fdb_del()`).

        A request with NLM_F_BULK needs no address.
        """
        bulk = bool(request.flags & NLM_F_BULK)
        found = attributes(request, NdMsg.SIZE, ANY_NEIGHBOUR, DEPRECATED_STRICT if bulk else LIBERAL)
        device = _device(request)
        address = b"" if bulk else _address(request, found)
        if not bulk and nb.NDA_VLAN in found:
            _check_vlan(request, found)
        if device.type != ARPHRD_ETHER:
            raise refuse(request, EINVAL, "FDB delete only supported for Ethernet devices")
        if bulk:
            raise self._unmodelled(
                "deleting all entries of a forwarding database (NLM_F_BULK) is not modelled", EOPNOTSUPP
            )
        head = self._check(request, found, device)
        if not head.state & nb.NUD_PERMANENT:
            raise os_error(EINVAL)
        self._refuse_group(address)
        if UNICAST.of(device).pop(address, None) is None:
            raise os_error(ENOENT)
        if device.is_up:
            self._filter(device)
        self._notify(device, address, head.state, RTM_DELNEIGH)

    def _check(self, request: Request, found: Found, device: NetDevice) -> NdMsg:
        """Check a request about a device's secondary addresses, and return its header. Raises EOPNOTSUPP if
        the header lacks NTF_SELF.
        """
        if nb.NDA_VLAN in found:
            _check_vlan(request, found)
        head = header(request)
        bridge = device.ops.add_slave is not None
        if bridge or (device.master is not None and (not head.flags or head.flags & nb.NTF_MASTER)):
            raise self._unmodelled("an entry of a bridge's forwarding database is not modelled", EOPNOTSUPP)
        if not head.flags & nb.NTF_SELF:
            raise os_error(EOPNOTSUPP)
        return head

    def _refuse_group(self, address: bytes) -> None:
        if address[0] & 1:
            raise self._unmodelled("a multicast address of a network device is not modelled", EOPNOTSUPP)

    @staticmethod
    def _notify(device: NetDevice, address: bytes, state: int, type: int) -> None:
        """Notify RTNLGRP_NEIGH of an added or deleted secondary address (`rtnl_fdb_notify()`)."""
        if wanted(device.net, RTNLGRP_NEIGH):
            notify(device.net, RTNLGRP_NEIGH, message(type, _fill(device, address, state)))


def _device(request: Request) -> NetDevice:
    index = header(request).index
    if not index:
        raise refuse(request, EINVAL, "invalid ifindex")
    if index not in request.net.devices:
        raise refuse(request, ENODEV, "unknown ifindex")
    return request.net.devices[index]


def _address(request: Request, found: Found) -> bytes:
    first, last = found.get(nb.NDA_LLADDR, (0, 0))
    if last - first != ETH_ALEN:
        raise refuse(request, EINVAL, "invalid address")
    return bytes(request.data[first:last])
