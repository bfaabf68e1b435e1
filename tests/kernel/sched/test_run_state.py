"""Transitions of tasks between run states, compared with the table of allowed transitions."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import Machine, millis, seconds
from simkernel.kernel.sched.run_state import START, TRANSITIONS, RunState
from simkernel.kernel.sched.runner import Runner
from simkernel.kernel.sched.task import SchedTask
from simkernel.kernel.sched.wait import WaitQueue, sleep_on
from simkernel.uapi.signal import SIG_IGN, SIGTERM, SIGUSR1
from simkernel.uapi.socket import AF_UNIX, MSG_WAITALL, SO_RCVTIMEO, SOCK_STREAM, SOL_SOCKET

STEPS = ("start", "submit", "_advance", "_drive", "_resume", "_complete", "end")
"""Methods of `Runner` that may change a task's state. The test reads the state before and after each call."""

Transition = tuple[RunState, RunState]
TABLE = {(state, following) for state, others in TRANSITIONS.items() for following in others}


@contextlib.contextmanager
def observed() -> Iterator[set[Transition]]:
    """Context manager that yields the set of the state transitions that tasks make in its body."""
    states: dict[int, tuple[SchedTask, RunState]] = {}
    seen: set[Transition] = set()

    def look(task: SchedTask) -> None:
        _, before = states.get(id(task), (task, START))
        after = task.run_state
        if after is not before:
            seen.add((before, after))
        states[id(task)] = task, after

    def step(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(runner: Runner, task: SchedTask, *arguments: Any) -> Any:
            look(task)
            try:
                return method(runner, task, *arguments)
            finally:
                look(task)

        return call

    def enter(runner: Runner, call: Any) -> Any:
        return plain_enter(runner, call) if runner.current is None else entered(runner, runner.current, call)

    plain_enter = Runner.enter
    entered = step(lambda runner, task, call: plain_enter(runner, call))
    with contextlib.ExitStack() as stack:
        for name in STEPS:
            stack.enter_context(patch.object(Runner, name, step(getattr(Runner, name))))
        stack.enter_context(patch.object(Runner, "enter", enter))
        yield seen


async def child(app: Any, reader: int) -> None:
    """Read from a pipe."""
    await app.read(reader, 1)


async def spawner(app: Any) -> None:
    """Kill a child before it has run, so that its first call blocks with a pending signal."""
    reader, _ = await app.pipe()
    pid = await app.spawn(child, reader)
    await app.kill(pid, SIGTERM)
    await app.waitpid(pid)


async def whole_message(app: Any) -> None:
    """Receive a message that arrives in two pieces."""
    one, other = await app.socketpair(AF_UNIX, SOCK_STREAM)

    async def sender(app: Any) -> None:
        for _ in range(2):
            await app.sleep(0.001)
            await app.write(other.fileno(), b"xx")

    await app.thread(sender)
    await one.recv(4, MSG_WAITALL)


async def woken_for_nothing(app: Any) -> None:
    """Wake a reader of a pipe with a byte, but read this byte before the reader runs. Then write a second
    byte, which the reader gets.
    """
    reader, writer = await app.pipe()

    async def read(app: Any) -> None:
        await app.read(reader, 1)

    await app.thread(read)
    await app.sleep(0.001)
    await app.write(writer, b"x")
    await app.read(reader, 1)
    await app.sleep(0.001)
    await app.write(writer, b"x")
    await app.sleep(0.001)


async def exits(app: Any) -> None:
    """Use the CPU, then exit."""
    await app.compute(1000)
    await app.exit(3)


async def sleeper(app: Any) -> None:
    """Sleep for a long time."""
    await app.sleep(3600)


def test_every_transition_of_the_table_is_made_and_no_other() -> None:
    wakeups: list[int] = []
    with observed() as seen:
        for program in (spawner, whole_message, woken_for_nothing, exits, sleeper):
            with Machine(udev=False) as machine:
                machine.trace.subscribe(
                    lambda record: wakeups.append(record.time) if record.name == "sched_wakeup" else None
                )
                machine.spawn(program)
                machine.run(until=seconds(1))
        for until in wakeups:  # closing the machine ends the program after it is woken and before it runs
            with Machine(udev=False) as machine:
                machine.spawn(woken_for_nothing)
                machine.run(until=until)
        for_ordinary_code()
        kernel_thread()
    assert seen == TABLE


STEP = st.sampled_from(["read", "write", "sleep", "compute", "yield", "thread", "spawn", "kill", "exit"])


async def steps(app: Any, fds: tuple[int, int], plan: list[str]) -> None:
    """Execute the actions in the list `plan`, in order. The actions `thread` and `spawn` start a thread or a
    child that also executes the rest of `plan`.
    """
    await app.signal(SIGUSR1, SIG_IGN if len(plan) % 2 else lambda _: None)
    for number, step in enumerate(plan):
        with contextlib.suppress(OSError):
            if step == "read":
                await app.read(fds[0], 1)
            elif step == "write":
                await app.write(fds[1], b"x")
            elif step == "sleep":
                await app.sleep(0.001)
            elif step == "compute":
                await app.compute(1000)
            elif step == "yield":
                await app.sched_yield()
            elif step == "thread":
                await app.thread(steps, fds, plan[number + 1 :])
            elif step == "spawn":
                await app.spawn(steps, fds, plan[number + 1 :])
            elif step == "kill":
                await app.kill(await app.getpid() + number % 3, SIGUSR1 if number % 2 else SIGTERM)
            else:
                await app.exit(0)


@given(st.lists(STEP, max_size=8), st.sampled_from([None, 1, 2]))
def test_random_programs_make_only_transitions_of_the_table(plan: list[str], cpus: int | None) -> None:
    async def program(app: Any) -> None:
        await steps(app, await app.pipe(), plan)

    with observed() as seen, Machine(udev=False, cpus=cpus) as machine:
        machine.spawn(program)
        machine.run(until=millis(20))
    assert seen <= TABLE


def for_ordinary_code() -> None:
    """Make blocking calls with `machine.blocking()`, outside the simulation."""
    with Machine(udev=False) as machine, machine.blocking() as facade:
        sock, _ = facade.socketpair()
        sock.setsockopt(SOL_SOCKET, SO_RCVTIMEO, struct.pack("<qq", 0, 1000))
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        facade.sleep(0.001)
        facade.run(facade.app.compute(1000))


def kernel_thread() -> None:
    """A kernel thread that sleeps."""
    with Machine(udev=False) as machine:
        queue = WaitQueue("the test")

        async def thread() -> None:
            await sleep_on(queue, deadline=machine.now + 1000)

        machine.kernel.processes.kthread("sleeper", thread())
        machine.run()
