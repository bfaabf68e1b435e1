"""The mouse behaves as its data sheet says."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel.engine import SECOND, SimulationError, millis
from simkernel.hardware import Mouse, Move, Script, Walk
from simkernel.hardware.mouse import registers as regs
from tests.examples import examples
from tests.hardware.bench import Bench


class Report(NamedTuple):
    """A report of the mouse, decoded: motion, buttons, wheel, sequence number and time."""

    dx: int
    dy: int
    buttons: int
    wheel: int
    sequence: int
    time: int


class Desk:
    """A mouse on a bus without a kernel. Unless `enable` is False, the mouse is enabled."""

    def __init__(self, mouse: Mouse, *, seed: int = 0, enable: bool = True, **settings: int) -> None:
        self.bench = Bench(seed, readl_ns=0, writel_ns=0)
        self.mouse = mouse
        self.bench.bus.plug(mouse)
        for name, value in settings.items():
            self.write(getattr(regs, name), value)
        if enable:
            self.write(regs.CONTROL, regs.CONTROL_ENABLE)

    def read(self, offset: int) -> int:
        return self.bench.read(self.mouse, offset)

    def write(self, offset: int, value: int) -> None:
        self.bench.write(self.mouse, offset, value)

    def take(self) -> Report:
        """Remove the oldest report from the mouse's queue, and return it."""
        motion, state = self.read(regs.REPORT_MOTION), self.read(regs.REPORT_STATE)
        time = self.read(regs.REPORT_TIME_HIGH) << 32 | self.read(regs.REPORT_TIME_LOW)
        self.write(regs.FIFO_POP, 1)
        return Report(
            signed(motion & 0xFFFF, 16),
            signed(motion >> 16, 16),
            state & 0xFF,
            signed(state >> 8 & 0xFF, 8),
            state >> 16,
            time,
        )

    def take_all(self) -> list[Report]:
        """Remove and return all reports in the queue."""
        return [self.take() for _ in range(self.read(regs.FIFO_COUNT))]


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value


def test_moves_within_a_period_are_one_report() -> None:
    desk = Desk(
        Mouse(Script([Move(millis(1), 3, -1), Move(millis(5), 4, 0, wheel=-1), Move(millis(9), 1, 1)]))
    )
    desk.bench.engine.run()
    assert desk.take_all() == [
        Report(7, -1, 0, -1, 0, millis(8)),
        Report(1, 1, 0, 0, 1, millis(16)),
    ]
    assert desk.take() == Report(0, 0, 0, 0, 0, 0)
    assert desk.mouse.statistics.taken == 2


@pytest.mark.parametrize("rate", regs.RATES)
def test_the_rate_is_kept(rate: int) -> None:
    moves = [Move(millis(number), dx=1) for number in range(1, 17)]
    desk = Desk(Mouse(Script(moves)), RATE=rate)
    desk.bench.engine.run()
    reports = desk.take_all()
    period = SECOND // rate
    assert [report.time for report in reports] == list(range(period, millis(16) + 1, period))
    assert sum(report.dx for report in reports) == 16


def test_another_rate_is_ignored() -> None:
    desk = Desk(Mouse())
    desk.write(regs.RATE, 333)
    assert desk.read(regs.RATE) == regs.RATE_DEFAULT


def test_a_still_mouse_costs_no_event() -> None:
    desk = Desk(Mouse(Script([Move(millis(50), dx=1)])))
    desk.bench.engine.run()
    desk.take()
    assert desk.bench.engine.next_time() is None


def test_a_click_shorter_than_a_period_is_reported() -> None:
    left = regs.BUTTON_LEFT
    desk = Desk(Mouse(Script([Move(millis(1), buttons=left), Move(millis(2))])))
    desk.bench.engine.run()
    assert [(report.buttons, report.time) for report in desk.take_all()] == [
        (left, millis(8)),
        (0, millis(16)),
    ]


