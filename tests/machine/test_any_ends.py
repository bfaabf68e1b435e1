"""Random programs start children and raise exceptions. After the machine is closed, all of them have ended
and all resources are released.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import InternalError, Machine, seconds
from simkernel.machine import Process
from simkernel.testing import left_behind
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.signal import SIG_IGN, SIGCHLD, SIGKILL, SIGTERM, SIGUSR1
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from tests.examples import examples

END: Final = seconds(5)


class OwnError(BaseException):
    """A BaseException that a program defines."""


RAISED: Final[tuple[Callable[[], BaseException], ...]] = (
    lambda: ValueError("wrong"),
    lambda: OSError(5, "wrong"),
    lambda: SystemExit(3),
    lambda: pytest.skip.Exception("skipped"),
    asyncio.CancelledError,
    GeneratorExit,
    OwnError,
    MemoryError,
    RecursionError,
    StopIteration,
    KeyboardInterrupt,
)
EXCEPTION: Final = st.sampled_from(range(len(RAISED)))


class Story(NamedTuple):
    """A program's kind, its steps, and its action at the end."""

    kind: str
    steps: list[Any]
    end: str
    error: int


def stories(children: st.SearchStrategy[Story]) -> st.SearchStrategy[Story]:
    step = st.one_of(
        st.tuples(st.just("sleep"), st.sampled_from([0, 0.1, 1, 9])),
        st.tuples(st.sampled_from(["bind", "pipe", "wait", "ignore", "deep"]), st.just(0)),
        st.tuples(st.sampled_from(["raise", "handle"]), EXCEPTION),
        st.tuples(st.sampled_from(["kill", "kill parent"]), st.sampled_from([SIGTERM, SIGUSR1, SIGKILL])),
        st.tuples(st.sampled_from(["spawn", "thread"]), children),
    )
    return st.builds(
        Story,
        st.sampled_from(["async", "generator", "plain"]),
        st.lists(step, max_size=6),
        st.sampled_from(["", "", "raise", "call", "swallow"]),
        EXCEPTION,
    )


TREES: Final = stories(stories(stories(st.nothing()))) | stories(stories(st.nothing()))


class Tree:
    """Makes a program from each `Story`. `raised` has the types of all exceptions that these programs have
    raised.
    """

    def __init__(self) -> None:
        self.raised: set[type[BaseException]] = set()

    def error(self, number: int) -> BaseException:
        error = RAISED[number]()
        self.raised.add(RuntimeError if isinstance(error, StopIteration) else type(error))
        return error

    def program(self, story: Story) -> Callable[[Any], Any]:
        async def program(app: Any) -> None:
            steps = self.run(app, story)
            value, error = None, None
            while True:
                try:
                    request = steps.send(value) if error is None else steps.throw(error)
                except StopIteration:
                    return
                value = error = None
                try:
                    value = await request
                except BaseException as raised:  # noqa: BLE001
                    error = raised

        def generator(app: Any) -> Any:
            yield from self.run(app, story)

        def plain(app: Any) -> None:
            steps = self.run(app, story)
            value = None
            while True:
                try:
                    value = steps.send(value)
                except StopIteration:
                    return

        return {"async": program, "generator": generator, "plain": plain}[story.kind]

    def run(self, app: Any, story: Story) -> Generator[Any, Any, None]:
        """Yield each call of a program. If the program is a plain function, its calls block, so this
        generator yields their results.
        """
        try:
            for action, value in story.steps:
                try:
                    yield from self.step(app, action, value)
                except (OSError, RecursionError):
                    if action == "raise":
                        raise
            while story.end == "swallow":
                try:
                    yield app.sleep(1)
                except BaseException:  # noqa: BLE001
                    continue
        finally:
            if story.end == "raise":
                raise self.error(story.error)
            if story.end == "call":
                yield app.getpid()

    def step(self, app: Any, action: str, value: Any) -> Generator[Any, Any, None]:
        if action == "sleep":
            yield app.sleep(value)
        elif action == "bind":
            sock = yield app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
            yield sock.bind((0, 1))
        elif action == "pipe":
            yield app.pipe()
        elif action == "wait":
            yield app.wait()
        elif action == "ignore":
            yield app.signal(SIGCHLD, SIG_IGN)
        elif action == "deep":
            yield from self.step(app, action, value)
        elif action == "raise":
            raise self.error(value)
        elif action == "handle":
            yield app.signal(SIGTERM, lambda number: self.fail(value))
        elif action == "kill":
            yield app.kill((yield app.getpid()), value)
        elif action == "kill parent":
            yield app.kill((yield app.getppid()), value)
        else:
            yield getattr(app, action)(self.program(value))

    def fail(self, number: int) -> None:
        raise self.error(number)


def outcomes(action: Callable[[], object]) -> list[BaseException]:
    """Return the exceptions that `action` raises. For an exception group, return its members."""
    try:
        action()
    except BaseExceptionGroup as group:
        return list(group.exceptions)
    except (pytest.skip.Exception, KeyboardInterrupt) as error:
        return [error]
    return []


def run(machine: Machine, until: int) -> list[BaseException]:
    """Run up to an instant, and return the exceptions of programs.  Resume after a KeyboardInterrupt."""
    failures = []
    while machine.now < until:
        errors = outcomes(lambda: machine.run(until=until))
        failures += errors
        assert machine.now == until or any(isinstance(error, KeyboardInterrupt) for error in errors)
    return failures


def check(trees: list[Story], cpus: int | None) -> None:
    tree = Tree()
    machine = Machine(udev=False, cpus=cpus)
    every: set[Any] = set()

    def on_record(record: Any) -> None:
        every.update(machine.kernel.processes)

    machine.trace.subscribe(on_record)
    processes: list[Process] = [machine.spawn(tree.program(story)) for story in trees]
    failures = run(machine, END)
    for process in processes[::2]:
        if process.alive:
            process.kill(SIGKILL)
    failures += run(machine, END + seconds(1))
    alive = [process for process in processes[::2] if process.alive]
    failures += outcomes(machine.close) + outcomes(machine.raise_failures)
    assert not alive
    assert not any(isinstance(error, InternalError) for error in failures)
    for error in failures:
        text = str(error)
        python = ("never awaited", "caught GeneratorExit", "generator ignored GeneratorExit")
        assert type(error) in tree.raised or any(each in text for each in python)
    assert all(process.exit_status is not None for process in processes)
    stay = {machine.kernel.processes.init, machine.kernel.processes.kthreadd}
    assert not [task for task in every - stay if task.alive or task.program or task.frame or task.sleep]
    assert left_behind(machine) == []


@settings(max_examples=examples(60), deadline=None)
@given(trees=st.lists(TREES, min_size=1, max_size=3), cpus=st.sampled_from([None, 1, 2]))
def test_any_tree_of_programs_ends(trees: list[Story], cpus: int | None) -> None:
    check(trees, cpus)


@pytest.mark.long
@settings(max_examples=2000, deadline=None)
@given(trees=st.lists(TREES, min_size=1, max_size=3), cpus=st.sampled_from([None, 1, 2]))
def test_very_many_trees_of_programs_end(trees: list[Story], cpus: int | None) -> None:
    check(trees, cpus)
