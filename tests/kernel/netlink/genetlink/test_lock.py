"""genl_mutex: while one request sleeps, another request waits for the mutex. Each waiting request is woken in
the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simkernel import Machine, micros
from simkernel.kernel.netlink.genetlink.lock import OperationLock
from simkernel.kernel.sched.wait import WaitQueue, sleep_on


def run(*operations: Callable[[OperationLock], Any]) -> list[int]:
    """Run each operation in its own kernel thread. Return the indexes of the operations in the order in which
    the operations end.
    """
    lock, ended = OperationLock(), []

    async def ask(number: int, operation: Callable[[OperationLock], Any]) -> None:
        await lock.run_locked(operation, lock)
        ended.append(number)

    with Machine(udev=False) as machine:
        for number, operation in enumerate(operations):
            machine.kernel.processes.kthread(f"ask{number}", ask(number, operation))
        machine.run()
    assert not lock.held
    return ended


async def sleeps(_: OperationLock) -> None:
    queue = WaitQueue("a test")
    await sleep_on(queue, interruptible=False, deadline=micros(100))


def is_held(lock: OperationLock) -> None:
    assert lock.held


def test_a_second_waiter_is_woken_after_an_operation_that_does_not_sleep() -> None:
    assert run(sleeps, is_held, is_held, sleeps, is_held) == [0, 1, 2, 3, 4]


def test_an_operation_that_does_not_sleep_holds_the_lock() -> None:
    assert run(is_held) == [0]
