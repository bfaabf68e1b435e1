"""Pipes: size limits, full and empty pipes, atomic writes, packets, and closing of both ends.

The expected values are those of Linux 6.18 (fs/pipe.c), with a pipe-max-size of 1 MiB.
"""

from __future__ import annotations

import os
import select
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.application.app import App
from simkernel.uapi.capability import CAP_SYS_RESOURCE
from tests.kernel.refused import refused

F_SETPIPE_SZ, F_GETPIPE_SZ = 1031, 1032
PAGE = 4096
DEFAULT = 16 * PAGE
MAX = 1 << 20
IN, OUT, ERR, HUP = select.POLLIN, select.POLLOUT, select.POLLERR, select.POLLHUP


@pytest.fixture
def app(machine: Machine) -> Any:
    return machine.blocking()


SIZES = [
    # requested size, resulting size without CAP_SYS_RESOURCE, resulting size with it
    (0, PAGE, PAGE),
    (1, PAGE, PAGE),
    (PAGE, PAGE, PAGE),
    (PAGE + 1, 2 * PAGE, 2 * PAGE),
    (3 * PAGE, 4 * PAGE, 4 * PAGE),
    (DEFAULT - 1, DEFAULT, DEFAULT),
    (DEFAULT, DEFAULT, DEFAULT),
    (DEFAULT + 1, 2 * DEFAULT, 2 * DEFAULT),
    (MAX - 1, MAX, MAX),
    (MAX, MAX, MAX),
    (MAX + 1, "EPERM", 2 * MAX),
    (2 * MAX, "EPERM", 2 * MAX),
    ((1 << 31) + 1, "EINVAL", "EINVAL"),
    (-1, "EINVAL", "EINVAL"),
]


@pytest.mark.parametrize(("asked", "plain", "capable"), SIZES)
def test_size_limits(machine: Machine, asked: int, plain: int | str, capable: int | str) -> None:
    """The expected sizes follow `round_pipe_size()` and `pipe_set_size()`."""
    for app, expected in (
        (machine.blocking(uid=1000), plain),
        (machine.blocking(uid=1000, capabilities=[CAP_SYS_RESOURCE]), capable),
    ):
        reading, writing = app.pipe()
        assert app.fcntl(writing, F_GETPIPE_SZ) == DEFAULT
        if isinstance(expected, str):
            assert refused(lambda: app.fcntl(writing, F_SETPIPE_SZ, asked)) == expected  # noqa: B023
            expected = DEFAULT
        else:
            assert app.fcntl(writing, F_SETPIPE_SZ, asked) == expected
        assert app.fcntl(reading, F_GETPIPE_SZ) == expected


def test_sizes_that_have_no_power_of_two_are_invalid(machine: Machine) -> None:
    """2 GiB is the largest size that `round_pipe_size()` does not turn into 0."""
    app = machine.blocking(uid=1000)
    _, writing = app.pipe()
    assert refused(lambda: app.fcntl(writing, F_SETPIPE_SZ, 1 << 31)) == "EPERM"
    assert refused(lambda: app.fcntl(writing, F_SETPIPE_SZ, (1 << 31) + 1)) == "EINVAL"


def test_a_size_above_the_limit_may_be_lowered_without_the_capability(machine: Machine) -> None:
    """`pipe_set_size()` checks the limit only if the new size is larger than the old one."""
    app = machine.blocking(uid=1000, capabilities=[CAP_SYS_RESOURCE])
    _, writing = app.pipe()
    assert app.fcntl(writing, F_SETPIPE_SZ, 4 * MAX) == 4 * MAX
    app.capset(())
    assert app.fcntl(writing, F_SETPIPE_SZ, 4 * MAX) == 4 * MAX
    assert app.fcntl(writing, F_SETPIPE_SZ, 2 * MAX) == 2 * MAX
    assert refused(lambda: app.fcntl(writing, F_SETPIPE_SZ, 4 * MAX)) == "EPERM"


@pytest.mark.parametrize("pages", [1, 2, 4, 16, 32])
def test_a_pipe_holds_exactly_its_size(app: Any, pages: int) -> None:
    reading, writing = app.pipe2(os.O_NONBLOCK)
    app.fcntl(writing, F_SETPIPE_SZ, pages * PAGE)
    assert app.write(writing, bytes(40 * PAGE)) == pages * PAGE
    assert refused(lambda: app.write(writing, b"x")) == "EAGAIN"
    assert app.poll([(writing, OUT)], 0) == []
    assert len(app.read(reading, 40 * PAGE)) == pages * PAGE
    assert refused(lambda: app.read(reading, 1)) == "EAGAIN"


