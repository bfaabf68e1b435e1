"""A driver of gauges with the node /dev/gaugeN. The driver has four bugs, and each faulty model of gauge
triggers one of them.
"""

from __future__ import annotations

from typing import Any

from simkernel.driverapi.device import (
    NodeAccess,
    class_register,
    class_unregister,
    dev_get_drvdata,
    dev_set_drvdata,
    device_create,
    device_unregister,
)
from simkernel.driverapi.fs import (
    File,
    FileOperations,
    alloc_chrdev_region,
    cdev_add,
    cdev_del,
    cdev_init,
    unregister_chrdev_region,
)
from simkernel.driverapi.module import Module, ThisModule, try_module_get
from simkernel.driverapi.simbus import SimbusDevice, SimbusDeviceId, Undo, module_simbus_driver

VENDOR = 0x6A06
SOUND, STALE, MINORS, GREEDY, EMPTY = range(5)
DEVICES = tuple(SimbusDeviceId(VENDOR, model) for model in range(5))
MODULE = Module(license="GPL", devices=DEVICES)
COUNT = 1
"""Number of gauges that the driver can serve at a time."""


class Gauge:
    """A gauge that the driver is bound to."""

    def __init__(self, this: ThisModule, model: int, minor: int) -> None:
        self.this = this
        self.model = model
        self.minor = minor
        self.values: Any = bytearray(b"\0")
        self.gone = False
        self.cdev: Any = None
        self.node: Any = None


def _read(file: File, size: int, position: int) -> bytes:
    gauge: Gauge = file.cdev.data
    if gauge.gone and gauge.model != STALE:  # the bug of the model STALE: no check for the unplug
        return b""
    return bytes(gauge.values[:size])


def _write(file: File, data: bytes, position: int) -> int:
    gauge: Gauge = file.cdev.data
    if gauge.model == EMPTY:
        gauge.values[0] = data[0]  # the bug of the model EMPTY: an empty write raises IndexError
    if gauge.model == GREEDY and data:
        try_module_get(gauge.this)  # the bug of the model GREEDY: no module_put()
    return len(data)


OPERATIONS = FileOperations(read=_read, write=_write)


class GaugeDriver:
    """State of the loaded driver: the free minor numbers, the device class and the device numbers."""

    def __init__(self, this: ThisModule, undo: Undo) -> None:
        self.this = this
        self.free = list(range(COUNT))
        self.kind = class_register(this, "gauge", devnode=lambda device: NodeAccess(mode=0o666))
        undo.callback(class_unregister, self.kind)
        self.number = alloc_chrdev_region(this, 0, COUNT, "gauge")
        undo.callback(unregister_chrdev_region, this, self.number, COUNT)

    def probe(self, device: SimbusDevice) -> None:
        """Bind to a gauge."""
        minor = self.free.pop(0)
        gauge = Gauge(self.this, device.device_id, minor)
        number = (self.number[0], minor)
        gauge.cdev = cdev_init(self.this, OPERATIONS, gauge)
        cdev_add(gauge.cdev, number)
        gauge.node = device_create(self.this, self.kind, device, f"gauge{minor}", number=number)
        dev_set_drvdata(device, gauge)

    def remove(self, device: SimbusDevice) -> None:
        """Release the gauge."""
        gauge: Gauge = dev_get_drvdata(device)
        device_unregister(gauge.node)
        cdev_del(gauge.cdev)
        gauge.gone, gauge.values = True, None
        if gauge.model != MINORS:  # the bug of the model MINORS: the minor number is not freed
            self.free.insert(0, gauge.minor)


init, exit = module_simbus_driver(DEVICES, GaugeDriver)
