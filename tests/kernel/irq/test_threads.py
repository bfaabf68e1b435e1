"""Threaded interrupt handlers: masking of the line, runs of the thread, and freeing."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine, micros, millis, seconds
from simkernel.engine import Record
from simkernel.kernel.irq.descriptor import IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, IRQF_ONESHOT, IRQF_SHARED
from simkernel.kernel.sched.wait import sleep_on
from tests.kernel.irq.test_interrupts import STATUS, Bell, interrupts, plug


@pytest.fixture
def machine() -> Any:
    with Machine(udev=False) as machine:
        yield machine


class Thread:
    """A thread function that takes 100 µs, then makes the device lower its line, and records its calls."""

    def __init__(self, machine: Machine, bell: Bell, result: int = IRQ_HANDLED) -> None:
        self.machine = machine
        self.bell = bell
        self.result = result
        self.runs: list[tuple[int, str]] = []
        self.running = False

    async def __call__(self, irq: int, cookie: object) -> int:
        engine, kernel = self.machine.engine, self.machine.kernel
        assert not kernel.preempt.in_interrupt
        assert not self.running
        task = kernel.current()
        assert task is not None
        self.running = True
        await sleep_on(deadline=engine.time() + micros(100))
        self.runs.append((engine.now, task.comm))
        if self.bell.slot is not None:
            self.machine.bus.writel(self.bell.slot.address + STATUS, 1)
        self.running = False
        return self.result


def test_a_oneshot_line_stays_masked_until_the_thread_is_done(machine: Machine) -> None:
    bell = plug(machine)
    thread = Thread(machine, bell)
    interrupts(machine).request(None, 9, None, "bell", flags=IRQF_ONESHOT, thread_function=thread)
    bell.ring_at(0)
    machine.run(until=seconds(1))
    assert [comm for _, comm in thread.runs] == ["irq/9-bell"]
    assert interrupts(machine).lines[9].count == 1
    bell.ring_at(0)
    machine.run(until=seconds(2))
    assert len(thread.runs) == 2


def test_an_interrupt_during_the_thread_runs_it_again(machine: Machine) -> None:
    bell = plug(machine)
    thread = Thread(machine, bell)

    def quick(irq: int, cookie: object) -> int:
        assert bell.slot is not None
        machine.bus.writel(bell.slot.address + STATUS, 1)
        return IRQ_WAKE_THREAD

    interrupts(machine).request(None, 9, quick, "bell", thread_function=thread)
    for delay in (0, 20, 40):
        bell.ring_at(micros(delay))
    machine.run(until=seconds(1))
    assert interrupts(machine).lines[9].count == 3
    assert len(thread.runs) == 2


def test_freeing_waits_for_the_thread(machine: Machine) -> None:
    bell = plug(machine)
    thread = Thread(machine, bell)
    lines = interrupts(machine)
    lines.request(None, 9, None, "bell", flags=IRQF_ONESHOT, thread_function=thread)
    before = len(machine.kernel.processes)
    bell.ring_at(0)
    freed: list[int] = []

    async def free() -> None:
        await sleep_on(deadline=machine.engine.time() + micros(50))
        await lines.free(9, None)
        freed.append(machine.engine.now)

    machine.kernel.processes.kthread("free", free())
    machine.run(until=seconds(1))
    assert freed[0] >= thread.runs[0][0]
    assert len(machine.kernel.processes) == before - 1
    assert lines.lines[9].actions == ()
    bell.ring_at(0)
    machine.run(until=seconds(2))
    assert len(thread.runs) == 1


def test_freeing_an_unknown_resource_is_a_warning(machine: Machine) -> None:
    async def free() -> None:
        await interrupts(machine).free(9, None)

    machine.kernel.processes.kthread("free", free())
    machine.run(until=seconds(1))
    assert machine.log.records[-1].text == "WARNING: Trying to free already-free IRQ 9"


def test_the_flow_continues_in_the_thread(machine: Machine) -> None:
    bell = plug(machine)
    flows: dict[str, int] = {}

    def listen(record: Record) -> None:
        flows.setdefault(record.name, record.flow)

    def ring() -> None:
        machine.trace.new_flow()
        bell.write_ring(1)

    async def thread(irq: int, cookie: object) -> int:
        emit = machine.trace.emit
        assert emit is not None
        emit("in_thread", "kernel", "test")
        assert bell.slot is not None
        machine.bus.writel(bell.slot.address + STATUS, 1)
        return IRQ_HANDLED

    machine.trace.subscribe(listen)
    interrupts(machine).request(None, 9, None, "bell", flags=IRQF_ONESHOT, thread_function=thread)
    bell.after(micros(10), ring)
    machine.run(until=seconds(1))
    assert flows["irq_raise"] > 0
    assert flows["irq_raise"] == flows["in_thread"]


@pytest.mark.parametrize(("result", "stuck"), [(IRQ_HANDLED, False), (IRQ_NONE, True)])
def test_threads_that_never_handle_disable_the_line(machine: Machine, result: int, stuck: bool) -> None:
    """A thread function returns IRQ_HANDLED or IRQ_NONE. `note_interrupt()` evaluates this result only at the
    next interrupt.
    """
    bell = plug(machine)

    def thread(irq: int, cookie: object) -> int:
        return result

    interrupts(machine).request(None, 9, None, "bell", flags=IRQF_ONESHOT, thread_function=thread)
    bell.ring_at(0)
    desc = interrupts(machine).lines[9]
    while desc.count < 1000:
        machine.run(until=machine.now + millis(1))
    assert (desc.unhandled > 900) is stuck


def test_a_shared_line_waits_for_all_oneshot_threads(machine: Machine) -> None:
    bells = [plug(machine), plug(machine)]
    threads = [Thread(machine, bell) for bell in bells]
    for thread in threads:
        interrupts(machine).request(
            None, 9, None, "bell", thread, flags=IRQF_ONESHOT | IRQF_SHARED, thread_function=thread
        )
    bells[0].ring_at(0)
    machine.run(until=seconds(1))
    assert [len(thread.runs) for thread in threads] == [1, 1]
    assert interrupts(machine).lines[9].count == 1
