"""Work queues: queueing, delayed work, ordered queues, cancelling, flushing, and destroying."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from simkernel import Machine, SimulationError, millis, seconds
from simkernel.kernel.sched.wait import sleep_on
from simkernel.kernel.workqueue import Work


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


class Job:
    """Work that sleeps for `ns` nanoseconds, and records the times of its start and end."""

    def __init__(self, machine: Machine, ns: int = 0, name: str = "job") -> None:
        self.machine = machine
        self.ns = ns
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.work = Work(None, name, self.run)

    async def run(self, work: Work) -> None:
        assert len(self.begun) == len(self.ended), "two workers at a time"
        self.begun.append(self.machine.engine.now)
        if self.ns:
            await sleep_on(deadline=self.machine.engine.time() + self.ns)
        self.ended.append(self.machine.engine.now)


def workers(machine: Machine) -> int:
    return sum(task.comm.startswith("kworker/") for task in machine.kernel.processes)


def test_work_runs_in_process_context(machine: Machine) -> None:
    seen: list[str] = []

    def function(work: Work) -> None:
        task = machine.kernel.current()
        assert task is not None
        seen.append(task.comm)

    assert machine.kernel.work_queues.system.add(Work(None, "w", function))
    machine.run(until=millis(1))
    assert seen == ["kworker/events"]


def test_work_is_queued_once(machine: Machine) -> None:
    job = Job(machine)
    queue = machine.kernel.work_queues.system
    assert queue.add(job.work)
    assert not queue.add(job.work)
    assert not queue.add_delayed(job.work, 5)
    machine.run(until=millis(1))
    assert len(job.begun) == 1


def test_work_queued_while_it_runs_runs_once_more_afterwards(machine: Machine) -> None:
    job = Job(machine, millis(10))
    queue = machine.kernel.work_queues.system
    queue.add(job.work)
    machine.run(until=millis(5))
    assert queue.add(job.work)
    machine.run(until=seconds(1))
    assert len(job.ended) == 2
    assert job.begun[1] >= job.ended[0]


def test_work_that_sleeps_does_not_hold_up_the_systems_queue(machine: Machine) -> None:
    slow, quick = Job(machine, millis(100)), Job(machine)
    for job in (slow, quick):
        machine.kernel.work_queues.system.add(job.work)
    machine.run(until=millis(1))
    assert len(quick.ended) == 1
    machine.run(until=seconds(1))
    before = workers(machine)
    machine.kernel.work_queues.system.add(quick.work)
    machine.run(until=seconds(2))
    assert len(quick.ended) == 2
    assert workers(machine) == before, "an idle worker is used again"


def test_an_ordered_queue_runs_one_after_the_other(machine: Machine) -> None:
    queue = machine.kernel.work_queues.allocate(None, "mine", 1)
    jobs = [Job(machine, millis(10)) for _ in range(3)]
    for job in jobs:
        queue.add(job.work)
    machine.run(until=seconds(1))
    for earlier, later in pairwise(jobs):
        assert later.begun[0] >= earlier.ended[0]


def test_delayed_work(machine: Machine) -> None:
    job = Job(machine)
    machine.kernel.work_queues.system.add_delayed(job.work, millis(20))
    machine.run(until=millis(19))
    assert job.begun == []
    machine.run(until=millis(21))
    assert len(job.begun) == 1


def test_cancelling(machine: Machine) -> None:
    queue = machine.kernel.work_queues.system
    delayed, running = Job(machine), Job(machine, millis(10))
    queue.add_delayed(delayed.work, millis(5))
    queue.add(running.work)
    machine.run(until=millis(1))
    assert queue.cancel(delayed.work)
    assert not queue.cancel(delayed.work)
    queue.add(running.work)  # the work runs, and is queued again
    cancelled: list[int] = []

    async def cancel() -> None:
        await queue.cancel_sync(running.work)
        cancelled.append(machine.engine.now)

    machine.kernel.processes.kthread("canceller", cancel())
    machine.run(until=seconds(1))
    assert delayed.begun == []
    assert len(running.ended) == 1
    assert cancelled[0] >= running.ended[0]
    assert len(machine.kernel.resources) == 1, "only the bus's own interrupt handler"


def test_flushing(machine: Machine) -> None:
    queue = machine.kernel.work_queues.system
    job = Job(machine, millis(10))
    queue.add_delayed(job.work, seconds(100))
    flushed: list[int] = []

    async def flush() -> None:
        await queue.flush_work(job.work)
        flushed.append(machine.engine.now)

    machine.kernel.processes.kthread("flusher", flush())
    machine.run(until=seconds(1))
    assert len(job.ended) == 1
    assert flushed[0] >= job.ended[0]


def test_destroying_runs_queued_work_and_ends_the_workers(machine: Machine) -> None:
    before = workers(machine)
    queues = machine.kernel.work_queues
    queue = queues.allocate(None, "mine", 2)
    jobs = [Job(machine, millis(10)) for _ in range(5)]
    for job in jobs:
        queue.add(job.work)

    async def destroy() -> None:
        await queues.destroy(queue)

    machine.kernel.processes.kthread("destroyer", destroy())
    machine.run(until=seconds(1))
    assert all(len(job.ended) == 1 for job in jobs)
    assert workers(machine) == before
    assert queues.executed >= 0


def test_queueing_on_a_destroyed_queue_is_a_fault_of_the_caller(machine: Machine) -> None:
    queues = machine.kernel.work_queues
    queue = queues.allocate(None, "mine", 1)
    machine.kernel.processes.kthread("destroyer", queues.destroy(queue))
    machine.run(until=seconds(1))
    with pytest.raises(SimulationError, match="workqueue mine is destroyed: stop"):
        queue.add(Job(machine).work)
