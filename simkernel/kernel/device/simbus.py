"""simbus: the kernel's driver of the hardware bus (compare drivers/pci/).

It adds a kernel device for each hardware device in a slot: at boot, and whenever the hot-plug controller
interrupts.  The interrupt handler only disables the controller's interrupt.  The handler's thread does the
work, because binding a driver may sleep.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from simkernel.hardware.bus import Bus
from simkernel.hardware.bus import registers as sheet
from simkernel.kernel.device.core import DriverCore
from simkernel.kernel.device.device import BusType, Device, DeviceDriver
from simkernel.kernel.irq.descriptor import IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, IRQF_SHARED
from simkernel.kernel.irq.interrupts import Interrupts
from simkernel.kernel.lib.log import Log
from simkernel.kernel.sched.locking import Locking
from simkernel.kernel.workqueue import Work, WorkQueue

NAME = "simbus"
BUS_NUMBER = 0
CONTROLLER = sheet.window(0)


@attrs.frozen
class SimbusDeviceId:
    """A device id that a driver supports: the vendor and device number in the ID register."""

    vendor: int
    device: int

    @property
    def alias(self) -> str:
        """Pattern that matches the MODALIAS of the device."""
        return f"{modalias(self.vendor, self.device)}*"


def modalias(vendor: int, device: int) -> str:
    """Return the MODALIAS of a device.  modprobe finds the driver's module by it."""
    return f"simbus:v{vendor:08X}d{device:08X}"


class SimbusDevice(Device):
    """The kernel's object for a device in a slot of the bus.  Its attributes are read from the device's
    header registers.

    `window` is the bus address of its registers, `irq` its interrupt line.
    """

    def __init__(self, locking: Locking, bus: SimbusType, parent: Device, hardware: Bus, slot: int) -> None:
        super().__init__(locking, f"{BUS_NUMBER}:{slot}", parent, bus=bus)
        self.slot = slot
        self.window = sheet.window(slot)
        identity = hardware.readl(self.window + sheet.ID)
        kind = hardware.readl(self.window + sheet.CLASS)
        self.vendor_id = identity >> 16
        self.device_id = identity & 0xFFFF
        self.class_code = kind >> 8
        self.revision = kind & 0xFF
        self.irq = hardware.readl(self.window + sheet.INTERRUPT)
        self.serial = hardware.readl(self.window + sheet.SERIAL)


@attrs.define(eq=False)
class SimbusDriver(DeviceDriver):
    """A driver for devices on simbus.  `ids` lists the device ids that the driver supports."""

    ids: tuple[SimbusDeviceId, ...] = ()


class SimbusType(BusType):
    """The bus type of simbus.  A driver matches a device if the driver's table has the device's id."""

    def __init__(self) -> None:
        super().__init__(NAME)

    def match(self, device: Device, driver: DeviceDriver) -> bool:
        """Return True if the driver has the id of the device (compare `pci_match_device()`)."""
        return (
            isinstance(device, SimbusDevice)
            and isinstance(driver, SimbusDriver)
            and SimbusDeviceId(device.vendor_id, device.device_id) in driver.ids
        )

    def attributes(self, device: Device) -> Mapping[str, str]:
        """Return the attribute files of a device, in the formats of drivers/pci/pci-sysfs.c."""
        assert isinstance(device, SimbusDevice)
        return {
            "vendor": f"0x{device.vendor_id:04x}",
            "device": f"0x{device.device_id:04x}",
            "class": f"0x{device.class_code:04x}",
            "revision": f"0x{device.revision:02x}",
            "irq": str(device.irq),
            "serial": f"0x{device.serial:08x}",
            "modalias": modalias(device.vendor_id, device.device_id),
        }

    def environment(self, device: Device) -> Mapping[str, str]:
        """Return the variables for uevents of a device (compare `pci_uevent()`)."""
        assert isinstance(device, SimbusDevice)
        return {
            "SIMBUS_CLASS": f"{device.class_code:04X}",
            "SIMBUS_ID": f"{device.vendor_id:04X}:{device.device_id:04X}",
            "SIMBUS_SLOT_NAME": device.name,
            "MODALIAS": modalias(device.vendor_id, device.device_id),
        }


class Simbus:
    """The kernel's driver of the bus.  It handles the hot-plug interrupt and keeps one device object for each
    used slot.
    """

    def __init__(
        self,
        hardware: Bus,
        log: Log,
        locking: Locking,
        core: DriverCore,
        interrupts: Interrupts,
        queue: WorkQueue,
    ) -> None:
        self._hardware = hardware
        self._log = log
        self._locking = locking
        self._core = core
        self._slots: dict[int, SimbusDevice] = {}
        self.type = SimbusType()
        self._root = Device(locking, f"{NAME}{BUS_NUMBER}")
        core.bus_register(self.type)
        interrupts.request(
            None, sheet.HOTPLUG_LINE, self._interrupt, "hotplug", self,
            flags=IRQF_SHARED, thread_function=self._thread,
        )  # fmt: skip
        queue.add(Work(None, "simbus_scan", self._boot))

    async def _boot(self, _: Work) -> None:
        """Add the devices that are in the slots at boot, then enable the hot-plug interrupt."""
        await self._core.device_add(self._root)
        self._write(sheet.CHANGED, sheet.ALL_ONES)
        await self._update(self._read(sheet.PRESENT))
        self._write(sheet.ENABLE, sheet.ENABLE_INTERRUPT)

    def _interrupt(self, irq: int, _: Any) -> int:
        """Disable the interrupt of the hot-plug controller, and wake the handler's thread."""
        if not (self._read(sheet.CHANGED) and self._read(sheet.ENABLE)):
            return IRQ_NONE
        self._write(sheet.ENABLE, 0)
        return IRQ_WAKE_THREAD

    async def _thread(self, irq: int, _: Any) -> int:
        changed = self._read(sheet.CHANGED)
        self._write(sheet.CHANGED, changed)
        await self._update(changed)
        self._write(sheet.ENABLE, sheet.ENABLE_INTERRUPT)
        return IRQ_HANDLED

    async def _update(self, changed: int) -> None:
        """For each slot of the bit mask `changed`, in ascending order, remove the old device and add the new
        one.

        A device in such a slot is always a new one for the kernel: even the same hardware has lost its
        state if it was unplugged.
        """
        for slot in range(1, self._read(sheet.SLOTS)):
            if changed >> slot & 1:
                gone = self._slots.pop(slot, None)
                if gone is not None:
                    await self._core.device_del(gone)
                if self._read(sheet.PRESENT) >> slot & 1:
                    await self._add(slot)

    async def _add(self, slot: int) -> None:
        device = self._slots[slot] = SimbusDevice(self._locking, self.type, self._root, self._hardware, slot)
        self._log.info(
            f"{NAME} {device.name}: [{device.vendor_id:04x}:{device.device_id:04x}] "
            f"class {device.class_code:#04x} rev {device.revision} irq {device.irq}"
        )
        await self._core.device_add(device)

    def _read(self, register: int) -> int:
        return self._hardware.readl(CONTROLLER + register)

    def _write(self, register: int, value: int) -> None:
        self._hardware.writel(CONTROLLER + register, value)
