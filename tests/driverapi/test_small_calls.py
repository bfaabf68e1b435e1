"""Calls of driverapi that few drivers make: completions, timers, guards, wait queues, polls of a register."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.kernel.device.devres import Devres

MODULE = """
import attrs
from simkernel.driverapi.completion import *
from simkernel.driverapi.delay import *
from simkernel.driverapi.iopoll import *
from simkernel.driverapi.ktime import *
from simkernel.driverapi.module import Module
from simkernel.driverapi.mutex import *
from simkernel.driverapi.timer import *
from simkernel.driverapi.wait import *
from simkernel.driverapi.workqueue import *

MODULE = Module(license="GPL")
MS = 1_000_000


async def init(this):
    seen = []
    begun = ktime_get(this)

    def note(*values):
        seen.append((round((ktime_get(this) - begun) / MS), *values))

    BODY
    return seen
"""

BODIES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "a timer is pending until it fires": (
        """
    timer = timer_setup(this, lambda timer: note("fired"))
    note(timer_pending(timer), mod_timer(timer, ktime_get(this) + 2 * MS), timer_pending(timer))
    await msleep(this, 3)
    note(timer_pending(timer), timer_delete(timer))
    mod_timer(timer, ktime_get(this) + 2 * MS)
    note(mod_timer(timer, ktime_get(this) + 5 * MS), timer_delete(timer), timer_pending(timer))
    await msleep(this, 9)
""",
        [(0, False, False, True), (2, "fired"), (3, False, False), (3, True, True, False)],
    ),
    "an ordered work queue runs one item at a time": (
        """
    queue = alloc_ordered_workqueue(this, "one")

    async def run(work):
        note("begins")
        await msleep(this, 2)
        note("ends")

    for work in (init_work(this, run), init_work(this, run)):
        queue_work(queue, work)
    await destroy_workqueue(this, queue)
""",
        [(0, "begins"), (2, "ends"), (2, "begins"), (4, "ends")],
    ),
    "a completion counts until it is initialized again": (
        """
    done = init_completion(this, "done")
    complete(done)
    complete(done)
    note(await wait_for_completion_timeout(this, done, MS))
    note(await wait_for_completion_timeout(this, done, MS))
    note(await wait_for_completion_timeout(this, done, MS))
    complete(done)
    reinit_completion(done)
    note(await wait_for_completion_timeout(this, done, 2 * MS))
""",
        [(0, True), (0, True), (1, False), (3, False)],
    ),
    "a wait ends with its condition or its deadline": (
        """
    queue, ready = init_waitqueue_head("ready"), []
    note(waitqueue_active(queue), await wait_event_timeout(this, queue, lambda: ready, 2 * MS))

    def fire(timer):
        note("active", waitqueue_active(queue))
        ready.append(1)
        wake_up(queue)

    timer = timer_setup(this, fire)
    mod_timer(timer, ktime_get(this) + MS)
    note(await wait_event_timeout(this, queue, lambda: ready, 9 * MS), waitqueue_active(queue))
    note(await wait_event_timeout(this, queue, lambda: ready, 0))
""",
        [(2, False, False), (3, "active", True), (3, True, False), (3, True)],
    ),
    "a guard waits for its mutex": (
        """
    mutex = mutex_init(this, "mutex")
    note(mutex_guarded(mutex, lambda value: (value, mutex_trylock(mutex)), 5), mutex_trylock(mutex))
    mutex_unlock(mutex)

    async def holder(work):
        await mutex_lock(mutex)
        await msleep(this, 2)
        mutex_unlock(mutex)

    schedule_work(init_work(this, holder))
    await msleep(this, 1)
    note(await mutex_guarded(mutex, lambda: mutex_trylock(mutex)), mutex_trylock(mutex))
    mutex_unlock(mutex)
""",
        [(0, (5, False), True), (2, False, True)],
    ),
    "a register is polled until its value is right or the time is over": (
        """
    values = iter(range(100))
    note(await read_poll_timeout(this, lambda: next(values), lambda value: value == 3, 1000, 9000))
    try:
        await read_poll_timeout(this, lambda: 0, lambda value: value == 1, 1000, 2500)
    except OSError as error:
        note(error.errno)
""",
        [(3, 3), (6, 110)],
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_calls_of_a_module(name: str, tmp_path: Path) -> None:
    body, expected = BODIES[name]
    (tmp_path / "small.py").write_text(MODULE.replace("    BODY\n", body.lstrip("\n")))
    with Machine(udev=False, module_path=[tmp_path]) as machine:
        machine.blocking().insmod("small")
        machine.run(until=machine.now + millis(20))
        module = machine.kernel.modules.find("small")
        assert module is not None
        assert module.data == expected


def test_managed_resources_are_released_in_reverse_order() -> None:
    """If a key has several resources, `devres_remove()` removes the latest one first."""
    devres, released = Devres(), []
    keys = [object(), object()]
    for place, key in enumerate((keys[0], keys[1], keys[0])):
        devres.add(key, lambda place=place: released.append(place))  # type: ignore[misc]
    assert len(devres) == 3
    assert devres.remove(keys[0])
    assert not devres.remove(object())
    assert len(devres) == 2
    asyncio.run(devres.release_all())
    assert released == [1, 0]
    assert not devres.remove(keys[0])
