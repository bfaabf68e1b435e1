"""Events written to /dev/input/event0: their delivery, and the effect of a grab.

Sources: `evdev_write()`, `input_inject_event()` and `input_get_disposition()` of Linux.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from simkernel import Machine
from simkernel.hardware import Mouse
from simkernel.uapi import input as ev
from simkernel.uapi.input_event_codes import (
    BTN_LEFT,
    BTN_RIGHT,
    EV_ABS,
    EV_KEY,
    EV_LED,
    EV_MSC,
    EV_PWR,
    EV_REL,
    EV_SYN,
    REL_WHEEL,
    REL_X,
    REL_Y,
)
from tests.drivers.bench import bench
from tests.drivers.evdev import REPORT, Reader, Triple, settle

SYN_CONFIG, SYN_MT_REPORT, SYN_DROPPED = 1, 2, 3
LEFT_DOWN, LEFT_UP, LEFT_HELD = ((EV_KEY, BTN_LEFT, value) for value in (1, 0, 2))
RIGHT_DOWN = (EV_KEY, BTN_RIGHT, 1)
MOVE = (EV_REL, REL_X, 7)


@pytest.fixture
def mouse() -> Mouse:
    return Mouse()


@pytest.fixture
def machine(mouse: Mouse) -> Iterator[Machine]:
    with bench(mouse) as machine:
        yield machine


def inject(reader: Reader, *events: Triple) -> None:
    """Write events through the reader's descriptor."""
    data = b"".join(ev.InputEvent(0, 0, *event).pack() for event in events)
    assert reader.process.write(reader.fd, data) == len(data)


PASSED: dict[str, tuple[list[Triple], list[Triple]]] = {
    "a motion": ([MOVE, REPORT], [MOVE, REPORT]),
    "a motion by 0": ([(EV_REL, REL_X, 0), REPORT], []),
    "a negative motion": ([(EV_REL, REL_Y, -3), REPORT], [(EV_REL, REL_Y, -3), REPORT]),
    "an axis that the device lacks": ([(EV_REL, 9, 1), REPORT], []),
    "a type that the device lacks": ([(EV_ABS, 0, 1), (EV_MSC, 4, 1), (EV_LED, 0, 1), REPORT], []),
    "a type that needs no code": ([(EV_PWR, 0, 1), REPORT], []),
    "an unknown type": ([(31, 0, 1), REPORT], []),
    "a key": ([LEFT_DOWN, REPORT], [LEFT_DOWN, REPORT]),
    "a key twice": ([LEFT_DOWN, LEFT_DOWN, REPORT], [LEFT_DOWN, REPORT]),
    "a key down and up": ([LEFT_DOWN, LEFT_UP, REPORT], [LEFT_DOWN, LEFT_UP, REPORT]),
    "a release of a key that is up": ([LEFT_UP, REPORT], []),
    "an autorepeat, whether held or not": ([LEFT_HELD, LEFT_HELD, REPORT], [LEFT_HELD, LEFT_HELD, REPORT]),
    "a key with any other value": ([(EV_KEY, BTN_LEFT, 5), REPORT], [(EV_KEY, BTN_LEFT, 5), REPORT]),
    "an autorepeat of a key that the device lacks": ([(EV_KEY, 30, 2), REPORT], []),
    "a key that the device lacks": ([(EV_KEY, 30, 1), REPORT], []),
    "a report alone": ([REPORT], []),
    "no report": ([MOVE], []),
    "two packets": ([MOVE, REPORT, RIGHT_DOWN, REPORT], [MOVE, REPORT, RIGHT_DOWN, REPORT]),
    "a report with a value": ([MOVE, (EV_SYN, 0, 1)], [MOVE, (EV_SYN, 0, 1)]),
    "SYN_CONFIG and SYN_MT_REPORT": (
        [(EV_SYN, SYN_CONFIG, 1), (EV_SYN, SYN_MT_REPORT, 0), REPORT],
        [(EV_SYN, SYN_CONFIG, 1), (EV_SYN, SYN_MT_REPORT, 0), REPORT],
    ),
    "another code of EV_SYN": ([(EV_SYN, SYN_DROPPED, 0), MOVE, REPORT], [MOVE, REPORT]),
    "a packet with something ignored": ([(EV_REL, REL_WHEEL, 0), MOVE, REPORT], [MOVE, REPORT]),
}


