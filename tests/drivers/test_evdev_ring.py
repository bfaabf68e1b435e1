"""input: the ring of a reader, compared with a model, and bitmaps in Linux's format."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drivers.input.bits import codes, to_bytes, to_text
from drivers.input.evdev_client import CLOCK_MONOTONIC, CLOCK_REALTIME, Client
from simkernel.uapi.input import InputEvent
from simkernel.uapi.input_event_codes import (
    BTN_LEFT,
    EV_KEY,
    EV_REL,
    EV_SYN,
    KEY_MAX,
    REL_MAX,
    REL_X,
    SYN_DROPPED,
    SYN_REPORT,
)

SIZE = 8
REPORT = (EV_SYN, SYN_REPORT, 0)
DROPPED = (EV_SYN, SYN_DROPPED, 0)


def client() -> Client:
    lock: Any = nullcontext()
    return Client(None, lock, None, SIZE)  # type: ignore[arg-type]


def fetch(reader: Client, count: int = 100) -> list[tuple[int, int, int]]:
    events = InputEvent.LAYOUT.iter_unpack(reader.fetch(count))
    return [(type, code, value) for _, _, type, code, value in events]


packets = st.lists(
    st.one_of(
        st.tuples(st.just(EV_REL), st.just(REL_X), st.integers(-9, 9)),
        st.tuples(st.just(EV_KEY), st.just(BTN_LEFT), st.integers(0, 1)),
    ),
    min_size=1,
    max_size=5,
).map(lambda events: [*events, REPORT])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), packets),
        st.tuples(st.just("fetch"), st.integers(1, 10)),
        st.tuples(st.just("flush"), st.sampled_from([EV_KEY, EV_REL])),
        st.tuples(st.just("drop"), st.none()),
    ),
    max_size=40,
)


class Model:
    """The ring as a list, with the rules of `__pass_event()` and `__evdev_flush_queue()`."""

    def __init__(self) -> None:
        self.events: list[tuple[int, int, int]] = []
        self.whole = 0

    def put(self, event: tuple[int, int, int]) -> None:
        self.events.append(event)
        if len(self.events) == SIZE:
            self.events, self.whole = [DROPPED, event], 0
        if event == REPORT:
            self.whole = len(self.events)

    def drop(self) -> None:
        self.events.append(DROPPED)
        if len(self.events) == SIZE:
            self.events, self.whole = [DROPPED], 0

    def flush(self, unwanted: int) -> None:
        events, since_report, self.whole = [], 1, 0
        for event in self.events:
            if event[0] == unwanted or (event == REPORT and not since_report):
                continue
            events.append(event)
            since_report = 0 if event == REPORT else since_report + 1
            if event == REPORT:
                self.whole = len(events)
        self.events = events

    def fetch(self, count: int) -> list[tuple[int, int, int]]:
        count = min(count, self.whole)
        taken, self.events = self.events[:count], self.events[count:]
        self.whole -= count
        return taken


@given(steps)
def test_the_ring_is_the_model(todo: list[tuple[str, Any]]) -> None:
    ring, model = client(), Model()
    for what, with_what in todo:
        if what == "pass":
            assert ring.pass_values(with_what, 0)
            for event in with_what:
                model.put(event)
        elif what == "fetch":
            assert fetch(ring, with_what) == model.fetch(with_what)
        elif what == "flush":
            ring.flush(with_what)
            model.flush(with_what)
        else:
            ring.drop(0)
            model.drop()
        assert ring.readable == (model.whole > 0)
    assert fetch(ring) == model.fetch(100)


def test_a_packet_that_is_not_complete_cannot_be_read() -> None:
    ring = client()
    assert not ring.pass_values([(EV_REL, REL_X, 1)], 0)
    assert not ring.readable
    assert fetch(ring) == []
    assert ring.pass_values([REPORT], 0)
    assert fetch(ring) == [(EV_REL, REL_X, 1), REPORT]


def test_an_overflow_leaves_syn_dropped_and_the_newest_event() -> None:
    ring = client()
    for number in range(SIZE - 1):
        ring.pass_values([(EV_REL, REL_X, number)], 0)
    ring.pass_values([(EV_REL, REL_X, 77)], 3_000_001_999)
    assert not ring.readable
    ring.pass_values([REPORT], 0)
    first = InputEvent.unpack(ring.fetch(1))
    assert first == InputEvent(3, 1, EV_SYN, SYN_DROPPED, 0)
    assert fetch(ring) == [(EV_REL, REL_X, 77), REPORT]


def test_syn_dropped_takes_space_in_the_ring() -> None:
    ring = client()
    ring.pass_values([(EV_REL, REL_X, 1), REPORT, *[(EV_REL, REL_X, 1)] * (SIZE - 3)], 0)
    ring.drop(0)
    assert not ring.readable
    ring.pass_values([(EV_REL, REL_X, 2), REPORT], 0)
    assert fetch(ring) == [DROPPED, (EV_REL, REL_X, 2), REPORT]


def test_a_change_of_the_clock_drops_queued_events() -> None:
    ring = client()
    assert not ring.set_clock(CLOCK_MONOTONIC)  # the queue was empty, so no event is lost
    ring.pass_values([(EV_REL, REL_X, 1), REPORT], 0)
    assert not ring.set_clock(CLOCK_MONOTONIC)
    assert ring.readable
    assert ring.set_clock(CLOCK_REALTIME)
    assert not ring.readable
    ring.pass_values([(EV_REL, REL_X, 2), REPORT], 0)
    assert fetch(ring) == [(EV_REL, REL_X, 2), REPORT]


@given(st.sets(st.integers(0, KEY_MAX)))
def test_a_bitmap_is_the_same_in_every_form(which: set[int]) -> None:
    bits = sum(1 << code for code in which)
    assert list(codes(bits)) == sorted(which)
    assert int.from_bytes(to_bytes(bits, KEY_MAX), "little") == bits
    longs = [int(word, 16) for word in to_text(bits).split()]
    assert sum(word << 64 * place for place, word in enumerate(reversed(longs))) == bits
    assert longs[0] or len(longs) == 1


def test_bitmaps_as_linux_writes_them() -> None:
    """The bitmaps KEY= and REL= in the uevent of a USB mouse with five buttons and a wheel, in Linux's text
    format.
    """
    assert to_text(sum(1 << code for code in range(BTN_LEFT, BTN_LEFT + 5))) == "1f0000 0 0 0 0"
    assert to_text(0x903) == "903"
    assert to_text(0) == "0"
    assert len(to_bytes(0, KEY_MAX)) == 96
    assert len(to_bytes(0, REL_MAX)) == 8
