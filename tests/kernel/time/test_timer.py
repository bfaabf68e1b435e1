"""Timers of the kernel: expiry in interrupt context, modification, deletion, and order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import Machine, millis, seconds
from simkernel.kernel.time.timer import Timer


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


def test_a_timer_expires_at_its_time_in_interrupt_context(machine: Machine) -> None:
    seen: list[tuple[int, bool]] = []
    timer = machine.kernel.timers.setup(
        None, "t", lambda timer: seen.append((machine.engine.now, machine.kernel.preempt.in_interrupt))
    )
    assert not timer.modify(millis(5))
    assert timer.pending
    machine.run(until=seconds(1))
    assert seen == [(millis(5), True)]
    assert not timer.pending
    assert machine.kernel.timers.expired == 1


def test_a_timer_may_start_itself_again(machine: Machine) -> None:
    times: list[int] = []

    def tick(timer: Timer) -> None:
        times.append(machine.engine.now)
        if len(times) < 3:
            timer.modify(timer.expires + millis(10))

    machine.kernel.timers.setup(None, "t", tick).modify(millis(10))
    machine.run(until=seconds(1))
    assert times == [millis(10), millis(20), millis(30)]


def test_modifying_and_deleting(machine: Machine) -> None:
    times: list[int] = []
    timer = machine.kernel.timers.setup(None, "t", lambda timer: times.append(machine.engine.now))
    timer.modify(millis(5))
    assert timer.modify(millis(8))
    machine.run(until=millis(10))
    assert times == [millis(8)]
    timer.modify(millis(20))
    assert timer.delete()
    assert not timer.delete()
    machine.run(until=seconds(1))
    assert times == [millis(8)]
    assert len(machine.kernel.resources) == len(machine.kernel.resources.of(None)) == 1


def test_a_time_that_is_past_is_at_once(machine: Machine) -> None:
    machine.run(until=millis(10))
    times: list[int] = []
    machine.kernel.timers.setup(None, "t", lambda timer: times.append(machine.engine.now)).modify(millis(3))
    machine.run(until=millis(11))
    assert times == [millis(10)]


def test_a_timer_that_sleeps_is_a_logged_bug(machine: Machine) -> None:
    async def sleepy(timer: Timer) -> None:
        raise AssertionError("ran")

    machine.kernel.timers.setup(None, "t", sleepy).modify(0)  # type: ignore[arg-type]
    machine.run(until=millis(1))
    assert "BUG: scheduling while atomic" in machine.log.records[-1].text


@given(st.lists(st.integers(0, 10**9), max_size=20))
def test_timers_expire_in_the_order_of_their_times(times: list[int]) -> None:
    with Machine(udev=False) as machine:
        seen: list[int] = []
        for time in times:
            machine.kernel.timers.setup(None, "t", lambda timer: seen.append(timer.expires)).modify(time)
        machine.run(until=seconds(2))
        assert seen == sorted(times)
