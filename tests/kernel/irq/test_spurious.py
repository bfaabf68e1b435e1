"""Counters of an interrupt line: nested disabling, oneshot threads, and unhandled interrupts
(`note_interrupt()` in kernel/irq/spurious.c, `__setup_irq()` in kernel/irq/manage.c).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, micros, millis, seconds
from simkernel.kernel.irq.descriptor import (
    IRQ_HANDLED,
    IRQ_NONE,
    IRQ_WAKE_THREAD,
    IRQF_NO_AUTOEN,
    IRQF_ONESHOT,
    IRQF_SHARED,
    IrqDescriptor,
    note_interrupt,
)
from simkernel.kernel.irq.interrupts import Interrupts
from simkernel.kernel.sched.wait import sleep_on
from tests.kernel.irq.test_interrupts import STATUS, Bell, log, plug

LINE = 9
BOTH, WAKE = IRQ_HANDLED | IRQ_WAKE_THREAD, IRQ_WAKE_THREAD


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@pytest.fixture
def lines(machine: Machine) -> Interrupts:
    return machine.kernel.interrupts


def deaf(irq: int, cookie: object) -> int:
    return IRQ_NONE


def worker(irq: int, cookie: object) -> int:
    return IRQ_NONE


def masked(machine: Machine) -> bool:
    """Return True if the interrupt controller masks the line."""
    return bool(machine.kernel.interrupts._controller.lines[LINE].masked)


def free(machine: Machine, cookie: object) -> None:
    machine.kernel.processes.kthread("free", machine.kernel.interrupts.free(LINE, cookie))
    machine.run(until=machine.now + seconds(1))


# -- note_interrupt ----------------------------------------------------------------------

NOTES: list[tuple[str, list[tuple[object, float, int]], tuple[int, int]]] = [
    # name of the test; calls of note_interrupt(): result of the handlers, time in ms, number of interrupts;
    # the line's counters `observed` and `unhandled` after these calls
    ("handled interrupts are not counted", [(IRQ_HANDLED, 0, 1)] * 5, (0, 0)),
    ("handled ones count after an unhandled one", [(IRQ_NONE, 0, 1), (IRQ_HANDLED, 1, 1)], (2, 1)),
    ("an unhandled one after 100 ms adds up", [(IRQ_NONE, 200, 1), (IRQ_NONE, 300, 1)], (2, 2)),
    ("a later one starts again", [(IRQ_NONE, 200, 1), (IRQ_NONE, 300.001, 1)], (2, 1)),
    ("a storm counts", [(IRQ_NONE, 200, 1), (IRQ_NONE, 201, 30), (IRQ_HANDLED, 202, 5)], (36, 31)),
    ("a late storm starts again", [(IRQ_NONE, 200, 9), (IRQ_NONE, 400, 30)], (39, 30)),
    ("the first wake-up is not judged", [(WAKE, 0, 1)], (0, 0)),
    ("threads that did not handle", [(WAKE, 200, 1)] * 3, (2, 2)),
    ("a handler that handles too", [(WAKE, 200, 1), (BOTH, 201, 1), (WAKE, 202, 1)], (0, 0)),
    ("after it the next is not judged", [(IRQ_NONE, 200, 1), (BOTH, 201, 1), (WAKE, 202, 1)], (2, 1)),
    ("an impossible result", [(4, 0, 1), (-1, 0, 1), (None, 0, 1)], (0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "interrupts", "expected"), NOTES, ids=[name for name, *_ in NOTES])
def test_counters_of_a_line(
    machine: Machine, name: str, interrupts: list[tuple[object, float, int]], expected: tuple[int, int]
) -> None:
    desc = IrqDescriptor(LINE)
    for result, at, weight in interrupts:
        assert not note_interrupt(desc, result, round(at * millis(1)), machine.log, weight)
    assert (desc.observed, desc.unhandled) == expected


@pytest.mark.parametrize(
    ("handled", "unhandled", "stuck"),
    [(0, 100_000, True), (99, 99_901, True), (100, 99_900, False), (0, 99_999, None)],
)
def test_a_line_is_stuck_if_nearly_all_interrupts_are_unhandled(
    machine: Machine, handled: int, unhandled: int, stuck: bool | None
) -> None:
    """If more than 99 900 of 100 000 interrupts are unhandled, the kernel disables the line. It counts from 0
    again after each 100 000 interrupts.
    """
    desc = IrqDescriptor(LINE)
    assert not note_interrupt(desc, IRQ_NONE, 0, machine.log, unhandled - 1)
    if handled:
        assert not note_interrupt(desc, IRQ_HANDLED, 0, machine.log, handled)
    assert note_interrupt(desc, IRQ_NONE, 0, machine.log) is bool(stuck)
    assert log(machine) == [
        'irq 9: nobody cared (try booting with the "irqpoll" option)', "handlers:", "Disabling IRQ #9",
    ] * bool(stuck)  # fmt: skip
    assert (desc.observed, desc.unhandled) == ((unhandled, unhandled) if stuck is None else (0, 0))


def test_threads_are_judged_at_the_next_interrupt(machine: Machine) -> None:
    """If the handlers only wake threads, the interrupt counts as handled if a thread has handled an interrupt
    since the previous interrupt that only woke threads.
    """
    desc = IrqDescriptor(LINE)
    for threads_handled, unhandled in ((0, 0), (1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (3, 3)):
        desc.threads_handled = threads_handled
        note_interrupt(desc, IRQ_WAKE_THREAD, 0, machine.log)
        assert desc.unhandled == unhandled


def test_a_report_names_the_handlers_of_the_line(machine: Machine, lines: Interrupts) -> None:
    lines.request(None, LINE, deaf, "one", 1, flags=IRQF_SHARED | IRQF_ONESHOT, thread_function=worker)
    lines.request(None, LINE, None, "two", 2, flags=IRQF_SHARED | IRQF_ONESHOT, thread_function=worker)
    note_interrupt(lines.lines[LINE], -1, 0, machine.log)
    assert log(machine) == [
        "irq event 9: bogus return value ffffffff", "handlers:", "deaf threaded worker",
        "irq_default_primary_handler threaded worker",
    ]  # fmt: skip


# -- the state of a line ------------------------------------------------------------------------


def test_a_storm_costs_as_much_as_its_interrupts(machine: Machine, lines: Interrupts) -> None:
    engine = machine.engine
    lines.request(None, LINE, lambda irq, cookie: IRQ_HANDLED, "bell")
    engine.charged = 1000
    lines.handle(LINE)
    single = engine.charged - 1000
    assert single == machine.kernel.costs.interrupt
    lines.handle(LINE, 7)
    assert engine.charged == 1000 + 8 * single
    assert lines.lines[LINE].count == 8
    engine.charged = 0


def test_another_handler_enables_a_line_that_was_spurious(machine: Machine, lines: Interrupts) -> None:
    """A request of another shared handler enables a line that was disabled as stuck. It does not enable a
    line that a driver has disabled.
    """
    desc = lines.lines[LINE]
    lines.request(None, LINE, deaf, "one", 1, flags=IRQF_SHARED)
    assert (desc.depth, masked(machine)) == (0, False)
    lines.handle(LINE, 100_000)
    assert (desc.depth, desc.spurious_disabled, masked(machine)) == (1, True, True)
    lines.disable(LINE)
    desc.observed = desc.unhandled = 5
    lines.request(None, LINE, deaf, "two", 2, flags=IRQF_SHARED)
    assert (desc.depth, desc.spurious_disabled, masked(machine)) == (1, False, True)
    assert (desc.observed, desc.unhandled) == (0, 0)
    lines.request(None, LINE, deaf, "three", 3, flags=IRQF_SHARED)
    assert desc.depth == 1
    lines.enable(LINE)
    assert (desc.depth, masked(machine)) == (0, False)
    lines.handle(LINE, 100_000)
    lines.disable(LINE)
    for cookie in (1, 2, 3):
        assert desc.depth == 2
        free(machine, cookie)
    assert (desc.depth, masked(machine)) == (1, True)
    lines.request(None, LINE, deaf, "again")
    assert (desc.depth, desc.spurious_disabled, masked(machine)) == (0, False, False)


def test_a_line_without_automatic_enabling(machine: Machine, lines: Interrupts) -> None:
    desc = lines.lines[LINE]
    lines.request(None, LINE, deaf, "one", flags=IRQF_NO_AUTOEN)
    assert (desc.depth, masked(machine)) == (1, True)
    lines.enable(LINE)
    assert (desc.depth, masked(machine)) == (0, False)
    lines.enable(LINE)
    assert (desc.depth, log(machine)) == (0, ["WARNING: Unbalanced enable for IRQ 9"])


@pytest.mark.parametrize("freed", [None, "short", "long"])
def test_a_shared_oneshot_line_is_masked_until_the_last_thread_ends(
    machine: Machine, lines: Interrupts, freed: str | None
) -> None:
    """If `freed` names a handler, the test frees this handler while its thread runs. The free waits until the
    thread ends.
    """
    bell = plug(machine, LINE)
    desc = lines.lines[LINE]
    ends: list[tuple[str, int]] = []

    def thread(name: str, duration: int) -> Any:
        async def run(irq: int, cookie: object) -> int:
            await sleep_on(deadline=machine.engine.time() + duration)
            silence(machine, bell)
            ends.append((name, machine.engine.now // micros(100)))
            return IRQ_HANDLED

        return run

    flags = IRQF_SHARED | IRQF_ONESHOT
    for name, duration in (("short", micros(100)), ("middle", micros(100)), ("long", micros(300))):
        lines.request(None, LINE, None, name, name, flags=flags, thread_function=thread(name, duration))
    begun = machine.now // micros(100)
    bell.ring_at(0)
    machine.run(until=machine.now + micros(50))
    assert (desc.threads_active, masked(machine)) == (3, True)
    if freed is not None:
        machine.kernel.processes.kthread("free", lines.free(LINE, freed))
    machine.run(until=machine.now + micros(150))
    assert (desc.threads_active, masked(machine)) == (1, True)
    machine.run(until=machine.now + micros(200))
    assert (desc.threads_active, masked(machine), desc.depth) == (0, False, 0)
    assert [(name, at - begun) for name, at in ends] == [("short", 1), ("middle", 1), ("long", 3)]
    assert desc.threads_handled == 3
    assert len(desc.actions) == 2 + (freed is None)


def test_a_thread_that_is_freed_before_it_runs_is_not_active(machine: Machine, lines: Interrupts) -> None:
    """A handler is freed after it has woken its thread, so the thread is stopped before it begins."""
    bell = plug(machine, LINE)
    desc = lines.lines[LINE]
    runs: list[int] = []

    async def run(irq: int, cookie: object) -> int:
        runs.append(irq)
        await sleep_on(deadline=machine.engine.time() + micros(100))
        silence(machine, bell)
        return IRQ_HANDLED

    def handler(irq: int, cookie: object) -> int:
        silence(machine, bell)
        return IRQ_WAKE_THREAD

    lines.request(None, LINE, handler, "one", 1, flags=IRQF_SHARED | IRQF_ONESHOT, thread_function=run)
    lines.request(None, LINE, handler, "two", 2, flags=IRQF_SHARED | IRQF_ONESHOT, thread_function=run)
    lines.request(None, LINE, handler, "three", 3, flags=IRQF_SHARED | IRQF_ONESHOT, thread_function=run)
    first, second, third = desc.actions
    lines.handle(LINE)
    assert (desc.threads_active, first.woken, second.woken, third.woken) == (3, True, True, True)
    lines.handle(LINE)
    assert desc.threads_active == 3
    machine.kernel.processes.kthread("free", lines.free(LINE, 1))
    first.stopping = True
    machine.run(until=seconds(1))
    assert (desc.threads_active, masked(machine)) == (0, False)
    assert runs == [LINE] * 2


def silence(machine: Machine, bell: Bell) -> None:
    assert bell.slot is not None
    machine.bus.writel(bell.slot.address + STATUS, 0xFFFF_FFFF)
