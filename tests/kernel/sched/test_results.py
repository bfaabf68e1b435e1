"""System calls whose result is changed by a signal, or by an error in the program's buffer."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, millis
from tests.kernel.conftest import Bench


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


def test_an_error_of_the_programs_buffer_is_raised_in_the_program(machine: Machine) -> None:
    """readv() copies its result into a buffer of the program, here into one that is read-only."""
    seen: list[Any] = []

    async def program(app: Any) -> None:
        reading, writing = await app.pipe()
        await app.write(writing, b"12345")
        try:
            seen.append(await app.readv(reading, [memoryview(bytes(5))]))
        except TypeError:
            seen.append("TypeError")
        seen.append(await app.getpid())

    process = machine.spawn(program)
    machine.run()
    assert seen == ["TypeError", process.pid]


def test_a_read_of_the_kernel_log_waits_for_a_record(machine: Machine) -> None:
    """A poll of /proc/kmsg also waits for a record, and a signal ends a waiting read."""
    seen: list[Any] = []

    async def reader(app: Any) -> None:
        fd = await app.open("/proc/kmsg", os.O_RDONLY)
        seen.append(await app.poll([(fd, 1)], 5))
        seen.append(await app.poll([(fd, 1)], 1000))
        seen.append((await app.read(fd, 100)).endswith(b"news\n"))
        seen.append((await app.read(fd, 100)).endswith(b"more\n"))
        await app.signal(signal.SIGUSR1, lambda number: seen.append("signal"))
        try:
            await app.read(fd, 100)
        except InterruptedError:
            seen.append("EINTR")

    process = machine.spawn(reader, uid=0)
    machine.run(until=millis(20))
    assert seen == [[]]
    machine.log.info("news")
    machine.run(until=millis(30))
    assert [len(each) if isinstance(each, list) else each for each in seen] == [0, 1, True]
    machine.log.info("more")
    machine.run(until=millis(40))
    assert seen[3:] == [True]
    machine.blocking(uid=0).kill(process.pid, signal.SIGUSR1)
    machine.run(until=millis(50))
    assert seen[4:] == ["signal", "EINTR"]


def test_a_pending_signal_ends_an_interruptible_sleep_at_once(bench: Bench) -> None:
    """A signal stays pending until the system call returns. A driver that sleeps again after EINTR therefore
    gets EINTR again.
    """
    bench.module(
        "m",
        """
        async def write(file, data, position):
            queue, seen = file.cdev.data
            for _ in range(3):
                try:
                    await wait_event_interruptible(queue, lambda: False)
                except InterruptedError as error:
                    seen.append(error.errno)
            return len(data)

        def init(this):
            data = init_waitqueue_head("q"), []
            cdev = cdev_init(this, FileOperations(write=write), data=data)
            register_chrdev_region(this, (240, 0), 1, "s")
            cdev_add(cdev, (240, 0))
            device_create(this, class_register(this, "s"), None, "s", number=(240, 0))
            return data
    """,
    )
    _, seen = bench.load("m")

    async def program(app: Any) -> None:
        await app.signal(signal.SIGUSR1, lambda number: seen.append("handled"))
        seen.append(await app.write(await app.open("/dev/s", 1), b"abc"))

    pid = bench.machine.spawn(program).pid
    bench.pass_time(millis(1))
    assert seen == []
    bench.root.kill(pid, signal.SIGUSR1)
    bench.pass_time(millis(1))
    assert seen == [4, 4, 4, "handled", 3]
