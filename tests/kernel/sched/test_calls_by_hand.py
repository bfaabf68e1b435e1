"""Programs that run a system call with `next(call.__await__())` instead of `await`. Such a program may fail,
but the other programs continue.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, SimulationError, seconds
from simkernel.uapi.signal import SIGTERM


def by_hand(call: Any) -> None:
    """Run a call up to its first yield, and do not pass the yielded value to the kernel."""
    next(call.__await__())


async def returns(app: Any) -> None:
    by_hand(app.sleep(1))


async def raises(app: Any) -> None:
    by_hand(app.sleep(1))
    raise ValueError


async def calls_again(app: Any) -> None:
    by_hand(app.sleep(1))
    await app.getpid()


def calls_again_by_yield(app: Any) -> Iterator[Any]:
    by_hand(app.sleep(1))
    yield app.getpid()


def calls_again_in_a_greenlet(app: Any) -> None:
    by_hand(app.app.sleep(1))
    app.getpid()


async def computes(app: Any) -> None:
    by_hand(app.sleep(1))
    await app.compute(5)


async def catches_everything(app: Any) -> None:
    while True:
        try:
            by_hand(app.sleep(1))
            await app.sleep(1)
        except:  # noqa: E722
            continue


async def exits(app: Any) -> None:
    by_hand(app.exit(3))


async def exits_and_calls(app: Any) -> None:
    by_hand(app.exit(3))
    await app.sleep(1)


async def in_a_handler(app: Any) -> None:
    await app.signal(SIGTERM, lambda number: by_hand(app.sleep(1)))
    await app.kill(await app.getpid(), SIGTERM)
    await app.sleep(1)


async def exits_in_a_handler(app: Any) -> None:
    await app.signal(SIGTERM, lambda number: by_hand(app.exit(3)))
    await app.kill(await app.getpid(), SIGTERM)
    await app.sleep(1)


async def in_two_threads(app: Any) -> None:
    await app.thread(returns)
    by_hand(app.sleep(1))


ENDS = {
    returns: (0, None),
    raises: (1 << 8, ValueError),
    calls_again: (1 << 8, SimulationError),
    calls_again_by_yield: (1 << 8, SimulationError),
    calls_again_in_a_greenlet: (1 << 8, SimulationError),
    computes: (1 << 8, SimulationError),
    catches_everything: (1 << 8, SimulationError),
    exits: (3 << 8, None),
    exits_and_calls: (3 << 8, None),
    in_a_handler: (1 << 8, SimulationError),
    exits_in_a_handler: (3 << 8, None),
    in_two_threads: (0, None),
}
"""Wait status and exception type of each program."""


@pytest.mark.parametrize("cpus", [None, 1])
@pytest.mark.parametrize("program", ENDS, ids=lambda program: program.__name__)
def test_only_that_program_ends(monkeypatch: pytest.MonkeyPatch, program: Any, cpus: int | None) -> None:
    async def other(app: Any) -> None:
        for _ in range(3):
            await app.sleep(0.1)

    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    status, failure = ENDS[program]
    with Machine(udev=False, cpus=cpus) as machine, warnings.catch_warnings():
        warnings.simplefilter("error")
        process, witness = machine.spawn(program), machine.spawn(other)
        if failure is None:
            machine.run(until=seconds(2))
        else:
            with pytest.raises(ExceptionGroup) as group:
                machine.run(until=seconds(2))
            assert [type(error) for error in group.value.exceptions] == [failure]
        assert (process.exit_status, witness.exit_status) == (status, 0)
        gc.collect()
    assert not [each.exc_value for each in unraisable]
