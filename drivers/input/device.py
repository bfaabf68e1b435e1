"""An input device (`struct input_dev`): what it can do, what it is, and what it says of itself.

A driver allocates it, sets what it has, registers it, and from then on tells of what happens
(events.py).  Who listens is attached to it by handles (handle.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import attrs

from simkernel.driverapi.device import Device
from simkernel.driverapi.module import ThisModule
from simkernel.driverapi.mutex import Mutex
from simkernel.driverapi.spinlock import SpinLock
from simkernel.uapi import input_event_codes as ev
from simkernel.uapi.input import InputId

from .bits import codes, to_text

if TYPE_CHECKING:
    from .handle import InputHandle

Value = tuple[int, int, int]
"""`struct input_value`: type, code, value."""

KEY_AND_MSC_EVENTS: Final = 7
"""Room for EV_KEY and EV_MSC events in a packet (`input_estimate_events_per_packet()`)."""

BITMAPS: Final = (
    ("KEY", ev.EV_KEY, "k", ev.KEY_MIN_INTERESTING),
    ("REL", ev.EV_REL, "r", 0),
    ("ABS", ev.EV_ABS, "a", 0),
    ("MSC", ev.EV_MSC, "m", 0),
    ("LED", ev.EV_LED, "l", 0),
    ("SND", ev.EV_SND, "s", 0),
    ("FF", ev.EV_FF, "f", 0),
    ("SW", ev.EV_SW, "w", 0),
)
"""The bitmaps of a device: name in uevents and below /sys, type, letter in a MODALIAS, first code there.

In the order of `input_dev_uevent()` and `input_print_modalias_parts()`.
"""


@attrs.define(eq=False)
class InputDev:
    """One device.  `lock` (Linux's event_lock) protects `state`, `values` and `timestamp`.

    `mutex` protects `handles`, `grab`, `users`, `going_away` and `inhibited`.  Interrupt handlers read
    `handles` and `grab` without it, as by RCU.

    `open` is called for the first who listens and `close` after the last; neither may sleep here.
    `event` is told what is sent to the device, such as the state of an LED.
    """

    owner: ThisModule
    parent: Device | None
    lock: SpinLock
    mutex: Mutex
    number: int
    name: str | None = None
    phys: str | None = None
    uniq: str | None = None
    id: InputId = attrs.field(factory=InputId)
    evbit: int = 0
    propbit: int = 0
    bits: dict[int, int] = attrs.field(factory=dict)
    """Which codes it has, by type: Linux's keybit, relbit and so on."""
    open: Callable[[InputDev], None] | None = None
    close: Callable[[InputDev], None] | None = None
    event: Callable[[InputDev, int, int, int], None] | None = None
    hint_events_per_packet: int = 0

    state: dict[int, int] = attrs.field(factory=dict)
    """Which of them are on, by type: keys held, switches, LEDs, sounds."""
    values: list[Value] = attrs.field(factory=list)
    """The packet that is being made."""
    max_values: int = 10
    timestamp: int | None = None
    """When the packet's events happened, in ns of the machine's clock, if anybody has asked or said."""
    device: Device | None = None
    handles: tuple[InputHandle, ...] = ()
    grab: InputHandle | None = None
    users: int = 0
    going_away: bool = False
    inhibited: bool = False

    def has(self, type: int, code: int) -> bool:
        """Whether it makes such events (`is_event_supported()`)."""
        return code <= ev.MAX_CODE[type] and self.bits.get(type, 0) >> code & 1 == 1

    @property
    def label(self) -> str:
        """What it is called below /sys."""
        return f"input{self.number}"


def estimate_events_per_packet(dev: InputDev) -> int:
    """How many events one packet may have (`input_estimate_events_per_packet()`, for what has no axes of
    touch): SYN_REPORT, each relative axis, and some keys."""
    return 1 + dev.bits.get(ev.EV_REL, 0).bit_count() + KEY_AND_MSC_EVENTS


def uevent_variables(dev: InputDev) -> dict[str, str]:
    """What its uevents say (`input_dev_uevent()`)."""
    it = dev.id
    said = {"PRODUCT": f"{it.bustype:x}/{it.vendor:x}/{it.product:x}/{it.version:x}"}
    for key, text in (("NAME", dev.name), ("PHYS", dev.phys), ("UNIQ", dev.uniq)):
        if text is not None:
            said[key] = f'"{text}"'
    said |= {"PROP": to_text(dev.propbit), "EV": to_text(dev.evbit)}
    for key, type, _, _ in BITMAPS:
        if dev.evbit >> type & 1:
            said[key] = to_text(dev.bits.get(type, 0))
    return said | {"MODALIAS": modalias(dev)}


def modalias(dev: InputDev) -> str:
    """By which user space finds what listens to such a device (`input_print_modalias()`)."""
    it = dev.id
    alias = f"input:b{it.bustype:04X}v{it.vendor:04X}p{it.product:04X}e{it.version:04X}-"
    alias += _listed("e", codes(dev.evbit))
    for _, type, letter, least in BITMAPS:
        alias += _listed(letter, codes(dev.bits.get(type, 0), least, ev.MAX_CODE[type]))
    return alias


def _listed(letter: str, numbers: Iterator[int]) -> str:
    return letter + "".join(f"{number:X}," for number in numbers)
