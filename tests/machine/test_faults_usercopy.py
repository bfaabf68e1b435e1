"""The fault point `usercopy`: a call fails with EFAULT, and its data are kept or lost as on Linux."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine
from simkernel.blocking.process import Blocking
from simkernel.hardware import Mouse
from simkernel.uapi import errno
from simkernel.uapi import input as ev
from simkernel.uapi.eventpoll import EPOLLET, EPOLLIN
from simkernel.uapi.fcntl import O_DIRECTORY, O_RDONLY
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.socket import (
    AF_NETLINK,
    AF_UNIX,
    MSG_DONTWAIT,
    SO_RCVBUF,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_SOCKET,
)
from tests.machine.points import Points
from tests.machine.test_faults_fire import fails_with, plugged, settle

PAGE = 4096


@pytest.fixture
def points() -> Points:
    return Points()


@pytest.fixture
def machine(points: Points) -> Iterator[Machine]:
    with Machine(faults=points, check_leaks=True) as machine:
        yield machine
        assert points.all_fired()


@pytest.fixture
def process(machine: Machine) -> Blocking:
    return machine.blocking()


# -- pipes (pipe_read(), pipe_write()) ------------------------------------------


def test_bytes_stay_in_a_pipe(points: Points, process: Blocking) -> None:
    reader, writer = process.pipe()
    process.write(writer, b"abc")
    points.fail("usercopy")
    fails_with(errno.EFAULT, process.read, reader, 10)
    assert process.read(reader, 10) == b"abc"


def test_a_read_of_several_pages_returns_the_copied_length(points: Points, process: Blocking) -> None:
    reader, writer = process.pipe()
    process.write(writer, b"a" * PAGE + b"b" * PAGE)
    points.fail("usercopy", 2)
    assert process.read(reader, 2 * PAGE) == b"a" * PAGE
    assert process.read(reader, 2 * PAGE) == b"b" * PAGE


def test_a_failed_write_leaves_a_pipe_as_it_was(points: Points, process: Blocking) -> None:
    reader, writer = process.pipe()
    for begun in (b"", b"begun"):
        if begun:
            process.write(writer, begun)  # the next write would be appended to this page
        points.fail("usercopy")
        fails_with(errno.EFAULT, process.write, writer, b"abc")
    assert process.read(reader, 10) == b"begun"


def test_a_write_of_several_pages_returns_the_copied_length(points: Points, process: Blocking) -> None:
    reader, writer = process.pipe()
    points.fail("usercopy", 2)
    assert process.write(writer, b"a" * PAGE + b"b" * PAGE) == PAGE
    assert process.read(reader, 2 * PAGE) == b"a" * PAGE


def test_a_reader_that_has_waited_gets_the_bytes_next_time(machine: Machine, points: Points) -> None:
    got: list[Any] = []

    async def reading(app: Any, fd: int) -> None:
        for _ in range(2):
            try:
                got.append(await app.read(fd, 10))
            except OSError as error:
                got.append(error.errno)

    async def parent(app: Any) -> None:
        reader, writer = await app.pipe()
        await app.spawn(reading, reader)
        await app.sleep(0.001)
        points.fail("usercopy", 2)  # hit 1 copies the bytes from the writer, hit 2 copies them to the reader
        await app.write(writer, b"abc")

    machine.spawn(parent)
    machine.run()
    assert got == [errno.EFAULT, b"abc"]


# -- sockets --------------------------------------------------------------------


def test_bytes_stay_in_a_stream(points: Points, process: Blocking) -> None:
    one, other = process.socketpair(AF_UNIX, SOCK_STREAM)
    one.send(b"abc")
    points.fail("usercopy")
    fails_with(errno.EFAULT, other.recv, 10)
    assert other.recv(10) == b"abc"


@pytest.mark.parametrize("kind", [SOCK_STREAM, SOCK_DGRAM])
def test_a_failed_send_sends_nothing_and_holds_no_memory(
    points: Points, process: Blocking, kind: int
) -> None:
    one, other = process.socketpair(AF_UNIX, kind)
    points.fail("usercopy")
    fails_with(errno.EFAULT, one.send, b"abc")
    fails_with(errno.EAGAIN, other.recv, 10, MSG_DONTWAIT)
    assert process.task.files.get(one.descriptor).object.wmem == 0


def test_a_datagram_that_cannot_be_copied_is_lost(points: Points, process: Blocking) -> None:
    one, other = process.socketpair(AF_UNIX, SOCK_DGRAM)
    one.send(b"lost")
    one.send(b"next")
    points.fail("usercopy")
    fails_with(errno.EFAULT, other.recv, 10)
    assert other.recv(10) == b"next"
    assert process.task.files.get(one.descriptor).object.wmem == 0


@pytest.mark.parametrize("waits", [False, True])
def test_a_netlink_message_that_cannot_be_copied_is_lost(
    machine: Machine, points: Points, waits: bool
) -> None:
    """The message is lost even if the receive has slept. After a sleep, the runner retries the receive
    without calling the system call handler again.
    """
    got: list[Any] = []

    async def receiver(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.bind((77, 0))
        if not waits:
            await app.sleep(0.01)
        for _ in range(2):
            try:
                got.append(await sock.recv(10))
            except OSError as error:
                got.append(error.errno)

    machine.spawn(receiver)
    settle(machine) if waits else machine.run(until=machine.now + 1_000_000)
    sock = machine.blocking().socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    # the sends that precede the failing receive hit the point, too
    points.fail("usercopy", 2 if waits else 3)
    sock.sendto(b"lost", (77, 0))
    if waits:
        settle(machine)
    sock.sendto(b"next", (77, 0))
    settle(machine)
    assert got == [errno.EFAULT, b"next"]


def test_a_failed_receive_makes_room_for_a_sender_that_waits(machine: Machine, points: Points) -> None:
    got: list[Any] = []

    async def sender(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        for _ in range(2):
            # SO_RCVBUF has no space for the second message while the first is queued
            await sock.sendto(bytes(2000), (77, 0))
        got.append("sent")

    process = machine.blocking()
    receiver = process.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    receiver.setsockopt(SOL_SOCKET, SO_RCVBUF, 2304)
    receiver.bind((77, 0))
    machine.spawn(sender)
    settle(machine)
    assert got == []
    points.fail("usercopy")
    fails_with(errno.EFAULT, receiver.recv, PAGE)
    settle(machine)
    assert got == ["sent"]


def test_a_netlink_message_that_cannot_be_read_is_not_sent(points: Points, process: Blocking) -> None:
    one, other = (process.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK) for _ in range(2))
    other.bind((77, 0))
    points.fail("usercopy")
    fails_with(errno.EFAULT, one.sendto, b"abc", (77, 0))
    fails_with(errno.EAGAIN, other.recv, 10, MSG_DONTWAIT)


# -- other files ------------------------------------------------------------------


def test_the_count_of_an_eventfd_is_taken(points: Points, process: Blocking) -> None:
    fd = process.eventfd(3)
    points.fail("usercopy")
    fails_with(errno.EFAULT, process.eventfd_read, fd)
    assert process.poll([(fd, POLLIN)], 0) == []


def test_a_failed_read_of_an_eventfd_makes_room_for_a_writer(machine: Machine, points: Points) -> None:
    got: list[Any] = []

    async def writer(app: Any, fd: int) -> None:
        await app.eventfd_write(fd, 5)
        got.append("written")

    async def parent(app: Any) -> None:
        fd = await app.eventfd(0, 0)  # inherited by the child
        await app.eventfd_write(fd, 2**64 - 2)
        await app.spawn(writer, fd)
        await app.sleep(0.001)
        points.fail("usercopy")
        try:
            await app.eventfd_read(fd)
        except OSError as error:
            got.append(error.errno)

    machine.spawn(parent)
    machine.run()
    assert got == [errno.EFAULT, "written"]


@pytest.mark.parametrize("mode", [0, EPOLLET])
def test_an_event_of_epoll_stays_ready(points: Points, process: Blocking, mode: int) -> None:
    fd = process.eventfd(3)
    with process.epoll() as epoll:
        epoll.register(fd, EPOLLIN | mode)
        points.fail("usercopy")
        fails_with(errno.EFAULT, epoll.poll, 0)
        assert epoll.poll(0) == [(fd, EPOLLIN)]


def test_poll_with_a_bad_pointer_fails(points: Points, process: Blocking) -> None:
    points.fail("usercopy")
    fails_with(errno.EFAULT, process.poll, [(process.eventfd(0), POLLIN)], 0)


def test_a_directory_is_read_from_where_it_was(points: Points, process: Blocking) -> None:
    entries = process.app.call
    whole = process.run(entries("getdents64", process.open("/dev", O_RDONLY | O_DIRECTORY), PAGE))
    fd = process.open("/dev", O_RDONLY | O_DIRECTORY)
    points.fail("usercopy")
    fails_with(errno.EFAULT, process.run, entries("getdents64", fd, PAGE))
    assert process.run(entries("getdents64", fd, PAGE)) == whole


def test_a_file_of_proc_is_read_from_where_it_was(points: Points, process: Blocking) -> None:
    fd = process.open("/proc/version", O_RDONLY)
    points.fail("usercopy")
    fails_with(errno.EFAULT, process.read, fd, 5)
    assert process.read(fd, 5) == process.read_file("/proc/version")[:5]


def test_a_request_of_a_driver_fails(machine: Machine, points: Points, process: Blocking) -> None:
    plugged(machine, Mouse())
    fd = process.open("/dev/input/event0", O_RDONLY)
    version = process.ioctl(fd, ev.EVIOCGVERSION, bytes(4))
    points.fail("usercopy")
    fails_with(errno.EFAULT, process.ioctl, fd, ev.EVIOCGVERSION, bytes(4))
    assert process.ioctl(fd, ev.EVIOCGVERSION, bytes(4)) == version


def test_fields_that_the_kernel_fills_in_are_not_copied_from_a_user(machine: Machine, points: Points) -> None:
    """Only three copies pass between program and kernel: the request, the reply and the acknowledgement.
    Copies inside the kernel do not hit the point `usercopy`.
    """
    plugged(machine, Mouse())
    client = machine.blocking().genetlink("mouse")
    client.do("get-state")
    before = points.hits["usercopy"]
    client.do("get-state")
    assert points.hits["usercopy"] == before + 3