@pytest.mark.parametrize(
    ("used", "asked", "expected"),
    [(1, 1, 1), (2, 1, "EBUSY"), (2, 2, 2), (3, 2, "EBUSY"), (3, 4, 4), (16, 8, "EBUSY"), (16, 16, 16)],
)
def test_pages_in_use_stay(app: Any, used: int, asked: int, expected: int | str) -> None:
    """Setting a size fails with EBUSY if the pipe uses more pages than this size has
    (`pipe_resize_ring()`).
    """
    _, writing = app.pipe()
    app.write(writing, bytes(used * PAGE))
    if isinstance(expected, str):
        assert refused(lambda: app.fcntl(writing, F_SETPIPE_SZ, asked * PAGE)) == expected
    else:
        assert app.fcntl(writing, F_SETPIPE_SZ, asked * PAGE) == expected * PAGE


def test_growth_wakes_a_blocked_writer(machine: Machine) -> None:
    done = []

    async def program(app: App) -> None:
        _, writing = await app.pipe()
        await app.write(writing, bytes(DEFAULT))

        async def writer(app: App) -> None:
            done.append(await app.write(writing, bytes(PAGE)))

        await app.thread(writer)
        await app.sleep(0.001)
        assert done == []
        await app.fcntl(writing, F_SETPIPE_SZ, 2 * DEFAULT)
        await app.sleep(0.001)

    machine.spawn(program)
    machine.run(until=millis(10))
    assert done == [PAGE]


PARTS = [
    # lengths that are written one after the other; pages that they use
    ([1, 1], 1),
    ([PAGE - 1, 1], 1),
    ([PAGE, 1], 2),
    ([PAGE - 1, 2], 2),
    ([1, PAGE], 2),
    ([1, PAGE + 1], 2),
    ([2, 2 * PAGE - 1], 3),
    ([1, 2 * PAGE - 1], 2),
    ([PAGE + 1, PAGE - 1], 2),
]


@pytest.mark.parametrize(("lengths", "pages"), PARTS)
def test_the_rest_of_a_write_goes_into_the_last_page_if_it_fits(
    app: Any, lengths: list[int], pages: int
) -> None:
    """`anon_pipe_write()` computes the write's length modulo the page size. It appends this number of bytes
    to the last page of the pipe if they all fit there.
    """
    reading, writing = app.pipe2(os.O_NONBLOCK)
    written = b"".join(bytes([65 + number]) * length for number, length in enumerate(lengths))
    position = 0
    for length in lengths:
        assert app.write(writing, written[position : position + length]) == length
        position += length
    free = 16 - pages
    assert app.write(writing, b"z" * DEFAULT) == free * PAGE
    assert app.read(reading, len(written)) == written


ATOMIC = [
    # number of free pages, length of a non-blocking write, its result
    (1, PAGE - 1, PAGE - 1),
    (1, PAGE, PAGE),
    (1, PAGE + 1, PAGE),
    (2, PAGE + 1, PAGE + 1),
    (0, 1, "EAGAIN"),
    (0, PAGE, "EAGAIN"),
    (1, 5 * PAGE, PAGE),
]


@pytest.mark.parametrize(("free", "length", "expected"), ATOMIC)
def test_writes_of_up_to_pipe_buf_are_whole(app: Any, free: int, length: int, expected: int | str) -> None:
    _, writing = app.pipe2(os.O_NONBLOCK)
    app.write(writing, bytes((16 - free) * PAGE))
    if isinstance(expected, str):
        assert refused(lambda: app.write(writing, bytes(length))) == expected
    else:
        assert app.write(writing, bytes(length)) == expected


def test_a_page_is_free_only_if_it_is_read_to_its_end(app: Any) -> None:
    reading, writing = app.pipe2(os.O_NONBLOCK)
    app.write(writing, bytes(DEFAULT))
    assert len(app.read(reading, PAGE - 1)) == PAGE - 1
    assert app.poll([(writing, OUT)], 0) == []
    assert refused(lambda: app.write(writing, b"x")) == "EAGAIN"
    app.read(reading, 1)
    assert app.poll([(writing, OUT)], 0) == [(writing, OUT)]
    assert app.write(writing, bytes(2 * PAGE)) == PAGE


def test_concurrent_writes_of_pipe_buf_do_not_mix(machine: Machine) -> None:
    """If several writers block, each write of one page fills a page of its own. Longer writes may mix with
    each other.
    """
    got = bytearray()

    async def program(app: App) -> None:
        reading, writing = await app.pipe()
        await app.write(writing, bytes(DEFAULT))

        def writer(letter: bytes) -> Any:
            async def write(app: App) -> None:
                assert await app.write(writing, letter * PAGE) == PAGE

            return write

        for letter in (b"a", b"b", b"c"):
            await app.thread(writer(letter))
        await app.sleep(0.001)
        while len(got) < DEFAULT + 3 * PAGE:
            got.extend(await app.read(reading, 1000))

    machine.spawn(program)
    machine.run(until=millis(100))
    pages = [bytes(got[start : start + PAGE]) for start in range(DEFAULT, len(got), PAGE)]
    assert sorted(pages) == [letter * PAGE for letter in (b"a", b"b", b"c")]


