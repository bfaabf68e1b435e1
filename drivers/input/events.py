"""The processing of an input event: ignore it, add it to the packet, or pass the packet on
(drivers/input/input.c).

A driver reports events.  An event that changes nothing is ignored, for example a motion by 0.  Other
events are added to the current packet.  SYN_REPORT passes the packet to all handlers, or only to the
handler that has grabbed the device.

The tables here correspond to `input_get_disposition()`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from simkernel.driverapi.compiler import READ_ONCE
from simkernel.driverapi.ktime import ktime_get
from simkernel.driverapi.rcupdate import rcu_dereference
from simkernel.uapi import input_event_codes as ev

from .bits import codes
from .device import InputDev
from .handle import InputHandle

IGNORE: Final = 0
TO_HANDLERS: Final = 1
TO_DEVICE: Final = 2
FLUSH: Final = 8
TO_ALL: Final = TO_HANDLERS | TO_DEVICE

AUTOREPEAT: Final = 2
"""The value of a key event that repeats a held key."""

SYNC: Final = (ev.EV_SYN, ev.SYN_REPORT, 1)
"""The SYN_REPORT that the core appends to a full packet (`input_value_sync`). Its value is 1; in a driver's
SYN_REPORT the value is 0.
"""

_SYN: Final = {ev.SYN_CONFIG: TO_ALL, ev.SYN_REPORT: TO_HANDLERS | FLUSH, ev.SYN_MT_REPORT: TO_HANDLERS}


def _synchronisation(dev: InputDev, code: int, value: int) -> int:
    return _SYN.get(code, IGNORE)


def _key(dev: InputDev, code: int, value: int) -> int:
    if value == AUTOREPEAT:
        return TO_HANDLERS if dev.has(ev.EV_KEY, code) else IGNORE
    return TO_HANDLERS if _switch(dev, ev.EV_KEY, code, value) else IGNORE


def _relative(dev: InputDev, code: int, value: int) -> int:
    return TO_HANDLERS if value and dev.has(ev.EV_REL, code) else IGNORE


def _sound(dev: InputDev, code: int, value: int) -> int:
    _switch(dev, ev.EV_SND, code, value)
    return TO_ALL if dev.has(ev.EV_SND, code) else IGNORE


Disposition = Callable[[InputDev, int, int], int]

DISPOSITIONS: Final[Mapping[int, Disposition]] = MappingProxyType(
    {
        ev.EV_SYN: _synchronisation,
        ev.EV_KEY: _key,
        ev.EV_REL: _relative,
        ev.EV_MSC: lambda dev, code, value: TO_ALL if dev.has(ev.EV_MSC, code) else IGNORE,
        ev.EV_SW: lambda dev, code, value: TO_HANDLERS if _switch(dev, ev.EV_SW, code, value) else IGNORE,
        ev.EV_LED: lambda dev, code, value: TO_ALL if _switch(dev, ev.EV_LED, code, value) else IGNORE,
        ev.EV_SND: _sound,
        ev.EV_PWR: lambda dev, code, value: TO_ALL,
    }
)
"""For each modelled event type, the function that decides how an event is processed. The core refuses to
register a device that declares another type (core.py).
"""


def _switch(dev: InputDev, type: int, code: int, value: int) -> bool:
    """Set a key, switch, LED or sound to on or off. Return True if the state changes."""
    if not dev.has(type, code) or dev.state.get(type, 0) >> code & 1 == bool(value):
        return False
    dev.state[type] = dev.state.get(type, 0) ^ 1 << code
    return True


def input_event(dev: InputDev, type: int, code: int, value: int) -> None:
    """Process an event that a driver reports.  An event of an undeclared type is ignored."""
    if type == ev.EV_SYN or dev.evbit >> type & 1:
        with dev.lock:
            handle_event(dev, type, code, value)


def input_inject_event(handle: InputHandle, type: int, code: int, value: int) -> None:
    """Process an event that a handle injects. Ignore the event if another handle has grabbed the device."""
    dev = handle.dev
    if type == ev.EV_SYN or dev.evbit >> type & 1:
        with dev.lock:
            grab = rcu_dereference(dev.grab)
            if grab is None or grab is handle:
                handle_event(dev, type, code, value)


def handle_event(dev: InputDev, type: int, code: int, value: int) -> None:
    """Ignore an event, or pass it to the device and to the handlers (`input_handle_event()`). The caller
    holds the lock.
    """
    # If another task writes `inhibited` at this time, the event may or may not be ignored, as on Linux.
    known = type in DISPOSITIONS and not READ_ONCE(dev.inhibited)
    disposition = DISPOSITIONS[type](dev, code, value) if known else IGNORE
    if disposition & TO_DEVICE and dev.event is not None:
        dev.event(dev, type, code, value)
    if disposition & TO_HANDLERS:
        dev.values.append((type, code, value))
    if disposition & FLUSH:
        if len(dev.values) >= 2:  # a packet that has only SYN_REPORT is dropped
            _pass_values(dev)
        dev.values.clear()
        dev.timestamp = None
    elif len(dev.values) >= dev.max_values - 2:
        dev.values.append(SYNC)
        _pass_values(dev)
        dev.values.clear()


def _pass_values(dev: InputDev) -> None:
    """Pass the current packet to all open handles, or only to the handle that has grabbed the device
    (`input_pass_values()`).
    """
    grab = rcu_dereference(dev.grab)
    if grab is not None:
        grab.handler.events(grab, dev.values)
        return
    for handle in rcu_dereference(dev.handles):
        if READ_ONCE(handle.open):  # a handle that is just being opened may miss this packet
            handle.handler.events(handle, dev.values)


def release_keys(dev: InputDev) -> None:
    """Report that all held keys are released (`input_dev_release_keys()`).  The caller holds the lock."""
    held = list(codes(dev.state.get(ev.EV_KEY, 0)))
    for code in held:
        handle_event(dev, ev.EV_KEY, code, 0)
    if held:
        handle_event(dev, *SYNC)


def input_get_timestamp(dev: InputDev) -> int:
    """Return the time of the current packet's events, in ns of the machine's clock."""
    if dev.timestamp is None:
        dev.timestamp = ktime_get(dev.owner)
    return dev.timestamp
