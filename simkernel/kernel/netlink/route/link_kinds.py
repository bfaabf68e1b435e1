"""Kinds of links that modules have registered (`rtnl_link_register()`)."""

from __future__ import annotations

from simkernel.kernel.net.device import LinkOps, NetDevice
from simkernel.kernel.net.devices import NetDevices
from simkernel.uapi.errno import EEXIST, os_error


class LinkKinds(dict[str, LinkOps]):
    """The registered kinds of links, by name."""

    def __init__(self, devices: NetDevices) -> None:
        super().__init__()
        self._devices = devices

    def register(self, ops: LinkOps) -> None:
        """Register a kind of link. Raises EEXIST if a kind with this name is already registered."""
        if ops.kind in self:
            raise os_error(EEXIST)
        self[ops.kind] = ops

    def unregister(self, ops: LinkOps) -> None:
        """Unregister a kind of link, and delete every link of this kind (`__rtnl_link_unregister()`)."""
        for net in self._devices.namespaces:
            doomed: list[NetDevice] = []
            for device in tuple(net.devices.values()):
                if device.link_ops is ops and device not in doomed:
                    self._devices.queue_delete(device, doomed)
            self._devices.unregister(doomed)
        del self[ops.kind]