PACKETS = [
    # lengths of the writes, sizes of the reads, result of each read
    ([3, 3], [10, 10], [b"AAA", b"BBB"]),
    ([3, 3], [1, 10], [b"A", b"BBB"]),
    ([PAGE + 2], [2 * PAGE, 2 * PAGE], [b"A" * PAGE, b"AA"]),
]


@pytest.mark.parametrize(("lengths", "sizes", "expected"), PACKETS)
def test_packets(app: Any, lengths: list[int], sizes: list[int], expected: list[bytes]) -> None:
    """With O_DIRECT, each write is a packet. If a read takes only a part of a packet, the rest is lost."""
    reading, writing = app.pipe2(os.O_DIRECT)
    for number, length in enumerate(lengths):
        app.write(writing, bytes([65 + number]) * length)
    assert [app.read(reading, size) for size in sizes] == expected


def test_a_write_is_not_added_to_a_packet(app: Any) -> None:
    reading, writing = app.pipe2(os.O_DIRECT)
    app.write(writing, b"packet")
    app.fcntl(writing, 4, 0)
    app.write(writing, b"stream")
    app.fcntl(writing, 4, os.O_DIRECT)
    app.write(writing, b"next")
    assert [app.read(reading, 100) for _ in range(2)] == [b"packet", b"streamnext"]


ENDS = [
    # open ends, bytes in the pipe, events of the read end, events of the write end
    ("rw", b"", 0, OUT),
    ("rw", b"x", IN, OUT),
    ("r", b"", HUP, None),
    ("r", b"x", IN | HUP, None),
    ("w", b"x", None, OUT | ERR),
]


@pytest.mark.parametrize(("opened", "data", "reads", "writes"), ENDS)
def test_poll(app: Any, opened: str, data: bytes, reads: int | None, writes: int | None) -> None:
    """The expected events follow `pipe_poll()`."""
    reading, writing = app.pipe()
    app.write(writing, data)
    for fd, letter in ((reading, "r"), (writing, "w")):
        if letter not in opened:
            app.close(fd)
    for fd, events in ((reading, reads), (writing, writes)):
        if events is not None:
            assert app.poll([(fd, IN | OUT)], 0) == ([(fd, events)] if events else [])


def test_a_reader_without_writers_gets_the_rest_and_then_the_end(app: Any) -> None:
    reading, writing = app.pipe()
    app.write(writing, b"rest")
    app.close(writing)
    assert [app.read(reading, 3) for _ in range(3)] == [b"res", b"t", b""]


def test_a_writer_without_readers_gets_epipe(app: Any) -> None:
    app.signal(13, lambda number: None)
    reading, writing = app.pipe()
    app.close(reading)
    assert refused(lambda: app.write(writing, b"x")) == "EPIPE"
    assert app.write(writing, b"") == 0


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (0, "ok"),
        (os.O_CLOEXEC | os.O_NONBLOCK | os.O_DIRECT, "ok"),
        (os.O_APPEND, "EINVAL"),
        (os.O_WRONLY, "EINVAL"),
        (1 << 30, "EINVAL"),
    ],
)
def test_flags_of_pipe2(app: Any, flags: int, expected: str) -> None:
    if expected == "ok":
        reading, writing = app.pipe2(flags)
        keep = os.O_NONBLOCK | os.O_DIRECT
        assert app.fcntl(reading, 3) & (keep | os.O_ACCMODE) == flags & os.O_NONBLOCK
        assert app.fcntl(writing, 3) & (keep | os.O_ACCMODE) == flags & keep | os.O_WRONLY
        assert [app.fcntl(fd, 1) for fd in (reading, writing)] == [bool(flags & os.O_CLOEXEC)] * 2
    else:
        assert refused(lambda: app.pipe2(flags)) == expected


def test_each_end_is_for_one_direction(app: Any) -> None:
    reading, writing = app.pipe()
    assert refused(lambda: app.write(reading, b"x")) == "EBADF"
    assert refused(lambda: app.read(writing, 1)) == "EBADF"
    assert refused(lambda: app.lseek(reading, 0, 0)) == "ESPIPE"
    assert refused(lambda: app.fcntl(app.open("/tmp", os.O_RDONLY), F_GETPIPE_SZ)) == "EBADF"


def test_both_ends_are_one_inode_of_the_creator(machine: Machine) -> None:
    app = machine.blocking(uid=1000, gid=7)
    one, other = (app.fstat(fd) for fd in app.pipe())
    assert one.st_ino == other.st_ino
    assert (one.st_mode, one.st_uid, one.st_gid, one.st_size) == (0o010600, 1000, 7, 0)
