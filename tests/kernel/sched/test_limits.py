"""Limits on descriptors and processes: for a user, for a process and for the machine (getrlimit(2))."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from fcntl import FD_CLOEXEC
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine, NotModelled, seconds
from simkernel.kernel.sched import process
from simkernel.testing import left_behind
from simkernel.uapi.capability import CAP_SYS_ADMIN, CAP_SYS_RESOURCE
from simkernel.uapi.fcntl import F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, O_CLOEXEC, O_CREAT, O_RDWR
from simkernel.uapi.resource import RLIM_INFINITY, RLIMIT_AS, RLIMIT_NOFILE, RLIMIT_NPROC
from simkernel.uapi.signal import SIG_IGN, SIGCHLD
from tests.examples import examples

USER = 1000
MAX_THREADS = 50


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Return a machine with little memory."""
    monkeypatch.setattr(process, "MAX_THREADS", MAX_THREADS)
    with Machine(udev=False) as machine:
        yield machine


async def sleeper(app: Any) -> None:
    await app.sleep(1)


async def spawned(app: Any) -> int:
    """Spawn children until EAGAIN, and return their number."""
    count = 0
    with pytest.raises(BlockingIOError):  # EAGAIN
        while True:
            await app.spawn(sleeper)
            count += 1
    return count


def error_of(program: Callable[[Any], Any], **how: Any) -> int | None:
    """Return the errno of `program`'s failure."""
    with Machine(udev=False) as machine:
        one = machine.spawn(program, **how)
        with pytest.raises(ExceptionGroup):
            machine.run()
        assert isinstance(one.failure, OSError)
        return one.failure.errno


# -- processes ------------------------------------------------------------------


@pytest.mark.parametrize("uid", [0, USER])
def test_a_fork_bomb_ends(machine: Machine, uid: int) -> None:
    failed = []

    async def bomb(app: Any) -> None:
        await app.signal(SIGCHLD, SIG_IGN)
        try:
            while True:
                await app.spawn(bomb)
        except BlockingIOError:
            failed.append(1)
            await app.sleep(1)

    machine.spawn(bomb, uid=uid)
    machine.run()
    assert len(failed) > MAX_THREADS / 2
    assert left_behind(machine) == []
    machine.spawn(sleeper, uid=uid)  # below the limit again
    machine.run()


def test_a_user_has_at_most_rlimit_nproc_processes(machine: Machine) -> None:
    counts = []

    async def program(app: Any) -> None:
        await app.setrlimit(RLIMIT_NPROC, (10, 20))
        counts.append(await spawned(app))  # the calling process counts toward the limit, too
        with pytest.raises(BlockingIOError):
            await app.thread(sleeper)
        await app.setrlimit(RLIMIT_NPROC, (12, 20))
        counts.append(await spawned(app))
        for _ in range(sum(counts)):  # a zombie counts
            await app.sleep(2)
            await app.wait()
        counts.append(await spawned(app))

    machine.spawn(sleeper)  # processes of other users do not count toward the limit
    machine.spawn(program, uid=USER)
    machine.run()
    assert counts == [9, 2, 11]


@pytest.mark.parametrize(
    ("uid", "capabilities", "exempt"),
    [
        (0, None, True),
        (0, (), True),
        (USER, (), False),
        (USER, (CAP_SYS_RESOURCE,), True),
        (USER, (CAP_SYS_ADMIN,), True),
    ],
)
def test_privileged_users_are_limited_only_by_the_machine(
    machine: Machine, uid: int, capabilities: Any, exempt: bool
) -> None:
    counts = []

    async def program(app: Any) -> None:
        await app.setrlimit(RLIMIT_NPROC, (5, 5))
        counts.append(await spawned(app))

    machine.spawn(program, uid=uid, capabilities=capabilities)
    before = len(machine.kernel.processes)
    machine.run()
    assert counts == [MAX_THREADS - before if exempt else 4]


def test_a_process_counts_for_the_user_that_it_becomes(machine: Machine) -> None:
    counts = []

    async def program(app: Any) -> None:
        await app.setrlimit(RLIMIT_NPROC, (5, 5))
        await app.setuid(USER)
        counts.append(await spawned(app))

    machine.spawn(sleeper, uid=USER)
    machine.spawn(program)
    machine.run()
    assert counts == [3]


# -- the calls -------------------------------------------------------------------------


def test_limits_are_inherited_and_threads_share_them(machine: Machine) -> None:
    seen = []

    async def look(app: Any) -> None:
        seen.append(await app.getrlimit(RLIMIT_NOFILE))

    async def change(app: Any) -> None:
        await app.setrlimit(RLIMIT_NOFILE, (8, 9))

    async def program(app: Any) -> None:
        await look(app)
        await app.thread(change)
        await app.sleep(1)
        await app.spawn(look)
        await app.sleep(1)
        await look(app)

    machine.spawn(program)
    machine.run()
    assert seen == [(1024, 524288), (8, 9), (8, 9)]


def test_rlim_infinity_is_that_of_python(machine: Machine) -> None:
    seen = []

    async def program(app: Any) -> None:
        await app.setrlimit(RLIMIT_NPROC, (RLIM_INFINITY, RLIM_INFINITY))
        seen.append(await app.getrlimit(RLIMIT_NPROC))

    machine.spawn(program)
    machine.run()
    assert seen == [(RLIM_INFINITY, RLIM_INFINITY)]


