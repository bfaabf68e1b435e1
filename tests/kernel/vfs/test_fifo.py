"""Named pipes: an open blocks until the other end is opened. Reads and writes work as on a pipe(2).

The live search compares calls that do not block with the host's kernel (tests/conformance/live/programs).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simkernel import Machine, seconds
from simkernel.application.app import App

PATH = "/tmp/pipe"
SIGUSR1 = 10


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False, unmodelled="raise") as machine:
        machine.blocking().mkfifo(PATH)
        yield machine


def at(machine: Machine, seen: list[Any], second: int, flags: int, then: Callable[..., Any]) -> None:
    """Start a program that sleeps for `second` seconds and opens the pipe. When the open returns, the program
    appends `flags` and the time in seconds to `seen`, and calls `then(app, fd)`.
    """

    async def program(app: App) -> None:
        await app.sleep(second)
        fd = await app.open(PATH, flags)
        seen.append((flags, app.monotonic_ns() // seconds(1)))
        await then(app, fd)

    machine.spawn(program)


async def nothing(app: App, fd: int) -> None:
    pass


@pytest.mark.parametrize(("first", "second"), [(os.O_RDONLY, os.O_WRONLY), (os.O_WRONLY, os.O_RDONLY)])
def test_each_waits_for_the_other(machine: Machine, first: int, second: int) -> None:
    seen: list[Any] = []
    at(machine, seen, 1, first, nothing)
    at(machine, seen, 2, second, nothing)
    machine.run(until=seconds(5))
    assert sorted(seen) == [(os.O_RDONLY, 2), (os.O_WRONLY, 2)]


def test_written_bytes_are_read(machine: Machine) -> None:
    seen: list[Any] = []

    async def write(app: App, fd: int) -> None:
        await app.write(fd, b"hello")
        await app.sleep(1)

    async def read(app: App, fd: int) -> None:
        seen.append(await app.read(fd, 100))
        seen.append((await app.read(fd, 100), app.monotonic_ns() // seconds(1)))

    at(machine, [], 1, os.O_RDONLY, read)
    at(machine, [], 2, os.O_WRONLY, write)
    machine.run(until=seconds(5))
    assert seen == [b"hello", (b"", 3)]


def test_a_writer_that_was_there_and_is_gone_is_enough(machine: Machine) -> None:
    """A reader that waits for a writer continues, even if the writer has closed the pipe at the same
    instant.
    """
    seen: list[Any] = []
    at(machine, seen, 1, os.O_RDONLY, nothing)

    async def both(app: App) -> None:
        await app.sleep(2)
        await app.close(await app.open(PATH, os.O_WRONLY | os.O_NONBLOCK))

    machine.spawn(both)
    machine.run(until=seconds(5))
    assert seen == [(os.O_RDONLY, 2)]


def test_opening_both_ends_does_not_block(machine: Machine) -> None:
    process = machine.blocking()
    fd = process.open(PATH, os.O_RDWR)
    process.write(fd, b"to myself")
    assert process.read(fd, 100) == b"to myself"


def test_unread_bytes_are_lost_with_the_last_open_file(machine: Machine) -> None:
    process = machine.blocking()
    fd = process.open(PATH, os.O_RDWR)
    process.write(fd, b"left")
    process.close(fd)
    fd = process.open(PATH, os.O_RDONLY | os.O_NONBLOCK)
    assert process.read(fd, 100) == b""


def test_a_signal_ends_the_waiting_and_leaves_nothing(machine: Machine) -> None:
    seen: list[Any] = []

    async def impatient(app: App) -> None:
        await app.signal(SIGUSR1, lambda number: None)
        try:
            await app.open(PATH, os.O_WRONLY)
        except InterruptedError:
            seen.append("EINTR")

    pid = machine.spawn(impatient).pid
    machine.run(until=seconds(1))
    process = machine.blocking(uid=0)
    process.kill(pid, SIGUSR1)
    machine.run(until=seconds(2))
    assert seen == ["EINTR"]
    fd = process.open(PATH, os.O_RDONLY | os.O_NONBLOCK)
    assert process.poll([(fd, 1)], 0) == [], "no writer has been there: it would be POLLHUP"


def test_a_reader_killed_while_waiting_is_not_counted(machine: Machine) -> None:
    async def reader(app: App) -> None:
        await app.open(PATH, os.O_RDONLY)

    pid = machine.spawn(reader).pid
    machine.run(until=seconds(1))
    process = machine.blocking(uid=0)
    process.kill(pid, 9)
    machine.run(until=seconds(2))
    with pytest.raises(OSError) as error:
        process.open(PATH, os.O_WRONLY | os.O_NONBLOCK)
    assert error.value.errno == 6
