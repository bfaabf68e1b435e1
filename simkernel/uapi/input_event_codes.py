"""Types and codes of input events.  Source: include/uapi/linux/input-event-codes.h.

It has all types and the highest code of each, but only the codes of pointing devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Properties of a device
INPUT_PROP_POINTER: Final = 0x00
INPUT_PROP_DIRECT: Final = 0x01
INPUT_PROP_BUTTONPAD: Final = 0x02
INPUT_PROP_SEMI_MT: Final = 0x03
INPUT_PROP_TOPBUTTONPAD: Final = 0x04
INPUT_PROP_POINTING_STICK: Final = 0x05
INPUT_PROP_ACCELEROMETER: Final = 0x06
INPUT_PROP_MAX: Final = 0x1F

# Types
EV_SYN: Final = 0x00
EV_KEY: Final = 0x01
EV_REL: Final = 0x02
EV_ABS: Final = 0x03
EV_MSC: Final = 0x04
EV_SW: Final = 0x05
EV_LED: Final = 0x11
EV_SND: Final = 0x12
EV_REP: Final = 0x14
EV_FF: Final = 0x15
EV_PWR: Final = 0x16
EV_FF_STATUS: Final = 0x17
EV_MAX: Final = 0x1F
EV_CNT: Final = EV_MAX + 1

# EV_SYN
SYN_REPORT: Final = 0
SYN_CONFIG: Final = 1
SYN_MT_REPORT: Final = 2
SYN_DROPPED: Final = 3
SYN_MAX: Final = 0xF

# Codes of EV_KEY: KEY_ for keys, BTN_ for buttons
KEY_RESERVED: Final = 0
KEY_MUTE: Final = 113
KEY_MIN_INTERESTING: Final = KEY_MUTE
BTN_MISC: Final = 0x100
BTN_MOUSE: Final = 0x110
BTN_LEFT: Final = 0x110
BTN_RIGHT: Final = 0x111
BTN_MIDDLE: Final = 0x112
BTN_SIDE: Final = 0x113
BTN_EXTRA: Final = 0x114
BTN_FORWARD: Final = 0x115
BTN_BACK: Final = 0x116
BTN_TASK: Final = 0x117
KEY_MAX: Final = 0x2FF
KEY_CNT: Final = KEY_MAX + 1

# EV_REL
REL_X: Final = 0x00
REL_Y: Final = 0x01
REL_Z: Final = 0x02
REL_RX: Final = 0x03
REL_RY: Final = 0x04
REL_RZ: Final = 0x05
REL_HWHEEL: Final = 0x06
REL_DIAL: Final = 0x07
REL_WHEEL: Final = 0x08
REL_MISC: Final = 0x09
REL_RESERVED: Final = 0x0A
REL_WHEEL_HI_RES: Final = 0x0B
REL_HWHEEL_HI_RES: Final = 0x0C
REL_MAX: Final = 0x0F
REL_CNT: Final = REL_MAX + 1

# The other types
ABS_MAX: Final = 0x3F
MSC_MAX: Final = 0x07
SW_MAX: Final = 0x10
LED_MAX: Final = 0x0F
REP_DELAY: Final = 0x00
REP_PERIOD: Final = 0x01
REP_MAX: Final = 0x01
SND_MAX: Final = 0x07
FF_MAX: Final = 0x7F

MAX_CODE: Final[Mapping[int, int]] = MappingProxyType(
    {
        EV_KEY: KEY_MAX,
        EV_REL: REL_MAX,
        EV_ABS: ABS_MAX,
        EV_MSC: MSC_MAX,
        EV_SW: SW_MAX,
        EV_LED: LED_MAX,
        EV_SND: SND_MAX,
        EV_FF: FF_MAX,
    }
)
"""Maps an event type to its highest code (`input_max_code` in drivers/input/input.c). An event type
without a bitmap in struct input_dev, such as EV_REP, has no entry.
"""

RANGES: Final = frozenset({"BTN_MISC", "BTN_MOUSE", "KEY_MIN_INTERESTING"})
"""Names of constants that mark the beginning of a range of codes.  event_name() does not return them."""


def _names(prefixes: tuple[str, ...], without: frozenset[str] = RANGES) -> Mapping[int, str]:
    return MappingProxyType(
        {
            code: name
            for name, code in globals().items()
            if name.startswith(prefixes) and not name.endswith(("_MAX", "_CNT")) and name not in without
        }
    )


TYPE_NAMES: Final = _names(("EV_",))
PROP_NAMES: Final = _names(("INPUT_PROP_",))
CODE_NAMES: Final[Mapping[int, Mapping[int, str]]] = MappingProxyType(
    {
        EV_SYN: _names(("SYN_",)),
        EV_KEY: _names(("KEY_", "BTN_")),
        EV_REL: _names(("REL_",)),
        EV_REP: _names(("REP_",)),
    }
)


def event_name(type: int, code: int) -> str:
    """Return the name of a code, such as "REL_X".  For a code without a name, return type and number: "EV_KEY
    0x1e".
    """
    name = CODE_NAMES.get(type, {}).get(code)
    return name if name is not None else f"{TYPE_NAMES.get(type, hex(type))} {code:#x}"
