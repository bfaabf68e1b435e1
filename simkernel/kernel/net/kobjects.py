"""Uevents of network devices and their queues (net/core/net-sysfs.c)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.vfs.task import NetNamespace


class Send(Protocol):
    """Function that sends a uevent to the listeners in the namespace `net`, or to all listeners if `net` is
    None (`Uevents.send`).
    """

    def __call__(
        self,
        action: str,
        devpath: str,
        subsystem: str,
        environment: Mapping[str, str] | None = None,
        net: NetNamespace | None = None,
    ) -> None: ...


def devpath(name: str) -> str:
    """Return the path of a network device below /sys."""
    return f"/devices/virtual/net/{name}"


def environment(device: NetDevice) -> dict[str, str]:
    """Return the environment variables of a device's uevents (`netdev_uevent()`)."""
    kind = {"DEVTYPE": device.devtype} if device.devtype else {}
    return {**kind, "INTERFACE": device.name, "IFINDEX": str(device.index)}


class NetKobjects:
    """Sends uevents of network devices. Only listeners in the device's namespace receive them."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def add(self, device: NetDevice) -> None:
        """Send uevents for a new device and its queues (`netdev_register_kobject()`)."""
        self.uevent("add", device)
        self._queues("add", device, 1)

    def remove(self, device: NetDevice) -> None:
        """Send uevents for the removal of a device and its queues (`netdev_unregister_kobject()`)."""
        self._queues("remove", device, -1)
        self.uevent("remove", device)

    def rename(self, device: NetDevice, old: str) -> None:
        """Send a uevent for a renamed device (`device_rename()`)."""
        self.uevent("move", device, {"DEVPATH_OLD": devpath(old)})

    def uevent(self, action: str, device: NetDevice, extra: Mapping[str, str] | None = None) -> None:
        """Send a uevent of a device. The variables in `extra` precede those of the device."""
        self._send(action, devpath(device.name), "net", {**(extra or {}), **environment(device)}, device.net)

    def _queues(self, action: str, device: NetDevice, step: int) -> None:
        for kind, count in (("rx", device.num_rx_queues), ("tx", device.num_tx_queues)):
            for number in range(count)[::step]:
                path = f"{devpath(device.name)}/queues/{kind}-{number}"
                self._send(action, path, "queues", None, device.net)
