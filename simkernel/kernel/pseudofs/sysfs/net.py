"""/sys/class/net and /sys/devices/virtual/net: network devices (net/core/net-sysfs.c).

Linux shows the devices of the namespace in which /sys was mounted, here the initial one.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from simkernel.kernel.lib.known import read_table
from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.sysfs.entry import Attribute, Contents, Folder, Link
from simkernel.uapi.errno import EINVAL, EOPNOTSUPP, os_error

TABLE: Final = Path(__file__).with_name("net_device.txt")


def links(kernel: KernelParts) -> Contents:
    """Yield the links in /sys/class/net."""
    for device in kernel.namespaces.init.devices.values():
        yield device.name, Link(f"/devices/virtual/net/{device.name}")


def devices(kernel: KernelParts) -> Contents:
    """Yield the folders in /sys/devices/virtual/net."""
    for device in kernel.namespaces.init.devices.values():
        yield device.name, Folder(partial(_device, kernel, device))


def _device(kernel: KernelParts, device: NetDevice) -> Contents:
    def store(data: bytes) -> None:
        raise kernel.unmodelled("changing a network device by a file in /sys", EOPNOTSUPP)

    for section, name, *words in read_table(TABLE):
        if not section:
            yield name, Attribute(partial(_show, "".join(words[1:]), device), store, mode=int(words[0], 8))
    counters = [name for section, *names in read_table(TABLE) if section for name in names]
    yield "statistics", Folder(lambda: ((name, Attribute(lambda: "0\n")) for name in counters))
    yield "subsystem", Link("/class/net")


def _show(text: str, device: NetDevice) -> str:
    if text == "EINVAL":
        raise os_error(EINVAL)
    address, broadcast = device.address.hex(":"), bytes(len(device.address)).hex(":")
    shown = text.format(device=device, address=address, broadcast=broadcast, addr_len=len(device.address))
    return shown.replace("\\n", "\n") + "\n" * bool(shown)
