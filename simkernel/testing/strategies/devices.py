"""Strategies for histories of devices. A history is a sequence of events, such as plug and unplug."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simkernel.engine import MICROSECOND, MILLISECOND
from simkernel.hardware.camera import registers as camera
from simkernel.hardware.mouse import registers as mouse
from simkernel.testing.histories import Control, Event, History, Plug, Stimulus, Unplug, Wait, kind_of
from simkernel.testing.sim import DEVICES
from simkernel.testing.strategies.sequences import sequences

WAITS: Final = st.sampled_from([10**n * MICROSECOND for n in range(5)] + [50 * MILLISECOND])
"""Strategy for the time in ns between two events. It draws powers of ten and 50 ms, so that an example that
hypothesis has shrunk has round times.
"""
STEPS: Final = st.integers(-9, 9)

MOTION: Final = st.fixed_dictionaries(
    {"dx": STEPS}, optional={"dy": STEPS, "wheel": STEPS, "buttons": st.integers(0, mouse.BUTTON_ALL)}
)
"""Strategy for the arguments of `Mouse.move`."""


def _set_control(name: str, least: int, most: int) -> SearchStrategy[Control]:
    values = st.fixed_dictionaries({"control": st.just(name), "value": st.integers(least, most)})
    return st.builds(Control, st.just("camera"), st.just("set-control"), values)


NOTHING: Final[SearchStrategy[Event]] = st.nothing()
STIMULI: Final = {"mouse": ("move", MOTION)}
"""For each kind of device, the method with which a random sequence of events changes the device, and a
strategy for the method's arguments.
"""
CONTROLS: Final[dict[str, SearchStrategy[Control]]] = {
    "mouse": st.sampled_from([Control("mouse", "set-rate", {"rate": rate}) for rate in mouse.RATES]),
    "camera": _set_control("gain", camera.GAIN_MIN, camera.GAIN_MAX)
    | _set_control("exposure", camera.EXPOSURE_MIN, camera.EXPOSURE_MAX)
    | _set_control("test-pattern", min(camera.Pattern), max(camera.Pattern)),
}
"""For each kind of device, a strategy for requests to the device's generic netlink family."""


def histories(
    *devices: str, others: SearchStrategy[Event] = NOTHING, max_size: int = 16
) -> SearchStrategy[History]:
    """Return a strategy for sequences of device events (histories): plug, unplug, mouse movements, requests
    and waits.

    At the start of a history, no device is plugged in.  A name such as "mouse0" or "camera1" determines
    the kind of the device.  `others` draws more events, for example `Stimulus`es of your own device.
    Other events of a device occur only while it is plugged in.
    """
    names = devices or tuple(f"{kind}0" for kind in DEVICES)
    events = [*map(device_events, names), WAITS.map(Wait), others]
    return sequences(st.one_of(events), max_size).map(possible).map(History)


def device_events(name: str) -> SearchStrategy[Event]:
    """Return a strategy for the events of one device."""
    kind = kind_of(name)
    events: list[SearchStrategy[Event]] = [st.just(Plug(name)), st.just(Unplug(name))]
    if kind in STIMULI:
        method, arguments = STIMULI[kind]
        events.append(st.builds(Stimulus, st.just(name), st.just(method), arguments))
    if kind in CONTROLS:
        events.append(CONTROLS[kind])
    return st.one_of(events)


def possible(events: Iterable[Event]) -> list[Event]:
    """Drop events that are impossible because their device is not plugged in, or is plugged in already."""
    plugged: set[str] = set()
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Plug | Unplug | Stimulus):
            if isinstance(event, Plug) == (event.device in plugged):
                continue
            plugged ^= set() if isinstance(event, Stimulus) else {event.device}
        elif isinstance(event, Control) and event.family in {*DEVICES} - set(map(kind_of, plugged)):
            continue
        kept.append(event)
    return kept
