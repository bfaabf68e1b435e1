"""include/net/rtnetlink.h: kinds of links (such as veth) that a module implements.

ops = rtnl_link_register(this, LinkOps(kind="dummy", setup=setup, validate=validate))
rtnl_link_unregister(this, ops)                       # removes every link of the kind
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any

import attrs

from simkernel.driverapi.context import kernel_of, module_of
from simkernel.driverapi.netdevice import under_rtnl
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.net.device import Attributes as Attributes
from simkernel.kernel.net.device import LinkOps as LinkOps
from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.net.device import NewLink as NewLink
from simkernel.kernel.netlink.route.notify import notify
from simkernel.uapi.netlink import attribute
from simkernel.ynl.policy import AttributePolicy as AttributePolicy
from simkernel.ynl.policy import NlaType as NlaType
from simkernel.ynl.policy import PolicyTable as PolicyTable
from simkernel.ynl.policy import Validation as Validation

_CALLS = [
    "setup",
    "validate",
    "newlink",
    "changelink",
    "dellink",
    "fill_info",
    "link_net",
    "slave_changelink",
    "fill_slave_info",
]


def rtnl_link_register(this: ThisModule, ops: LinkOps) -> LinkOps:
    """Register a kind of link and return the registered operations. Raises EEXIST if the kind exists."""
    kernel, module = kernel_of(this), module_of(this)
    kernel.resources.allocate(module, "link kind")
    wrapped: dict[str, Any] = {
        name: under_rtnl(this, f"{ops.kind} {name}", call)
        for name in _CALLS
        if (call := getattr(ops, name)) is not None
    }
    registered: LinkOps = attrs.evolve(ops, module=module, **wrapped)
    kinds = kernel.rtnetlink.kinds
    kinds.register(registered)
    kernel.resources.add(module, "link kind", ops.kind, lambda: kinds.unregister(registered))
    return registered


def rtnl_link_unregister(this: ThisModule, ops: LinkOps) -> None:
    """Unregister a kind of link, and delete every link of the kind."""
    kernel, module = kernel_of(this), module_of(this)
    for resource in kernel.resources.of(module):
        if resource.kind == "link kind" and resource.name == ops.kind:
            kernel.resources.remove(resource)
    kernel.rtnetlink.kinds.unregister(ops)


def rtnl_create_peer(this: ThisModule, new: NewLink, ops: LinkOps) -> NetDevice:
    """Create the peer of a new link, for example of a veth link. The request for the new link describes the
    peer (`rtnl_create_link()`). Raise EINVAL if the description is invalid.
    """
    return kernel_of(this).rtnetlink.changes.make_peer(new, ops)


def rtnl_configure_peer(this: ThisModule, new: NewLink, peer: NetDevice) -> None:
    """Set the flags of the new link's peer and announce the peer by RTM_NEWLINK (`rtnl_configure_link()`)."""
    kernel_of(this).rtnetlink.changes.configure_peer(new, peer)


def pack_numbers(rows: Mapping[int, tuple[Struct, int]]) -> bytes:
    """Encode numeric attributes. `rows` maps each attribute type to its layout and value."""
    return b"".join(attribute(type, layout.pack(value)) for type, (layout, value) in rows.items())


def rtnl_notify(this: ThisModule, device: NetDevice, group: int, data: bytes) -> None:
    """Send a message to a group of NETLINK_ROUTE in the namespace of `device`."""
    notify(device.net, group, data)
