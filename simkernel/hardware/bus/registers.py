"""Data sheet of the bus: the address map, the registers that every device has, and the hot-plug controller.

All registers are 32 bits wide, and an access always transfers 32 bits.  Addresses are multiples of 4.

Address map.  Memory begins at MEMORY_BASE.  Slot n has a window of WINDOW_SIZE bytes at WINDOW_BASE + n *
WINDOW_SIZE.  Slot 0 holds the hot-plug controller, which cannot be unplugged.  The window of an empty slot
reads all ones and ignores writes.

Header.  The window of every device begins with the same four read-only registers.

Hot-plug controller.  Bit n of PRESENT is set while slot n holds a device.  Bit n of CHANGED is set when a
device is plugged into slot n or unplugged; writing a one clears it.  If a slot is present and changed, it
holds another device than before, or the previous one, newly powered, with all registers at their reset
values.  The interrupt line is high while CHANGED is not zero and interrupts are enabled.
"""

from __future__ import annotations

from typing import Final

MEMORY_BASE: Final = 0x4000_0000
WINDOW_BASE: Final = 0xF000_0000
WINDOW_SIZE: Final = 0x1000
ALL_ONES: Final = 0xFFFF_FFFF

# Header of every device
ID: Final = 0x00  # vendor << 16 | device
CLASS: Final = 0x04  # class << 8 | revision
INTERRUPT: Final = 0x08  # number of the interrupt line
SERIAL: Final = 0x0C  # serial number

# Classes
CLASS_OTHER: Final = 0x00
CLASS_BUS: Final = 0x01
CLASS_VIDEO: Final = 0x02
CLASS_INPUT: Final = 0x03

# Hot-plug controller
VENDOR: Final = 0x51B5
HOTPLUG_DEVICE: Final = 0x0001
HOTPLUG_LINE: Final = 0  # its interrupt line

SLOTS: Final = 0x10  # ro: number of slots, slot 0 included; at most 32
PRESENT: Final = 0x14  # ro: bit n is set while slot n holds a device
CHANGED: Final = 0x18  # w1c (write 1 to clear): bit n is set when slot n was plugged or unplugged
ENABLE: Final = 0x1C  # rw

ENABLE_INTERRUPT: Final = 1 << 0


def window(slot: int) -> int:
    """Return the address of the register window of slot number `slot`."""
    return WINDOW_BASE + slot * WINDOW_SIZE
