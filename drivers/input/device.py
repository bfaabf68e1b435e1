"""An input device (`struct input_dev`): its identity, its capabilities and its state.

A driver allocates the device, sets its attributes, registers it, and then reports events (events.py).
Handlers receive the events through handles (handle.py).
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
"""`struct input_value`: type, code and value of an event."""

KEY_AND_MSC_EVENTS: Final = 7
"""Number of EV_KEY and EV_MSC events that a packet is assumed to have
(`input_estimate_events_per_packet()`).
"""

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
"""The capability bitmaps of a device. Each row has the name in uevents and sysfs, the event type, the letter
in a MODALIAS, and the first event code in a MODALIAS. The rows are in the order of `input_dev_uevent()`
and `input_print_modalias_parts()`.
"""


@attrs.define(eq=False)
class InputDev:
    """An input device, such as a mouse: its identity, its capabilities and its state (`struct input_dev`).

    `lock` (Linux's event_lock) protects `state`, `values` and `timestamp`.  `mutex` protects `handles`,
    `grab`, `users`, `going_away` and `inhibited`.  Interrupt handlers read `handles` and `grab` under RCU
    instead.

    The core calls `open` before the first handle receives events and `close` after the last one.  Neither
    may sleep. The core calls `event` for events that go to the device, such as the state of an LED.
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
    """The codes that the device reports, by event type (Linux's keybit, relbit and so on)."""
    open: Callable[[InputDev], None] | None = None
    close: Callable[[InputDev], None] | None = None
    event: Callable[[InputDev, int, int, int], None] | None = None
    hint_events_per_packet: int = 0

    state: dict[int, int] = attrs.field(factory=dict)
    """The codes that are on, by event type: held keys, switches, LEDs and sounds."""
    values: list[Value] = attrs.field(factory=list)
    """The events of the current packet."""
    max_values: int = 10
    timestamp: int | None = None
    """Time of the current packet's events, in ns of the machine's clock. None until `input_set_timestamp` or
    `input_get_timestamp` sets it.
    """
    device: Device | None = None
    handles: tuple[InputHandle, ...] = ()
    grab: InputHandle | None = None
    users: int = 0
    going_away: bool = False
    inhibited: bool = False

    def has(self, type: int, code: int) -> bool:
        """Return True if the device reports events of this type and code (`is_event_supported()`)."""
        return code <= ev.MAX_CODE[type] and self.bits.get(type, 0) >> code & 1 == 1

    @property
    def label(self) -> str:
        """The name of the device in sysfs, such as input0."""
        return f"input{self.number}"


def estimate_events_per_packet(dev: InputDev) -> int:
    """Return the estimated number of events in a packet: one SYN_REPORT, one event for each relative axis,
    and KEY_AND_MSC_EVENTS.

    The source is `input_estimate_events_per_packet()` for a device without touch axes.
    """
    return 1 + dev.bits.get(ev.EV_REL, 0).bit_count() + KEY_AND_MSC_EVENTS


def uevent_variables(dev: InputDev) -> dict[str, str]:
    """Return the variables of the device's uevents (`input_dev_uevent()`)."""
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
    """Return the MODALIAS, by which user space finds modules for the device (`input_print_modalias()`)."""
    it = dev.id
    alias = f"input:b{it.bustype:04X}v{it.vendor:04X}p{it.product:04X}e{it.version:04X}-"
    alias += _listed("e", codes(dev.evbit))
    for _, type, letter, least in BITMAPS:
        alias += _listed(letter, codes(dev.bits.get(type, 0), least, ev.MAX_CODE[type]))
    return alias


def _listed(letter: str, numbers: Iterator[int]) -> str:
    return letter + "".join(f"{number:X}," for number in numbers)