def test_a_held_button_is_reported_first_after_enabling_and_old_motion_is_not() -> None:
    desk = Desk(Mouse(Script([Move(0, dx=9, buttons=regs.BUTTON_RIGHT)])), enable=False)
    desk.bench.run(millis(20))
    assert desk.read(regs.FIFO_COUNT) == 0
    desk.write(regs.CONTROL, regs.CONTROL_ENABLE)
    desk.bench.run(millis(20))
    assert desk.take_all() == [Report(0, 0, regs.BUTTON_RIGHT, 0, 0, millis(28))]


def test_disabling_stops_the_reports_and_keeps_the_queue() -> None:
    desk = Desk(Mouse(Walk(millis(8))))
    desk.bench.run(millis(20))
    desk.write(regs.CONTROL, 0)
    desk.bench.engine.run()
    assert desk.read(regs.FIFO_COUNT) == 2


def test_motion_too_large_for_a_report_goes_into_the_next() -> None:
    desk = Desk(Mouse(Script([Move(0), Move(1, dx=40_000, dy=-70_000, wheel=130)])))
    desk.bench.engine.run()
    assert [(each.dx, each.dy, each.wheel) for each in desk.take_all()] == [
        (32767, -32767, 127),
        (40_000 - 32767, -32767, 3),
        (0, -70_000 + 2 * 32767, 0),
    ]


def test_the_line_is_high_while_the_queue_holds_enough() -> None:
    desk = Desk(
        Mouse(Script([Move(millis(8) * number, dx=1) for number in range(1, 7)])),
        THRESHOLD=3,
        IRQ_ENABLE=regs.IRQ_REPORTS,
    )
    taken: list[int] = []

    def handler(line: int) -> None:
        taken.append(len(desk.take_all()))

    desk.bench.handler = handler
    desk.bench.engine.run()
    assert taken == [3, 3]
    assert [time for time, _ in desk.bench.interrupts] == [millis(24), millis(48)]
    assert desk.read(regs.IRQ_STATUS) == 0


def test_a_full_queue_loses_reports_and_says_so() -> None:
    desk = Desk(Mouse(Walk(millis(8), steps=20)), IRQ_ENABLE=regs.IRQ_OVERFLOW)
    desk.bench.engine.run()
    assert desk.read(regs.FIFO_COUNT) == regs.FIFO_DEPTH
    assert desk.read(regs.LOST) == desk.mouse.statistics.lost == 4
    assert desk.read(regs.IRQ_STATUS) == regs.IRQ_OVERFLOW | regs.IRQ_REPORTS
    assert len(desk.bench.interrupts) == 1
    desk.write(regs.IRQ_STATUS, regs.IRQ_OVERFLOW)
    assert desk.read(regs.IRQ_STATUS) == regs.IRQ_REPORTS
    assert [report.sequence for report in desk.take_all()] == list(range(regs.FIFO_DEPTH))


def test_it_can_be_moved_by_hand_at_any_instant() -> None:
    desk = Desk(Mouse(Script([Move(millis(2), dx=1, buttons=regs.BUTTON_RIGHT)])))
    desk.bench.engine.run(millis(3))
    desk.mouse.move(4, wheel=1)
    desk.mouse.move(dy=2)
    desk.bench.engine.run(millis(9))
    desk.mouse.move(buttons=0)
    desk.bench.engine.run()
    assert desk.take_all() == [
        Report(5, 2, regs.BUTTON_RIGHT, 1, 0, millis(8)),
        Report(0, 0, 0, 0, 1, millis(16)),
    ]


def test_a_move_by_hand_follows_earlier_moves_of_the_script() -> None:
    desk = Desk(Mouse(Script([Move(millis(2), buttons=regs.BUTTON_RIGHT)])))
    desk.bench.engine.run(millis(3))
    desk.mouse.move(buttons=0)
    desk.bench.engine.run()
    assert [report.buttons for report in desk.take_all()] == [regs.BUTTON_RIGHT, 0]