@pytest.mark.parametrize("name", PASSED)
def test_accepted_events_reach_all_readers(machine: Machine, name: str) -> None:
    """Each reader receives an injected event, including the reader that has written it."""
    writer, reader = Reader.of(machine), Reader.of(machine)
    written, expected = PASSED[name]
    inject(writer, *written)
    assert reader.take() == expected
    assert writer.take() == expected


def test_events_without_a_report_are_kept_for_the_next_packet(machine: Machine) -> None:
    writer, reader = Reader.of(machine), Reader.of(machine)
    inject(writer, MOVE)
    inject(reader, RIGHT_DOWN, REPORT)
    assert reader.take() == writer.take() == [MOVE, RIGHT_DOWN, REPORT]


def test_an_injected_key_is_held_until_an_injected_release(machine: Machine, mouse: Mouse) -> None:
    """Injected events and the mouse's own events change the same key state."""
    writer, reader = Reader.of(machine), Reader.of(machine)
    inject(writer, LEFT_DOWN, REPORT)
    assert reader.bits(ev.EVIOCGKEY) == {BTN_LEFT}
    reader.take()
    mouse.move(3)
    settle(machine)
    assert reader.take() == [LEFT_UP, (EV_REL, REL_X, 3), REPORT]
    assert reader.bits(ev.EVIOCGKEY) == set()


class Handler:
    """A second input handler. It records the packets that its handle receives."""

    def __init__(self, machine: Machine) -> None:
        self.packets: list[list[Triple]] = []
        self.handle = SimpleNamespace(handler=SimpleNamespace(events=self._events), open=1)
        module = machine.kernel.modules.find("input")
        assert module is not None
        (self.dev,) = core_of(module.data).devices

    def _events(self, handle: object, values: Sequence[Triple]) -> None:
        assert handle is self.handle
        self.packets.append(list(values))


def core_of(data: Any) -> Any:
    """Return the input core. `data` is the state of the module `input`: either the input core, or a sequence
    that contains the input core.
    """
    return data if hasattr(data, "devices") else next(each for each in data if hasattr(each, "devices"))


def test_a_grab_by_another_handler_ignores_injected_events(machine: Machine, mouse: Mouse) -> None:
    """If one handle has grabbed the device, `input_inject_event()` drops the events that any other handle
    injects.
    """
    writer, reader, other = Reader.of(machine), Reader.of(machine), Handler(machine)
    other.dev.grab = other.handle
    inject(writer, MOVE, LEFT_DOWN, REPORT)
    assert reader.take() == writer.take() == other.packets == []
    assert reader.bits(ev.EVIOCGKEY) == set()
    mouse.move(1)
    settle(machine)
    assert other.packets == [[(EV_REL, REL_X, 1), REPORT]]
    assert reader.take() == []
    other.dev.grab = None
    inject(writer, MOVE, REPORT)
    assert reader.take() == [MOVE, REPORT]
    assert len(other.packets) == 1


GRABS = [
    # `grabs`: the number of the descriptor that grabs the device, or None.
    # `of_first`: whether descriptors 0 and 1 receive an event that descriptor 0 injects.
    # `of_second`: whether descriptors 0 and 1 receive an event that descriptor 1 injects.
    (None, (True, True), (True, True)),
    (0, (True, False), (True, False)),
    (1, (False, True), (False, True)),
]


@pytest.mark.parametrize(("grabs", "of_first", "of_second"), GRABS)
def test_a_grab_by_a_descriptor_selects_the_receiver(
    machine: Machine, grabs: int | None, of_first: tuple[bool, bool], of_second: tuple[bool, bool]
) -> None:
    """EVIOCGRAB makes the handler evdev grab the device. After that, only the descriptor with the grab
    receives injected events, even if another descriptor injects them.
    """
    readers = Reader.of(machine), Reader.of(machine)
    if grabs is not None:
        readers[grabs].ask(ev.EVIOCGRAB, 1)
    for writer, expected in zip(readers, (of_first, of_second), strict=True):
        inject(writer, MOVE, REPORT)
        assert tuple(reader.take() == [MOVE, REPORT] for reader in readers) == expected
    if grabs is not None:
        readers[grabs].ask(ev.EVIOCGRAB, 0)
        inject(readers[0], MOVE, REPORT)
        assert [reader.take() for reader in readers] == [[MOVE, REPORT]] * 2


def test_a_revoked_descriptor_injects_nothing(machine: Machine) -> None:
    one, other = Reader.of(machine), Reader.of(machine)
    one.ask(ev.EVIOCREVOKE)
    with pytest.raises(OSError, match="No such device"):
        inject(one, MOVE, REPORT)
    assert other.take() == []
