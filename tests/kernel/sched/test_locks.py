"""Locks: the order of waiters, and the report about a task that sleeps in atomic context."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from simkernel import Machine, micros, millis, seconds
from simkernel.kernel.lib.taint import Taint
from simkernel.kernel.sched.completion import Completion
from simkernel.kernel.sched.mutex import Mutex
from simkernel.kernel.sched.spinlock import Lockup, SpinLock
from simkernel.kernel.sched.wait import sleep_on
from tests.kernel.conftest import Bench


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


def start(machine: Machine, *threads: Coroutine[Any, Any, None]) -> None:
    for number, thread in enumerate(threads):
        machine.kernel.processes.kthread(f"thread{number}", thread)
    machine.run(until=machine.now + seconds(1))


async def pause(machine: Machine, ns: int) -> None:
    await sleep_on(deadline=machine.engine.time() + ns)


def test_a_mutex_has_one_holder_and_a_fifo_of_waiters(machine: Machine) -> None:
    mutex = Mutex(machine.kernel.preempt, "m")
    inside: list[int] = []

    async def worker(number: int) -> None:
        await pause(machine, number * 1000)
        async with mutex:
            inside.append(number)
            await pause(machine, millis(10))
            assert inside[-1] == number

    start(machine, *(worker(number) for number in range(4)))
    assert inside == [0, 1, 2, 3]
    assert not mutex.locked


def test_a_mutex_is_given_back_when_its_block_fails(machine: Machine) -> None:
    mutex = Mutex(machine.kernel.preempt, "m")

    async def worker() -> None:
        with pytest.raises(ValueError, match="x"):
            async with mutex:
                raise ValueError("x")

    start(machine, worker())
    assert mutex.try_lock()
    assert not mutex.try_lock()
    mutex.unlock()
    with pytest.raises(RuntimeError, match="not locked"):
        mutex.unlock()


def test_a_killed_owner_to_be_passes_the_mutex_on(machine: Machine) -> None:
    mutex = Mutex(machine.kernel.preempt, "m")
    had: list[str] = []

    async def holder() -> None:
        async with mutex:
            await pause(machine, millis(1))
            assert victim.sleep is not None
            victim.sleep.wake(True)  # the waiter is woken, then killed before it runs
            machine.kernel.processes.runner.end(victim, 9)

    async def waiter(name: str) -> None:
        await pause(machine, 1000)
        async with mutex:
            had.append(name)

    kthread = machine.kernel.processes.kthread
    kthread("holder", holder())
    victim = kthread("victim", waiter("victim"))
    kthread("other", waiter("other"))
    machine.run(until=seconds(1))
    assert had == ["other"]


def test_a_completion_wakes_one_waiter_for_each_complete(machine: Machine) -> None:
    completion = Completion(machine.kernel.preempt, "c")
    results: list[tuple[int, bool]] = []

    async def waiter(number: int) -> None:
        deadline = machine.engine.time() + millis(100)
        results.append((number, await completion.wait(deadline=deadline)))

    async def worker() -> None:
        await pause(machine, millis(1))
        completion.complete()
        completion.complete()

    start(machine, waiter(0), waiter(1), waiter(2), worker())
    assert results == [(0, True), (1, True), (2, False)]
    completion.complete()
    completion.reinit()
    assert completion.done == 0


def test_a_spinlock_is_held_for_its_block(machine: Machine) -> None:
    lock = SpinLock(machine.kernel.preempt, "ring")
    with lock:
        assert lock.locked
        assert machine.kernel.preempt.in_atomic
        with pytest.raises(Lockup, match="ring"):
            lock.lock()
    assert not machine.kernel.preempt.in_atomic
    with pytest.raises(Lockup, match="already unlocked"):
        lock.unlock()


def test_locks_nest_in_any_order(machine: Machine) -> None:
    preempt = machine.kernel.preempt
    one, two = SpinLock(preempt, "one"), SpinLock(preempt, "two")
    one.lock()
    two.lock()
    assert preempt.count == 2
    one.unlock()
    assert preempt.in_atomic
    two.unlock()
    assert not preempt.in_atomic


def test_a_sleep_under_a_spinlock_is_reported_twice(bench: Bench) -> None:
    bench.module(
        "m",
        """
        async def init(this):
            with spin_lock_init(this, "ring"):
                await msleep(this, 1)
        """,
    )
    bench.load("m")
    kernel = bench.machine.kernel
    pid = kernel.processes.init.children[-1].pid
    assert bench.log[-3:] == [
        "BUG: sleeping function called from invalid context at msleep",
        f"in_atomic(): 1, irqs_disabled(): 0, pid: {pid}, name: blocking",
        f"BUG: scheduling while atomic: blocking/{pid}/0x00000001",
    ]
    assert kernel.preempt.bugs == 2
    assert Taint.WARN in kernel.taints
    assert not kernel.preempt.in_atomic
    assert bench.states() == {"m": "Live"}


def test_waiting_for_a_lock_of_a_sleeping_task_is_an_oops(bench: Bench) -> None:
    bench.module(
        "m",
        """
        async def init(this):
            lock = spin_lock_init(this, "ring")
            mod_timer(timer_setup(this, lambda timer: spin_lock(lock)), 0)
            with lock:
                await msleep(this, 10)
        """,
    )
    bench.load("m")
    assert "BUG: spinlock lockup suspected in m: Lockup" in bench.log
    bench.pass_time(micros(1))
    assert bench.states() == {"m": "Live"}