def test_a_senseless_move_is_refused() -> None:
    with pytest.raises(SimulationError, match="not plugged in"):
        Mouse().move(1)
    with pytest.raises(SimulationError, match="use the five bits"):
        Desk(Mouse()).mouse.move(buttons=64)


@pytest.mark.parametrize("wrong", ["moves.txt", None, [Move(0)]])
def test_invalid_motion_is_refused(wrong: Any) -> None:
    with pytest.raises(SimulationError, match="is not a motion: pass Script"):
        Mouse(wrong)


def test_a_reader_continues_the_flow_of_the_report() -> None:
    desk = Desk(Mouse(Script([Move(millis(1), dx=1), Move(millis(9), dx=1)])))
    records = desk.bench.trace()
    desk.bench.engine.run()
    made = [record.flow for record in records if record.name == "report"]
    read = []
    for _ in range(2):
        desk.take()
        read.append(desk.bench.engine.trace.flow)
    assert read == made


def test_the_queue_of_an_unplugged_mouse_is_flushed() -> None:
    desk = Desk(Mouse(Walk(millis(3))))
    desk.bench.run(millis(50))
    queued = desk.mouse.queued
    desk.bench.bus.unplug(desk.mouse)
    assert desk.mouse.statistics.flushed == queued > 0
    assert desk.mouse.queued == 0


steps = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, millis(60))),
        st.tuples(st.just("take"), st.integers(1, 5)),
        st.tuples(st.just("move"), st.integers(-5, 5)),
        st.tuples(st.just("rate"), st.sampled_from(regs.RATES)),
        st.tuples(st.sampled_from(["enable", "disable", "unplug", "plug"]), st.just(0)),
    ),
    max_size=30,
)


@settings(max_examples=examples(80), deadline=None)
@given(steps, st.integers(0, 5))
def test_every_report_is_taken_lost_flushed_or_queued(steps: list[tuple[str, int]], seed: int) -> None:
    desk = Desk(Mouse(Walk(millis(3))), seed=seed)
    for step, number in steps:
        if step == "run":
            desk.bench.run(number)
        elif desk.mouse.slot is None:
            if step == "plug":
                desk.bench.bus.plug(desk.mouse)
        elif step == "take":
            for _ in range(number):
                desk.take()
        elif step == "move":
            desk.mouse.move(number)
        elif step == "rate":
            desk.write(regs.RATE, number)
        elif step == "enable":
            desk.write(regs.CONTROL, regs.CONTROL_ENABLE)
        elif step == "disable":
            desk.write(regs.CONTROL, 0)
        elif step == "unplug":
            desk.bench.bus.unplug(desk.mouse)
    seen = desk.mouse.statistics
    assert seen.made == seen.taken + seen.lost + seen.flushed + desk.mouse.queued
    assert desk.mouse.queued <= regs.FIFO_DEPTH


@given(st.lists(st.tuples(st.integers(0, millis(4)), st.integers(-9, 9), st.integers(-9, 9)), max_size=40))
def test_no_motion_is_lost_while_the_queue_has_room(moves: list[tuple[int, int, int]]) -> None:
    time = 1
    script = []
    for delay, dx, dy in moves:
        time += delay
        script.append(Move(time, dx, dy))
    desk = Desk(Mouse(Script(script)))
    reports = []
    while desk.bench.engine.next_time() is not None:
        desk.bench.engine.step()
        reports += desk.take_all()
    assert sum(each.dx for each in reports) == sum(move.dx for move in script)
    assert sum(each.dy for each in reports) == sum(move.dy for move in script)


def test_a_walk_depends_on_the_seed_and_the_name_only() -> None:
    def reports(seed: int, *others: Mouse) -> list[Report]:
        mouse = Mouse(Walk(steps=10), name="mine")
        desk = Desk(mouse, seed=seed)
        for other in others:
            desk.bench.bus.plug(other)
            desk.bench.write(other, regs.CONTROL, regs.CONTROL_ENABLE)
        desk.bench.engine.run()
        return desk.take_all()

    assert reports(1) == reports(1, Mouse(Walk(steps=20))) != reports(2)
