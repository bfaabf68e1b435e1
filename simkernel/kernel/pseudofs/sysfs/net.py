"""/sys/class/net and /sys/devices/virtual/net: network devices (net/core/net-sysfs.c).

Linux shows the devices of the namespace in which /sys was mounted. Here this is the initial namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from simkernel.kernel.lib.known import read_table
from simkernel.kernel.lib.kstrtox import kstrtoul
from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.net.kobjects import devpath, environment
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.sysfs.entry import Attribute, Contents, Folder, Link, Node
from simkernel.kernel.pseudofs.sysfs.uevent import synthesize
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.errno import EINVAL, ENOENT, EOPNOTSUPP, EPERM, os_error

TABLE: Final = Path(__file__).with_name("net_device.txt")
IFALIASZ: Final = 256
OPERSTATES: Final = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")
CONDITIONS: Final[Mapping[str, tuple[Callable[[NetDevice], Any], int]]] = {
    "running": (lambda device: device.running, EINVAL),
    "settings": (lambda device: device.running and device.ops.link_settings, EINVAL),
    "multiqueue": (lambda device: device.num_tx_queues > 1, ENOENT),
}
"""Conditions under which a file of a network device can be read. The key is the name of the condition in
net_device.txt, the table of these files. The value is a function that checks the device, and the errno that a
read raises if the check fails.
"""


def _set_carrier(devices: NetDevices, device: NetDevice, on: int) -> None:
    """Set the carrier of a running device (`change_carrier()`). Raise EINVAL if the device is down."""
    if not device.running:
        raise os_error(EINVAL)
    assert device.ops.change_carrier is not None
    device.ops.change_carrier(device, bool(on))


def _set_group(devices: NetDevices, device: NetDevice, group: int) -> None:
    device.group = group & 0xFFFFFFFF


def _refuse(devices: NetDevices, device: NetDevice, value: int) -> None:
    """Refuse an operation with EOPNOTSUPP, because no driver implements it."""
    raise os_error(EOPNOTSUPP)


STORES: Final[Mapping[str, Callable[[NetDevices, NetDevice, int], None]]] = {
    "carrier": _set_carrier,
    "flags": lambda devices, device, flags: devices.change_flags(device, flags & 0xFFFFFFFF),
    "mtu": lambda devices, device, mtu: devices.set_mtu(device, _signed(mtu)),
    "netdev_group": _set_group,
    "proto_down": _refuse,
    "threaded": _refuse,
    "tx_queue_len": NetDevices.set_tx_queue_len,
}
"""For each numeric file of a network device, the function that sets its value (`netdev_store()`)."""


def links(kernel: KernelParts) -> Contents:
    """Yield the links in /sys/class/net."""
    for device in kernel.namespaces.init.devices.values():
        yield device.name, Link(devpath(device.name))


def devices(kernel: KernelParts) -> Contents:
    """Yield the directories in /sys/devices/virtual/net."""
    for device in kernel.namespaces.init.devices.values():
        yield device.name, Folder(partial(_device, kernel, device))


def _device(kernel: KernelParts, device: NetDevice) -> Contents:
    yield from _files(kernel, device, [])
    for master in [device.master] if device.master is not None else []:
        yield "master", Link(devpath(master.name))
        yield f"upper_{master.name}", Link(devpath(master.name))
    for lower in device.lowers:
        yield f"lower_{lower.name}", Link(devpath(lower.name))
    counters = [name for section, *names in read_table(TABLE) if section == ["statistics"] for name in names]
    yield "statistics", Folder(lambda: ((name, Attribute(lambda: "0\n")) for name in counters))
    yield "queues", Folder(lambda: _queues(kernel, device))
    yield "subsystem", Link("/class/net")


def _queues(kernel: KernelParts, device: NetDevice) -> Contents:
    for kind, count in (("rx", device.num_rx_queues), ("tx", device.num_tx_queues)):
        for number in range(count):
            yield f"{kind}-{number}", Folder(partial(_files, kernel, device, [kind]))


def _files(kernel: KernelParts, device: NetDevice, wanted: list[str]) -> Iterator[tuple[str, Node]]:
    """Yield the files of a network device or of one of its queues, as the table net_device.txt lists them.
    `wanted` is the section of the table: `[]` for a device, `["rx"]` or `["tx"]` for a queue.
    """
    for section, name, *words in read_table(TABLE):
        if section == wanted:
            show, store = partial(_show, device, words[1:]), partial(_store, kernel, device, name)
            yield name, Attribute(show, store, mode=int(words[0], 8), alive=lambda: device.registered)


def _show(device: NetDevice, words: list[str]) -> str:
    for word in words[:-1]:
        holds, error = CONDITIONS[word]
        if not holds(device):
            raise os_error(error)
    shown = "".join(words[-1:]).format(device=device, **_values(device))
    return shown + "\n" * bool(shown)


def _values(device: NetDevice) -> dict[str, object]:
    """Return a value for each placeholder such as {speed} in net_device.txt, the table of a network device's
    files. Placeholders such as {device.index} are not included, because they name fields of the device.
    """
    speed, duplex = (0, "") if device.ops.link_settings is None else device.ops.link_settings(device)
    return {
        "address": device.address.hex(":"),
        "addr_len": len(device.address),
        "alias": device.alias.decode("utf-8", "surrogateescape"),
        "broadcast": device.broadcast.hex(":"),
        "carrier_changes": device.carrier_up_count + device.carrier_down_count,
        "duplex": duplex,
        "group": _signed(device.group),
        "operstate": OPERSTATES[device.operstate if device.running else OPERSTATES.index("down")],
        "speed": speed,
        "tx_queue_len": _signed(device.tx_queue_len),
        "uevent": "\n".join(f"{key}={text}" for key, text in environment(device).items()),
    }


def _store(kernel: KernelParts, device: NetDevice, name: str, data: bytes) -> None:
    """Store the `data` that a program wrote to the file `name` of a device (`netdev_store()`).

    Raises EPERM without CAP_NET_ADMIN, EINVAL or ERANGE for an invalid number.
    """
    devices = kernel.net_devices
    if name == "uevent":
        synthesize(data, lambda action, extra: devices.kobjects.uevent(action, device, extra))
        return
    if name == "carrier" and device.ops.change_carrier is None:
        raise os_error(EOPNOTSUPP)
    task = kernel.current()
    if task is not None and not task.credentials.capable(CAP_NET_ADMIN):
        raise os_error(EPERM)
    if name == "ifalias":
        _set_alias(devices, device, data.removesuffix(b"\n"))
    elif name in STORES:
        STORES[name](devices, device, kstrtoul(data))
    else:
        raise kernel.unmodelled(
            f"changing {name} of a network device through its file in /sys is not modelled", EOPNOTSUPP
        )


def _set_alias(devices: NetDevices, device: NetDevice, alias: bytes) -> None:
    """Set the alias of a device (`ifalias_store()`). Raise EINVAL if the alias is too long."""
    if len(alias) >= IFALIASZ:
        raise os_error(EINVAL)
    device.alias = alias.split(b"\0")[0]
    devices.state_change(device)


def _signed(value: int) -> int:
    """Return the low 32 bits of `value` as a signed integer."""
    return (value + 2**31) % 2**32 - 2**31