@pytest.mark.parametrize(
    ("resource", "limits", "uid", "wrong"),
    [
        (RLIMIT_NOFILE, (9, 8), 0, errno.EINVAL),
        (RLIMIT_NPROC, (RLIM_INFINITY, 8), 0, errno.EINVAL),
        (16, (8, 8), 0, errno.EINVAL),
        (-1, (8, 8), 0, errno.EINVAL),
        (RLIMIT_NOFILE, (8, 1048577), 0, errno.EPERM),
        (RLIMIT_NOFILE, (8, 1048576), USER, errno.EPERM),
        (RLIMIT_NPROC, (8, RLIM_INFINITY), USER, errno.EPERM),
    ],
)
def test_wrong_limits_have_the_errors_of_linux(
    resource: int, limits: tuple[int, int], uid: int, wrong: int
) -> None:
    """The errors are those of `do_prlimit()` (kernel/sys.c)."""

    async def program(app: Any) -> None:
        await app.setrlimit(resource, limits)

    assert error_of(program, uid=uid) == wrong


def test_other_limits_are_not_modelled() -> None:
    async def program(app: Any) -> None:
        await app.getrlimit(RLIMIT_AS)

    assert error_of(program) == errno.EINVAL
    with Machine(udev=False, unmodelled="raise") as machine:
        machine.spawn(program)
        with pytest.raises(ExceptionGroup) as group:
            machine.run(until=seconds(1))
        assert isinstance(group.value.exceptions[0], NotModelled)


# -- descriptors ----------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("dup"), st.just(0)),
        st.tuples(st.sampled_from(["from", "cloexec", "onto", "close", "limit"]), st.integers(0, 40)),
    ),
    max_size=60,
)


@settings(max_examples=examples(50))
@given(steps=STEPS)
def test_a_new_descriptor_is_the_lowest_that_is_free(steps: list[tuple[str, int]]) -> None:
    """The test keeps its own set of open descriptors, and compares it with the descriptors of the process
    before and after fork and exec.
    """

    async def child(app: Any, expected: set[int]) -> None:
        found = {number for number in range(64) if await is_open(app, number)}
        assert found == expected

    async def is_open(app: Any, number: int) -> bool:
        try:
            await app.fcntl(number, F_GETFD)
        except OSError:
            return False
        return True

    async def program(app: Any) -> None:
        source = await app.eventfd(0)
        assert source == 3
        taken, free_streams, on_exec, limit = {source}, set(), {source}, 64
        for step, value in steps:
            lowest = value if step in ("from", "cloexec") else 0
            streams = {0, 1, 2} - free_streams
            expected = next(n for n in range(lowest, 200) if n not in taken | streams)
            if step in ("dup", "from", "cloexec"):
                command = F_DUPFD_CLOEXEC if step == "cloexec" else F_DUPFD
                try:
                    new = await app.fcntl(source, command, lowest)
                except OSError as error:
                    assert error.errno == (errno.EINVAL if lowest >= limit else errno.EMFILE)
                    assert expected >= limit
                    continue
                assert new == expected < limit
                taken.add(new)
                on_exec |= {new} if step == "cloexec" else set()
            elif step == "onto" and value != source and value < limit:
                await app.dup2(source, value)
                taken.add(value)
                on_exec.discard(value)
            elif step == "close" and len(taken) > 1:
                value = sorted(taken - {source})[value % (len(taken) - 1)]
                await app.close(value)
                taken.remove(value)
                on_exec.discard(value)
                free_streams |= {value} & {0, 1, 2}
            elif step == "limit":
                limit = max(value, 4)
                await app.setrlimit(RLIMIT_NOFILE, (limit, 64))
        await app.spawn(child, taken - on_exec)
        await child(app, taken)

    with Machine(udev=False) as machine:
        machine.spawn(program)
        machine.run()


def test_dup2_of_a_descriptor_to_itself_keeps_close_on_exec(machine: Machine) -> None:
    """dup2(2) of a descriptor to itself has no effect, so FD_CLOEXEC stays set."""
    app = machine.blocking()
    fd = app.open("/tmp/f", O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
    assert app.dup2(fd, fd) == fd
    assert app.fcntl(fd, F_GETFD) == FD_CLOEXEC
    assert app.dup2(fd, fd + 1) == fd + 1
    assert app.fcntl(fd + 1, F_GETFD) == 0


def test_a_reused_descriptor_is_inherited(machine: Machine) -> None:
    """A program closes a file with FD_CLOEXEC. The next file gets the same descriptor number, but not this
    flag.
    """
    passed = []

    async def child(app: Any, number: int) -> None:
        await app.fcntl(number, F_GETFD)
        passed.append(number)

    async def program(app: Any) -> None:
        source = await app.eventfd(0)
        number = await app.fcntl(source, F_DUPFD_CLOEXEC, 0)
        await app.close(number)
        assert await app.dup(source) == number
        await app.spawn(child, number)

    machine.spawn(program)
    machine.run()
    assert passed
