"""A cancelled timer has no effect: it emits no event, does not advance the clock, and leaves the queue."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from simkernel.engine import Engine, Timer
from simkernel.engine.engine import MIN_CANCELLED
from tests.examples import examples

DELAYS = st.integers(0, 20) | st.integers(0, 10**12)


class Schedules(RuleBasedStateMachine):
    """Random schedules, cancellations and runs, compared with a dict of the pending queue entries."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine()
        self.number = 0
        self.now = 0
        self.timers: dict[int, Timer] = {}
        self.pending: dict[int, int] = {}
        """Time of each pending queue entry, by the number of the entry. Entries with equal times run in
        ascending order of their numbers.
        """
        self.expected: list[tuple[int, int]] = []
        self.happened: list[tuple[int, int]] = []
        self.victims: dict[int, int] = {}
        """For the number of a queue entry: the number of the timer that this entry cancels when it runs."""

    def _happens(self, number: int, *_: object) -> None:
        self.happened.append((self.engine.now, number))
        victim = self.timers.get(self.victims.get(number, -1))
        if victim is not None:
            victim.cancel()

    def _advance(self, until: int | None, most: int = 10**9) -> None:
        """Run the model's entries that are due before the time `until`, in the engine's order. `most` is the
        maximum number of entries to run.
        """
        while self.pending and most:
            number = min(self.pending, key=lambda each: (self.pending[each], each))
            if until is not None and self.pending[number] >= until:
                break
            self.now = self.pending.pop(number)
            self.expected.append((self.now, number))
            victim = self.victims.get(number, -1)
            if victim in self.timers:
                self.pending.pop(victim, None)
            most -= 1
        if until is not None:
            self.now = until

    def _add(self, delay: int) -> int:
        self.number += 1
        self.pending[self.number] = self.engine.now + delay
        return self.number

    @rule(delay=DELAYS)
    def timer(self, delay: int) -> None:
        number = self._add(delay)
        self.timers[number] = self.engine.call_at(self.engine.now + delay, self._happens, number)

    @rule(delay=DELAYS)
    def task(self, delay: int) -> None:
        self.engine.resume_at(self.engine.now + delay, self._happens, self._add(delay), None, None)

    @rule(delay=DELAYS, data=st.data())
    def timer_that_cancels(self, delay: int, data: st.DataObject) -> None:
        self.timer(delay)
        self.victims[self.number] = data.draw(st.integers(1, self.number))

    @rule(seed=st.integers(0, 1 << 32), count=st.integers(1, 3 * MIN_CANCELLED))
    def many_of_which_some_are_cancelled(self, seed: int, count: int) -> None:
        random = Random(seed)
        limit = random.choice((20, 10**12))
        made = []
        for _ in range(count):
            self.timer(random.randrange(limit))
            made.append(self.number)
        for number in random.sample(made, random.randint(0, count)):
            self.timers[number].cancel()
            del self.pending[number]

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.timers:
            number = data.draw(st.sampled_from(sorted(self.timers)))
            self.timers[number].cancel()
            self.pending.pop(number, None)

    @rule()
    def cancel_all(self) -> None:
        for number, timer in self.timers.items():
            timer.cancel()
            self.pending.pop(number, None)

    @rule()
    def step(self) -> None:
        if self.pending:
            self.engine.step()
            self._advance(None, most=1)

    @rule(delta=DELAYS)
    def run_until(self, delta: int) -> None:
        until = self.engine.now + delta
        self.engine.run(until=until)
        self._advance(until)
        self._check_size()

    @rule()
    def run(self) -> None:
        self.engine.run()
        self._advance(None)
        assert len(self.engine.queue) == 0

    @invariant()
    def agrees(self) -> None:
        assert self.happened == self.expected
        assert self.engine.now == self.now
        assert self.engine.next_time() == min(self.pending.values(), default=None)
        assert self.engine._cancelled == len(self.engine.queue) + len(self.engine.fifo) - len(self.pending)
        waiting = sorted((time, each) for each, time in self.pending.items() if each in self.timers)
        assert [timer.arguments[0] for timer in self.engine.timers()] == [each for _, each in waiting]

    def _check_size(self) -> None:
        assert len(self.engine.queue) <= max(2 * len(self.pending), len(self.pending) + MIN_CANCELLED)


TestSchedules = Schedules.TestCase
TestSchedules.settings = settings(max_examples=examples(20), stateful_step_count=25)


def test_timeouts_that_never_expire_keep_no_entries() -> None:
    engine = Engine()
    largest = 0
    for _ in range(10_000):
        engine.call_later(600 * 10**9, print).cancel()
        largest = max(largest, len(engine.queue))
    assert largest <= MIN_CANCELLED + 1


def test_the_queue_shrinks_with_the_pending_timers() -> None:
    engine = Engine()
    timers = [engine.call_at(10**9 + number, print) for number in range(1000)]
    for pending in range(999, -1, -1):
        timers.pop().cancel()
        assert len(engine.queue) <= max(2 * pending, pending + MIN_CANCELLED)


def test_the_queue_shrinks_when_the_pending_timers_have_expired() -> None:
    engine = Engine()
    timers = [engine.call_at(3600, int) for _ in range(500)]
    for number in range(500):
        engine.call_at(number, int)
    for timer in timers:
        timer.cancel()
    assert len(engine.queue) == 1000
    engine.run(until=500)
    assert len(engine.queue) <= MIN_CANCELLED


@pytest.mark.parametrize("others", [0, 5 * MIN_CANCELLED])
def test_an_interrupt_survives_a_purge(others: int) -> None:
    engine = Engine()
    timers = [engine.call_at(10, print) for _ in range(others)]
    engine.interrupt(KeyboardInterrupt())
    for timer in timers:
        timer.cancel()
    with pytest.raises(KeyboardInterrupt):
        engine.run()
    assert engine.now == 0


def test_a_cancelled_timer_at_the_end_does_not_move_the_clock() -> None:
    engine = Engine()
    engine.call_at(3, int)
    engine.call_at(3600, int).cancel()
    engine.run()
    assert engine.now == 3
    assert engine.peek() == float("inf")
