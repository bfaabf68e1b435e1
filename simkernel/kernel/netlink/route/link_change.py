"""Handlers of RTM_NEWLINK, RTM_SETLINK, RTM_DELLINK and of link properties (net/core/rtnetlink.c)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import attrs

from simkernel.kernel.net.device import (
    MAX_GSO_SIZE,
    AddressOrigin,
    Event,
    LinkOps,
    NameOrigin,
    NetDevice,
    NewLink,
)
from simkernel.kernel.net.devices import NetDevices, check_mtu
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.net.nsfs import net_by_fd
from simkernel.kernel.netlink import policy
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import Found, validator
from simkernel.kernel.netlink.route.link_get import one_namespace
from simkernel.kernel.netlink.route.link_kinds import LinkKinds
from simkernel.kernel.netlink.route.link_policy import LINK_POLICY
from simkernel.kernel.netlink.route.link_request import LinkRequest, PeerRequest, Place, text
from simkernel.kernel.netlink.route.parse import refuse
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import (
    EAFNOSUPPORT,
    EEXIST,
    EINVAL,
    ENODEV,
    ENOENT,
    EOPNOTSUPP,
    EPERM,
    os_error,
)
from simkernel.uapi.netlink import NLA_HDRLEN, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from simkernel.uapi.rtnetlink import IfInfoMsg
from simkernel.uapi.socket import AF_INET, AF_INET6

MODIFIED: Final = 1
NOTIFY: Final = 3
"""Effects of a change to a link (DO_SETLINK_*). MODIFIED means that the change modified the link. NOTIFY
means in addition that the kernel must send a notification after the last change of the request.
"""
MAX_QUEUES: Final = 4096
GRO_MAX_SIZE: Final = 8 * 65535

_NAMESPACES: Final = (il.IFLA_TARGET_NETNSID, il.IFLA_NET_NS_PID, il.IFLA_NET_NS_FD)
_SIZES: Final = {
    il.IFLA_GSO_MAX_SIZE: "gso_max_size",
    il.IFLA_GSO_MAX_SEGS: "gso_max_segs",
    il.IFLA_GRO_MAX_SIZE: "gro_max_size",
    il.IFLA_GSO_IPV4_MAX_SIZE: "gso_ipv4_max_size",
    il.IFLA_GRO_IPV4_MAX_SIZE: "gro_ipv4_max_size",
}
"""Name of the `NetDevice` field that stores an offloading limit, by attribute type of the limit."""
_OF_IPV4: Final = {
    il.IFLA_GSO_MAX_SIZE: il.IFLA_GSO_IPV4_MAX_SIZE,
    il.IFLA_GRO_MAX_SIZE: il.IFLA_GRO_IPV4_MAX_SIZE,
}
_HARDWARE: Final = (il.IFLA_VF_PORTS, il.IFLA_PORT_SELF)
"""Attributes that are supported only by hardware drivers."""
_UNMODELLED: Final = (il.IFLA_VFINFO_LIST, il.IFLA_PROTO_DOWN_REASON, il.IFLA_XDP)


@attrs.frozen
class LinkChanges:
    """Handlers of requests that create, change and delete links."""

    devices: NetDevices
    kinds: LinkKinds
    request_module: Callable[[str], Any]
    set_family: Callable[[int, NetDevice, LinkRequest, Place, bool], None]
    """Function that handles the settings of one family in IFLA_AF_SPEC. If its last argument is True, the
    function only checks the settings. Otherwise, it applies them.
    """
    unmodelled: Callable[[str, int], Exception]
    warn: Callable[[str], object]

    # -- requests -------------------------------------------------------------------

    def delete(self, request: Request) -> None:
        """Delete a link or a group of links (`rtnl_dellink()`). Raise ENODEV if the link does not exist,
        EOPNOTSUPP if it has no kind (for example `lo`), and EPERM for group 0.
        """
        link = LinkRequest(request)
        link.parse(policy.LIBERAL)
        one_namespace(link)
        net = link.namespace()
        if link.header.index <= 0 and not link.is_named and il.IFLA_GROUP in link:
            self._delete_group(net, link.number(il.IFLA_GROUP), request)
        else:
            self.devices.delete(link.device(net), request)

    def _delete_group(self, net: Net, group: int, request: Request) -> None:
        """Delete all links of a group (`rtnl_group_dellink()`)."""
        if not group:
            raise os_error(EPERM)
        members = [device for device in net.devices.values() if device.group == group]
        if not members:
            raise os_error(ENODEV)
        if any(device.link_ops is None for device in members):
            raise os_error(EOPNOTSUPP)
        doomed: list[NetDevice] = []
        for device in members:
            if device not in doomed:
                self.devices.queue_delete(device, doomed)
        self.devices.unregister(doomed)

    def set(self, request: Request) -> None:
        """Change an existing link (`rtnl_setlink()`)."""
        link = LinkRequest(request)
        link.parse(policy.LIBERAL)
        _unique_namespace(link)
        self._target(link)
        self._change(link.device(request.net), link)

    def new(self, request: Request) -> Awaitable[None] | None:
        """Change the link that the request names, or create one if it does not exist (`rtnl_newlink()`)."""
        return self._new(request, load=True)

    async def _load(self, request: Request, loading: Awaitable[Any]) -> None:
        await loading
        self._new(request, load=False)

    def _new(self, request: Request, *, load: bool) -> Awaitable[None] | None:
        link = LinkRequest(request)
        link.parse(policy.LIBERAL)
        _unique_namespace(link)
        info = link.link_info()
        kind = text(link.payloads(info).get(il.IFLA_INFO_KIND, b""))
        ops = self.kinds.get(kind)
        if kind and ops is None and load:
            loading = self.request_module(f"rtnl-link-{kind}")
            if isinstance(loading, Awaitable):
                return self._load(request, loading)
        data, found = None, Found()
        if ops is not None:
            if ops.policy is not None and il.IFLA_INFO_DATA in info:
                found = link.nest(info[il.IFLA_INFO_DATA], ops.policy)
                data = link.payloads(found)
            if ops.validate is not None:
                ops.validate(link.tb, data, request.extack)
        peer = peer_net = None
        if ops is not None and ops.peer_type:  # `rtnl_get_peer_net()`
            if ops.peer_type in found:
                peer = PeerRequest(request, found[ops.peer_type])
                if ops.validate is not None:
                    ops.validate(peer.tb, None, request.extack)
            described_by = link if peer is None else peer
            if any(type in described_by for type in _NAMESPACES[1:]):
                peer_net = self._target(described_by)
        target = self._target(link)
        link_net = self._link_net(link, target)
        if link.header.index < 0:
            raise refuse(request, EINVAL, "ifindex can't be negative")
        named = link.header.index > 0 or link.is_named
        only_new = request.flags & NLM_F_CREATE and request.flags & NLM_F_EXCL
        device = None
        with suppress(OSError):
            device = link.device(target if only_new else request.net)
        if device is not None:
            self._change_existing(device, link, info, ops, data)
        elif not request.flags & NLM_F_CREATE:
            if named or il.IFLA_GROUP not in link:
                raise os_error(ENODEV)
            # change all links of the group (`rtnl_group_changelink()`)
            for each in tuple(request.net.devices.values()):
                if each.group == link.number(il.IFLA_GROUP):
                    self._change(each, link)
        else:
            if il.IFLA_MAP in link or il.IFLA_PROTINFO in link:
                raise os_error(EOPNOTSUPP)
            if ops is None:
                raise refuse(request, EOPNOTSUPP, "Unknown device type")
            self._create(link, ops, data, target, link_net, peer, peer_net)
        return None

    def properties(self, request: Request) -> None:
        """Add or remove alternative names of a link (RTM_NEWLINKPROP, RTM_DELLINKPROP, `rtnl_linkprop()`)."""
        link = LinkRequest(request)
        link.parse(policy.STRICT)
        one_namespace(link)
        device = link.device(request.net)
        changed: bool = False
        for type, first, last in link.located(il.IFLA_PROP_LIST):
            if type == il.IFLA_ALT_IFNAME:
                validator(LINK_POLICY, policy.STRICT).parse(request, first - NLA_HDRLEN, last)
                name = text(request.data[first:last])
                if request.type == rt.RTM_NEWLINKPROP:
                    if request.net.device_named(name) is not None:
                        raise os_error(EEXIST)
                    device.altnames.append(name)
                elif name in device.altnames:
                    device.altnames.remove(name)
                else:
                    raise os_error(ENOENT if request.net.device_named(name) is None else EINVAL)
                changed = True
        if changed:
            self.devices.state_change(device)

    # -- parts ----------------------------------------------------------------------

    def _change_existing(
        self,
        device: NetDevice,
        link: LinkRequest,
        info: Found,
        ops: LinkOps | None,
        data: dict[int, bytes] | None,
    ) -> None:
        """Change an existing link (part of `__rtnl_newlink()`). Raise EEXIST for NLM_F_EXCL. Raise EOPNOTSUPP
        for NLM_F_REPLACE, and for settings that the kind of the link or of its master cannot change.
        """
        request = link.request
        master = device.master
        master_ops = None if master is None else master.link_ops
        slave_data: dict[int, bytes] = {}
        if master_ops is not None and master_ops.slave_policy is not None and il.IFLA_INFO_SLAVE_DATA in info:
            slave_data = link.payloads(link.nest(info[il.IFLA_INFO_SLAVE_DATA], master_ops.slave_policy))
        if request.flags & NLM_F_EXCL:
            raise os_error(EEXIST)
        if request.flags & NLM_F_REPLACE:
            raise os_error(EOPNOTSUPP)
        status = 0
        if il.IFLA_INFO_DATA in info:
            if ops is None or ops is not device.link_ops or ops.changelink is None:
                raise os_error(EOPNOTSUPP)
            ops.changelink(device, link.tb, data or {}, request.extack)
            status = NOTIFY
        if il.IFLA_INFO_SLAVE_DATA in info:
            if master is None or master_ops is None or master_ops.slave_changelink is None:
                raise os_error(EOPNOTSUPP)
            master_ops.slave_changelink(master, device, slave_data, request.extack)
            status = NOTIFY
        self._change(device, link, status)

    def make(self, net: Net, name: str, origin: NameOrigin, ops: LinkOps, link: LinkRequest) -> NetDevice:
        """Create a device without registering it (`rtnl_create_link()`). Raise EINVAL if an attribute is
        invalid, and EAFNOSUPPORT if IFLA_AF_SPEC contains settings.
        """
        request = link.request
        queues = [
            link.number(type) if type in link else 1
            for type in (il.IFLA_NUM_TX_QUEUES, il.IFLA_NUM_RX_QUEUES)
        ]
        for count, direction in zip(queues, ("transmit", "receive"), strict=True):
            if not 1 <= count <= MAX_QUEUES:
                raise refuse(request, EINVAL, f"Invalid number of {direction} queues")
        device = NetDevice(net, name, link_ops=ops, name_origin=origin, initializing=True)
        device.num_tx_queues, device.num_rx_queues = queues
        ops.setup(device)
        self._validate(device, link)
        if il.IFLA_MTU in link:
            check_mtu(device, link.number(il.IFLA_MTU), request.extack)
            device.mtu = link.number(il.IFLA_MTU)
        if il.IFLA_ADDRESS in link:
            device.address = link.tb[il.IFLA_ADDRESS][: len(device.address)]
            device.address_origin = AddressOrigin.SET
        if il.IFLA_BROADCAST in link:
            device.broadcast = link.tb[il.IFLA_BROADCAST][: len(device.broadcast)]
        if il.IFLA_TXQLEN in link:
            device.tx_queue_len = link.number(il.IFLA_TXQLEN)
        if il.IFLA_OPERSTATE in link:
            self._set_operstate(device, link.tb[il.IFLA_OPERSTATE][0])
        if il.IFLA_LINKMODE in link:
            device.link_mode = link.tb[il.IFLA_LINKMODE][0]
        if il.IFLA_GROUP in link:
            device.group = link.number(il.IFLA_GROUP)
        for type in _SIZES:
            if type in link:
                _set_size(device, type, link.number(type))
        return device

    def make_peer(self, new: NewLink, ops: LinkOps) -> NetDevice:
        """Create the peer of a new link, but do not register the peer."""
        described = new.link if new.peer is None else new.peer
        named = new.peer is not None and il.IFLA_IFNAME in described
        name = described.name if named else f"{ops.kind}%d"
        origin = NameOrigin.USER if named else NameOrigin.ENUM
        peer = self.make(new.peer_net, name, origin, ops, described)
        if new.peer is not None and new.device.index:
            peer.index = described.header.index
        return peer

    def configure_peer(self, new: NewLink, peer: NetDevice) -> None:
        """Set the flags of the peer of a new link, and announce the peer to RTNLGRP_LINK."""
        header = IfInfoMsg() if new.peer is None else new.peer.header
        self.devices.configure(peer, header.flags, header.change)

    def _create(
        self,
        link: LinkRequest,
        ops: LinkOps,
        data: dict[int, bytes] | None,
        target: Net,
        link_net: Net | None,
        peer: PeerRequest | None,
        peer_net: Net | None,
    ) -> None:
        """Create and register a link (`rtnl_newlink_create()`). If a step after the registration fails,
        delete the link.
        """
        request, header = link.request, link.header
        named = il.IFLA_IFNAME in link
        name = link.name if named else f"{ops.kind}%d"
        origin = NameOrigin.USER if named else NameOrigin.ENUM
        device = self.make(target, name, origin, ops, link)
        device.index = header.index
        new = NewLink(device, link.tb, data, link, peer, peer_net or link_net or request.net, request.extack)
        if ops.newlink is not None:
            ops.newlink(new)
        else:
            self.devices.register(device)
        try:
            self.devices.configure(device, header.flags, header.change, request)
            if il.IFLA_MASTER in link:
                self.devices.set_master(device, link.number(il.IFLA_MASTER), request.extack)
        except OSError:
            self.devices.delete(device)
            raise

    def _change(self, device: NetDevice, link: LinkRequest, status: int = 0) -> None:
        """Apply the changes of a request, in Linux's order (`do_setlink()`).

        An invalid request changes nothing. If a later change fails, the earlier ones remain and are
        notified.
        """
        self._validate(device, link)
        try:
            for effect in self._changes(device, link):
                status |= effect
        except OSError:
            if status & MODIFIED:
                self.warn(
                    "A link change request failed with some changes committed already. Interface "
                    f"{device.name} may have been left with an inconsistent configuration, please check."
                )
            raise
        finally:
            if status & NOTIFY == NOTIFY:
                self.devices.state_change(device)

    def _changes(self, device: NetDevice, link: LinkRequest) -> Iterator[int]:
        """Apply the requested changes one after the other. Yield the effect of each change (MODIFIED or
        NOTIFY).
        """
        devices, header, request, tb = self.devices, link.header, link.request, link.tb
        target = self._target(link)
        if target is not device.net:
            index = link.signed(il.IFLA_NEW_IFINDEX) if il.IFLA_NEW_IFINDEX in link else 0
            devices.move(device, target, link.name, index, request.extack)
            yield MODIFIED
        if il.IFLA_MAP in link:
            raise os_error(EOPNOTSUPP)
        if il.IFLA_ADDRESS in link:
            devices.set_address(device, tb[il.IFLA_ADDRESS][: len(device.address)])
            yield MODIFIED
        if il.IFLA_MTU in link:
            devices.set_mtu(device, link.number(il.IFLA_MTU), request.extack)
            yield MODIFIED
        if il.IFLA_GROUP in link:
            device.group = link.number(il.IFLA_GROUP)
            yield NOTIFY
        if header.index > 0 and link.name:
            devices.rename(device, link.name)
            yield MODIFIED
        if il.IFLA_IFALIAS in link:
            device.alias = tb[il.IFLA_IFALIAS].partition(b"\0")[0]
            yield NOTIFY
        if il.IFLA_BROADCAST in link:
            device.broadcast = tb[il.IFLA_BROADCAST][: len(device.broadcast)]
            devices.notify(Event.CHANGEADDR, device)
        if header.flags or header.change:
            devices.change_flags(device, header.flags, header.change)
        if il.IFLA_MASTER in link:
            devices.set_master(device, link.number(il.IFLA_MASTER), request.extack)
            yield MODIFIED
        if il.IFLA_CARRIER in link:
            if device.ops.change_carrier is None:
                raise os_error(EOPNOTSUPP)
            device.ops.change_carrier(device, bool(tb[il.IFLA_CARRIER][0]))
            yield MODIFIED
        if il.IFLA_TXQLEN in link:
            devices.set_tx_queue_len(device, link.number(il.IFLA_TXQLEN))
            yield MODIFIED
        for type, field in _SIZES.items():
            if type in link and getattr(device, field) != link.number(type):
                _set_size(device, type, link.number(type))
                yield MODIFIED
        if il.IFLA_OPERSTATE in link:
            self._set_operstate(device, tb[il.IFLA_OPERSTATE][0])
        if il.IFLA_LINKMODE in link:
            mode = tb[il.IFLA_LINKMODE][0]
            if mode != device.link_mode:
                device.link_mode = mode
                yield NOTIFY
        if any(type in link for type in _UNMODELLED):
            raise self.unmodelled(
                "virtual functions, XDP and reasons for protodown are not modelled", EOPNOTSUPP
            )
        if any(type in link for type in _HARDWARE):
            raise os_error(EOPNOTSUPP)
        for family, place in link.families():
            self.set_family(family, device, link, place, False)
            yield NOTIFY
        if il.IFLA_PROTO_DOWN in link:
            raise refuse(request, EOPNOTSUPP, "Protodown not supported by device")

    def _set_operstate(self, device: NetDevice, state: int) -> None:
        """Set the operational state of a device. Ignore the request if programs are not allowed to make this
        change (`set_operstate()`).

        A program can change DORMANT, TESTING and UNKNOWN to UP, and UP and UNKNOWN to DORMANT or TESTING.
        """
        if state == il.IF_OPER_UP and device.operstate in (
            il.IF_OPER_DORMANT,
            il.IF_OPER_TESTING,
            il.IF_OPER_UNKNOWN,
        ):
            new = il.IF_OPER_UP
        elif state == il.IF_OPER_TESTING and device.oper_up:
            new = il.IF_OPER_TESTING
        elif state == il.IF_OPER_DORMANT and device.oper_up:
            new = il.IF_OPER_DORMANT
        else:
            return
        if device.operstate != new:
            device.operstate = new
            self.devices.state_change(device)

    def _validate(self, device: NetDevice, link: LinkRequest) -> None:
        """Check the attributes of a request (`validate_linkmsg()`). Raise EINVAL if an attribute is invalid,
        and EAFNOSUPPORT for settings of a family that the device does not have.
        """
        request = link.request
        for type in (il.IFLA_ADDRESS, il.IFLA_BROADCAST):
            if type in link and len(link.tb[type]) < len(device.address):
                raise os_error(EINVAL)
        limits = {
            il.IFLA_GSO_MAX_SIZE: device.tso_max_size,
            il.IFLA_GSO_MAX_SEGS: min(device.tso_max_segs, 65535),
            il.IFLA_GRO_MAX_SIZE: GRO_MAX_SIZE,
            il.IFLA_GSO_IPV4_MAX_SIZE: device.tso_max_size,
            il.IFLA_GRO_IPV4_MAX_SIZE: GRO_MAX_SIZE,
        }
        for type, limit in limits.items():
            if link.number(type) > limit:
                raise refuse(request, EINVAL, f"too big {_SIZES[type]}")
        for family, place in link.families():
            if family not in (AF_INET, AF_INET6):
                raise os_error(EAFNOSUPPORT)
            self.set_family(family, device, link, place, True)

    def _target(self, link: LinkRequest) -> Net:
        """Return the namespace that a request selects for a link (`rtnl_link_get_net_capable()`).

        Raises EINVAL, ESRCH if the process does not exist, EBADF.
        """
        request = link.request
        if il.IFLA_NET_NS_PID in link:
            return request.net.namespaces.by_pid(link.number(il.IFLA_NET_NS_PID))
        if il.IFLA_NET_NS_FD in link:
            return net_by_fd(request.task, link.number(il.IFLA_NET_NS_FD))
        return link.namespace()

    def _link_net(self, link: LinkRequest, target: Net) -> Net | None:
        """Return the namespace that IFLA_LINK_NETNSID selects by its id in the namespace `target`, or None if
        the request lacks this attribute. Raise EINVAL for an unknown id.
        """
        if il.IFLA_LINK_NETNSID not in link:
            return None
        net = target.net_by_id(link.signed(il.IFLA_LINK_NETNSID))
        if net is None:
            raise refuse(link.request, EINVAL, "Unknown network namespace id")
        return net


def _set_size(device: NetDevice, type: int, size: int) -> None:
    """Set an offloading limit (`netif_set_gso_max_size()` and similar functions).

    A general attribute sets the limit for IPv4 too. Values above MAX_GSO_SIZE do not, because they exceed
    IPv4's length field.
    """
    setattr(device, _SIZES[type], size)
    if type in _OF_IPV4 and size <= MAX_GSO_SIZE:
        setattr(device, _SIZES[_OF_IPV4[type]], size)


def _unique_namespace(link: LinkRequest) -> None:
    """Raise EINVAL if the request has several namespace attributes (`rtnl_ensure_unique_netns()`)."""
    if sum(type in link for type in _NAMESPACES) > 1:
        raise refuse(link.request, EINVAL, "multiple netns identifying attributes specified")
