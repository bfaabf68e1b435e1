"""futex(2): FUTEX_WAIT on a word, and FUTEX_WAKE of its waiters."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import App, Machine, millis
from simkernel.uapi.errno import EAGAIN, EINVAL, ENOSYS, ETIMEDOUT
from simkernel.uapi.futex import FUTEX_WAIT_PRIVATE, FUTEX_WAKE_PRIVATE, FutexWord
from simkernel.uapi.signal import SIGKILL, SIGUSR1


def word(value: int = 0) -> FutexWord:
    made = FutexWord()
    made.value = value
    return made


@pytest.mark.parametrize(
    ("arguments", "errno"),
    [
        ((word(1), FUTEX_WAIT_PRIVATE, 0), EAGAIN),
        ((word(), FUTEX_WAIT_PRIVATE, 0, 5), ETIMEDOUT),
        ((word(), FUTEX_WAIT_PRIVATE, 0, -1), EINVAL),
        ((word(), 77, 0), ENOSYS),
    ],
)
def test_wrong_arguments_have_the_errors_of_linux(arguments: tuple[Any, ...], errno: int) -> None:
    with Machine(udev=False) as machine:
        process = machine.blocking()
        with pytest.raises(OSError) as caught:
            process.call("futex", *arguments)
        assert caught.value.errno == errno


@pytest.mark.parametrize("wrong", [0, [], None])
def test_a_word_of_another_class_is_refused(wrong: Any) -> None:
    with Machine(udev=False) as machine, pytest.raises(TypeError, match="word must be a FutexWord"):
        machine.blocking().call("futex", wrong, FUTEX_WAKE_PRIVATE, 1)


def test_a_timeout_is_in_nanoseconds() -> None:
    with Machine(udev=False) as machine:
        began = machine.now
        with pytest.raises(TimeoutError):
            machine.blocking().call("futex", word(), FUTEX_WAIT_PRIVATE, 0, millis(70))
        assert millis(70) <= machine.now - began < millis(71)


def test_waiters_are_woken_in_their_order() -> None:
    async def waits(app: App, number: int) -> None:
        assert await app.call("futex", shared, FUTEX_WAIT_PRIVATE, 0) == 0
        woken.append(number)

    async def wakes(app: App) -> None:
        await app.sleep(1)
        for count in (2, 0, 1, 5, 5):
            counts.append(await app.call("futex", shared, FUTEX_WAKE_PRIVATE, count))
            await app.sleep(1)

    shared, woken, counts = word(), list[int](), list[int]()
    with Machine(udev=False) as machine:
        for number in range(5):
            machine.spawn(waits, number)
        machine.spawn(wakes)
        machine.run()
    assert counts == [2, 0, 1, 2, 0] and woken == [0, 1, 2, 3, 4]


def test_a_signal_and_a_kill_end_the_wait() -> None:
    async def waits(app: App) -> None:
        await app.signal(SIGUSR1, lambda number: None)
        with pytest.raises(InterruptedError):
            await app.call("futex", shared, FUTEX_WAIT_PRIVATE, 0)

    shared = word()
    with Machine(udev=False) as machine:
        interrupted, killed = machine.spawn(waits), machine.spawn(waits)
        machine.run()
        interrupted.kill(SIGUSR1)
        killed.kill(SIGKILL)
        machine.run()
        assert (interrupted.exit_status, killed.exit_status) == (0, SIGKILL)
        assert machine.blocking().call("futex", shared, FUTEX_WAKE_PRIVATE, 9) == 0
