"""/sys/devices: a directory for each device with its attributes (drivers/base/core.c)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain

from simkernel.kernel.device.attribute import DeviceAttribute
from simkernel.kernel.device.device import BusType, Class, Device
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.sysfs import net
from simkernel.kernel.pseudofs.sysfs.entry import Attribute, Contents, Folder, Link, Node
from simkernel.kernel.pseudofs.sysfs.uevent import synthesize


def contents(kernel: KernelParts) -> Contents:
    """Yield the directories of the devices without a parent. If such a device has a class, its directory is
    `virtual/CLASS/NAME`.
    """
    roots = [device for device in kernel.devices if device.parent is None]
    for device in roots:
        if device.kind is None:
            yield device.name, folder(kernel, device)
    network = [("net", Folder(lambda: net.devices(kernel)))]
    virtual = [device for device in roots if device.kind is not None]
    yield "virtual", Folder(lambda: chain(_by_class(kernel, virtual), network))


def _by_class(kernel: KernelParts, devices: list[Device]) -> Contents:
    """Yield a directory for each class that occurs among `devices`. It contains the directories of the
    devices of this class (`class_dir_create_and_add()`).
    """
    kinds: dict[Class, list[Device]] = {}
    for device in devices:
        if device.kind is not None:
            kinds.setdefault(device.kind, []).append(device)
    for kind, members in kinds.items():
        nodes = [(device.name, folder(kernel, device)) for device in members]
        yield kind.name, Folder(partial(iter, nodes))


def folder(kernel: KernelParts, device: Device) -> Folder:
    """Return the sysfs directory of a device."""
    return Folder(partial(_device, kernel, device))


def _device(kernel: KernelParts, device: Device) -> Contents:
    if not device.registered:
        return
    attribute = partial(Attribute, alive=lambda: device.registered)
    if device.subsystem:
        yield "uevent", attribute(
            lambda: "".join(f"{key}={text}\n" for key, text in device.uevent_environment().items()),
            lambda data: synthesize(data, lambda action, extra: kernel.devices.binding.send(
                action, device, extra
            )),
        )  # fmt: skip
        yield "subsystem", Link(device.bus.devpath if device.bus else f"/class/{device.subsystem}")
    if device.number[0]:
        yield "dev", attribute(lambda: f"{device.number[0]}:{device.number[1]}\n")
    if device.driver is not None:
        yield "driver", Link(device.driver.devpath)
    if device.kind is not None and device.parent is not None:
        yield "device", Link(device.parent.devpath)
    yield from _attributes(kernel, device)
    yield from _children(kernel, device)


def _attributes(kernel: KernelParts, device: Device) -> Contents:
    """Yield the attributes that the bus, the class and the driver of a device define. An attribute with the
    name `GROUP/NAME` is in the subdirectory GROUP.
    """
    if device.bus is not None:
        for name in device.bus.attributes(device):
            yield name, _of_bus(device, device.bus, name)
    groups: dict[str, list[tuple[str, Node]]] = {}
    for attribute, module in _of_modules(device):
        group, _, name = attribute.name.rpartition("/")
        node = _of_driver(kernel, device, attribute, module)
        if group:
            groups.setdefault(group, []).append((name, node))
        else:
            yield name, node
    for group, nodes in groups.items():
        yield group, Folder(partial(iter, nodes))


def _of_modules(device: Device) -> Iterator[tuple[DeviceAttribute, LoadedModule | None]]:
    """Yield the attributes that the device's class and driver have registered, each with the module that
    registered it.
    """
    if device.kind is not None:
        for attribute in device.kind.attributes:
            yield attribute, device.kind.module
    for attached in tuple((device.attributes or {}).values()):
        yield attached.attribute, attached.module


def _of_bus(device: Device, bus: BusType, name: str) -> Node:
    return Attribute(lambda: f"{bus.attributes(device)[name]}\n", alive=lambda: device.registered)


def _of_driver(
    kernel: KernelParts, device: Device, attribute: DeviceAttribute, module: LoadedModule | None
) -> Node:
    show, store = attribute.show, attribute.store
    return Attribute(
        None if show is None else lambda: str(show(device)),
        None if store is None else lambda data: store(device, data),
        mode=attribute.mode,
        alive=lambda: device.registered,
        guard=lambda: kernel.oopses.guard(module, f"attribute {attribute.name} of {device.name}"),
    )


def _children(kernel: KernelParts, device: Device) -> Contents:
    """Yield the directories of the child devices.

    If the device has no class, its children with a class are in a directory of that class.
    """
    direct = [child for child in device.children if child.kind is None or device.kind is not None]
    for child in direct:
        yield child.name, folder(kernel, child)
    if device.kind is None:
        yield from _by_class(kernel, [child for child in device.children if child not in direct])
