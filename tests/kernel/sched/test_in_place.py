"""A task that continues without the event queue has the same effects, times and order as a task that
continues through the queue.
"""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from simkernel import Machine, micros, seconds
from simkernel.kernel.lib.costs import FREE, CostModel
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.signal import SIGUSR1
from simkernel.uapi.socket import AF_NETLINK, MSG_DONTWAIT, SOCK_RAW

GROUP = 1
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["getpid", "yield", "receive", "look", "signal"]), st.just(0)),
        st.tuples(st.sampled_from(["compute", "sleep"]), st.sampled_from([0, 100, 94, 1000])),
        st.tuples(st.sampled_from(["send", "multicast"]), st.integers(0, 3)),
    ),
    max_size=10,
)


async def program(app: Any, number: int, steps: list[tuple[str, int]], seen: list[Any]) -> None:
    """Make a call for each pair (name, argument) in `steps`. Append the time after each call to `seen`."""
    await app.signal(SIGUSR1, lambda signal: seen.append((number, signal)))
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((number + 1, GROUP))
    for step, value in steps:
        with contextlib.suppress(OSError):
            if step == "getpid":
                await app.getpid()
            elif step == "yield":
                await app.sched_yield()
            elif step in ("receive", "look"):
                await sock.recv(100, MSG_DONTWAIT if step == "look" else 0)
            elif step == "signal":
                await app.kill(await app.getppid() + 2 + number, SIGUSR1)
            elif step == "compute":
                await app.compute(value)
            elif step == "sleep":
                await app.sleep(value / 1e9)
            else:
                await sock.sendto(b"x", (value + 1, 0) if step == "send" else (0, GROUP))
        seen.append((number, step, app.monotonic_ns()))


def history(programs: list[list[tuple[str, int]]], costs: CostModel, *, in_place: bool) -> list[Any]:
    """Run the programs. Return one list in the order of occurrence: the records that the programs append, the
    events of the trace, and the time after each run.
    """
    seen: list[Any] = []
    with Machine(udev=False, costs=costs) as machine:
        if not in_place:
            machine.engine.in_place = False
        machine.trace.subscribe(lambda each: seen.append((each.time, each.name, each.track, each.flow)))
        for number, steps in enumerate(programs):
            machine.spawn(program, number, steps, seen)
        for until in (micros(361), micros(363), seconds(1)):  # a run may end between two steps of a program
            machine.run(until=until)
            seen.append(machine.now)
    return seen


@given(st.lists(STEPS, min_size=1, max_size=4), st.sampled_from([FREE, CostModel()]))
def test_continuing_in_place_is_invisible(programs: list[list[tuple[str, int]]], costs: CostModel) -> None:
    assert history(programs, costs, in_place=True) == history(programs, costs, in_place=False)


def test_a_task_without_competitors_bypasses_the_queue() -> None:
    """A single task must not use the event queue. Otherwise the comparison with a run through the queue would
    compare the queue with itself.
    """
    queued: list[Any] = []

    async def alone(app: Any) -> None:
        for _ in range(10):
            await app.getpid()

    with Machine(udev=False) as machine:
        runner = machine.kernel.processes.runner
        completes = runner._completes
        runner._completes = lambda *how: queued.append(how) or completes(*how)
        machine.spawn(alone)
        machine.run()
    assert runner.system_calls == 10
    assert queued == []
