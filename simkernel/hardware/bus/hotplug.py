"""The hot-plug controller in slot 0.  It tells the kernel which slots hold a device, and which slots have
changed.
"""

from __future__ import annotations

from simkernel.hardware.bus import registers as sheet
from simkernel.hardware.bus.device import Device
from simkernel.hardware.bus.register_table import RO, RW, W1C, Register


class HotplugController(Device):
    """The device that implements the hot-plug controller's registers (`registers.py`).

    `slots` is the number of slots, including its own slot 0.
    """

    kind = "hotplug"
    vendor_id = sheet.VENDOR
    device_id = sheet.HOTPLUG_DEVICE
    class_code = sheet.CLASS_BUS
    revision = 1
    registers = (
        Register("SLOTS", sheet.SLOTS, RO),
        Register("PRESENT", sheet.PRESENT, RO),
        Register("CHANGED", sheet.CHANGED, W1C),
        Register("ENABLE", sheet.ENABLE, RW, writable=sheet.ENABLE_INTERRUPT),
    )

    def __init__(self, slots: int) -> None:
        self._slots = slots

    def power_on(self) -> None:
        self.values[sheet.SLOTS] = self._slots
        self.values[sheet.PRESENT] = 1

    def asserts(self) -> bool:
        return bool(self.values[sheet.CHANGED]) and bool(self.values[sheet.ENABLE])

    def slot_changed(self, slot: int) -> None:
        """Record that a device was plugged into slot number `slot` or unplugged from it."""
        self.catch_up()
        self.values[sheet.CHANGED] |= 1 << slot
        self.values[sheet.PRESENT] ^= 1 << slot
        self.drive()
