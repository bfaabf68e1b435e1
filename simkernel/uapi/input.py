"""Input events, and the requests (ioctls) of input devices.  Source: include/uapi/linux/input.h.

The layouts are those of 64-bit Linux: `struct timeval` has two 64-bit numbers.  Codes are in
input_event_codes.py.
"""

# ruff: noqa: N802 - the names of C's macros

from __future__ import annotations

from functools import partial
from struct import Struct
from typing import Final

import attrs

from simkernel.uapi.ioctl import _IOC, _IOC_READ, _IOC_SIZE, _IOR, _IOW
from simkernel.uapi.structure import Structure

EV_VERSION: Final = 0x010001

# Bus types of struct input_id
BUS_PCI: Final = 0x01
BUS_USB: Final = 0x03
BUS_BLUETOOTH: Final = 0x05
BUS_VIRTUAL: Final = 0x06
BUS_I8042: Final = 0x11
BUS_RS232: Final = 0x13
BUS_I2C: Final = 0x18
BUS_HOST: Final = 0x19
BUS_SPI: Final = 0x1C


@attrs.frozen
class InputEvent(Structure):
    """struct input_event: one change of an input device.  A SYN_REPORT ends a group of changes that happen at
    the same instant.
    """

    LAYOUT = Struct("<qqHHi")

    sec: int = 0
    usec: int = 0
    type: int = 0
    code: int = 0
    value: int = 0


@attrs.frozen
class InputId(Structure):
    """struct input_id: bus type, vendor, product and version of a device."""

    LAYOUT = Struct("<HHHH")

    bustype: int = 0
    vendor: int = 0
    product: int = 0
    version: int = 0


@attrs.frozen
class InputAbsinfo(Structure):
    """struct input_absinfo: value, range and resolution of an absolute axis."""

    LAYOUT = Struct("<iiiiii")

    value: int = 0
    minimum: int = 0
    maximum: int = 0
    fuzz: int = 0
    flat: int = 0
    resolution: int = 0


@attrs.frozen
class InputMask(Structure):
    """struct input_mask: the codes of one event type that a reader wants to receive.

    `codes_ptr` is the address of a bitmap.
    """

    LAYOUT = Struct("<IIQ")

    type: int = 0
    codes_size: int = 0
    codes_ptr: int = 0


@attrs.frozen
class InputKeymapEntry(Structure):
    """struct input_keymap_entry: a scan code and the key code that the device reports for it."""

    LAYOUT = Struct("<BBHI32s")

    flags: int = 0
    len: int = 0
    index: int = 0
    keycode: int = 0
    scancode: bytes = bytes(32)


_INT: Final = 4
_FF_EFFECT: Final = 48
"""Size of struct ff_effect in bytes.  The request number EVIOCSFF contains this size.  Force feedback is not
modelled.
"""

EVIOCGVERSION: Final = _IOR("E", 0x01, _INT)
EVIOCGID: Final = _IOR("E", 0x02, InputId.SIZE)
EVIOCGREP: Final = _IOR("E", 0x03, 2 * _INT)
EVIOCSREP: Final = _IOW("E", 0x03, 2 * _INT)
EVIOCGKEYCODE: Final = _IOR("E", 0x04, 2 * _INT)
EVIOCGKEYCODE_V2: Final = _IOR("E", 0x04, InputKeymapEntry.SIZE)
EVIOCSKEYCODE: Final = _IOW("E", 0x04, 2 * _INT)
EVIOCSKEYCODE_V2: Final = _IOW("E", 0x04, InputKeymapEntry.SIZE)
EVIOCSFF: Final = _IOW("E", 0x80, _FF_EFFECT)
EVIOCRMFF: Final = _IOW("E", 0x81, _INT)
EVIOCGEFFECTS: Final = _IOR("E", 0x84, _INT)
EVIOCGRAB: Final = _IOW("E", 0x90, _INT)
EVIOCREVOKE: Final = _IOW("E", 0x91, _INT)
EVIOCGMASK: Final = _IOR("E", 0x92, InputMask.SIZE)
EVIOCSMASK: Final = _IOW("E", 0x93, InputMask.SIZE)
EVIOCSCLOCKID: Final = _IOW("E", 0xA0, _INT)


# The functions EVIOCGNAME to EVIOCGSW take the size of the program's buffer in bytes: EVIOCGNAME(64).
EVIOCGNAME: Final = partial(_IOC, _IOC_READ, "E", 0x06)
"""EVIOCGNAME(length) is the request that gets the device's name as NUL-terminated text, cut to `length`
bytes.
"""
EVIOCGPHYS: Final = partial(_IOC, _IOC_READ, "E", 0x07)
"""EVIOCGPHYS(length) is the request that gets the device's physical location as NUL-terminated text, cut to
`length` bytes.
"""
EVIOCGUNIQ: Final = partial(_IOC, _IOC_READ, "E", 0x08)
"""EVIOCGUNIQ(length) is the request that gets the device's unique identifier as NUL-terminated text, cut to
`length` bytes.
"""
EVIOCGPROP: Final = partial(_IOC, _IOC_READ, "E", 0x09)
"""EVIOCGPROP(length) is the request that gets the bitmap of the device's INPUT_PROP_ properties."""
EVIOCGMTSLOTS: Final = partial(_IOC, _IOC_READ, "E", 0x0A)
"""EVIOCGMTSLOTS(length) is the request that gets the values of a multitouch axis, one for each slot."""
EVIOCGKEY: Final = partial(_IOC, _IOC_READ, "E", 0x18)
"""EVIOCGKEY(length) is the request that gets the bitmap of the keys and buttons that are held."""
EVIOCGLED: Final = partial(_IOC, _IOC_READ, "E", 0x19)
"""EVIOCGLED(length) is the request that gets the bitmap of the LEDs that are on."""
EVIOCGSND: Final = partial(_IOC, _IOC_READ, "E", 0x1A)
"""EVIOCGSND(length) is the request that gets the bitmap of the sounds that are on."""
EVIOCGSW: Final = partial(_IOC, _IOC_READ, "E", 0x1B)
"""EVIOCGSW(length) is the request that gets the bitmap of the switches (EV_SW) that are on."""


def EVIOCGBIT(type: int, length: int) -> int:
    """Return the request that gets a device's codes of one event type. The result is a bitmap of the codes
    that the device supports.

    For type 0, the bitmap has the supported event types.
    """
    return _IOC(_IOC_READ, "E", 0x20 + type, length)


def EVIOCGABS(axis: int) -> int:
    """Return the request that gets value and range of an absolute axis."""
    return _IOR("E", 0x40 + axis, InputAbsinfo.SIZE)


def EVIOCSABS(axis: int) -> int:
    """Return the request that sets value and range of an absolute axis."""
    return _IOW("E", 0xC0 + axis, InputAbsinfo.SIZE)


def without_size(request: int) -> int:
    """Return an ioctl request with the size field set to 0. A driver compares requests such as
    EVIOCGNAME(length) without their size, because `length` can be any number.
    """
    return request ^ _IOC(0, 0, 0, _IOC_SIZE(request))
