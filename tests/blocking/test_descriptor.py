"""Real descriptors of simulated sockets: created on request, ready exactly when the sockets are, and absent
from traces.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.blocking import BlockingSocket, descriptor
from simkernel.trace.digest import Digest
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, MSG_PEEK, SO_RCVBUF, SOCK_RAW, SOL_SOCKET

READER, OTHER, GROUP = 11, 12, 1


@pytest.fixture(autouse=True, params=[descriptor.Eventfd, descriptor.Pair])
def _each_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is descriptor.Eventfd and not hasattr(os, "eventfd"):
        pytest.skip("eventfd(2) is Linux's")
    monkeypatch.setattr(descriptor, "FLAG", request.param)


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@pytest.fixture
def reader(machine: Machine) -> BlockingSocket:
    """Return a socket that is a member of the multicast group `GROUP`."""
    sock = machine.blocking().socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    sock.bind((READER, GROUP))
    return sock


@pytest.fixture
def other(machine: Machine) -> BlockingSocket:
    """Return a socket of another process."""
    sock = machine.blocking().socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    sock.bind((OTHER, 0))
    return sock


def readable(sock: BlockingSocket) -> bool:
    """Return True if the host's select(2) reports the socket's real descriptor as readable."""
    return bool(select.select([sock], [], [], 0)[0])


def test_one_that_is_closed_follows_nothing_any_more(reader: BlockingSocket, other: BlockingSocket) -> None:
    twin = reader.dup()
    reader.fileno()
    reader.close()
    other.sendto(b"one", (READER, 0))
    assert twin.recv(10) == b"one"


def test_it_follows_the_queue(reader: BlockingSocket, other: BlockingSocket) -> None:
    assert not readable(reader)
    other.sendto(b"one", (READER, 0))
    other.sendto(b"two", (READER, 0))
    assert readable(reader)
    reader.recv(10, MSG_PEEK)
    assert readable(reader)
    reader.recv(10)
    assert readable(reader)
    reader.recv(10)
    assert not readable(reader)


def test_existing_devices_are_listed(reader: BlockingSocket, other: BlockingSocket) -> None:
    other.sendto(b"one", (READER, 0))
    assert readable(reader)


def test_an_overrun_is_ready_and_taken_once(reader: BlockingSocket, other: BlockingSocket) -> None:
    reader.setsockopt(SOL_SOCKET, SO_RCVBUF, 1)
    assert not readable(reader)
    for _ in range(10):
        with pytest.raises(
            ConnectionRefusedError
        ):  # the kernel has no NETLINK_USERSOCK socket: only members of the group receive the data
            other.sendto(b"x" * 1000, (0, GROUP))
    while readable(reader):
        try:
            reader.recv(1000)
        except OSError as error:
            assert error.errno == 105
            break
    else:
        pytest.fail("no ENOBUFS")
    while readable(reader):
        reader.recv(1000)
    reader.setblocking(False)
    with pytest.raises(BlockingIOError):
        reader.recv(1000)


def test_it_is_ready_when_time_has_passed(machine: Machine, reader: BlockingSocket) -> None:
    async def sender(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await app.sleep(0.5)
        await sock.sendto(b"late", (READER, 0))

    reader.fileno()
    machine.spawn(sender)
    machine.run(until=millis(400))
    assert not readable(reader)
    machine.run(until=millis(600))
    assert readable(reader)


def test_a_twin_reads_for_both(reader: BlockingSocket, other: BlockingSocket) -> None:
    twin = reader.dup()
    assert twin.fileno() != reader.fileno()
    other.sendto(b"one", (READER, 0))
    assert readable(reader)
    assert readable(twin)
    twin.recv(10)
    assert not readable(reader)
    assert not readable(twin)


def test_it_is_always_writable(reader: BlockingSocket) -> None:
    assert select.select([], [reader], [], 0)[1]


def test_it_goes_with_its_socket(reader: BlockingSocket, other: BlockingSocket) -> None:
    fd = reader.fileno()
    assert fd == reader.fileno() >= 0
    reader.close()
    assert reader.fileno() == -1
    with pytest.raises(ConnectionRefusedError):
        other.sendto(b"x", (READER, 0))


def test_it_goes_with_its_machine() -> None:
    with Machine(udev=False) as machine:
        sock = machine.blocking().socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        fd = sock.fileno()
        assert select.select([], [fd], [], 0)[1]
    with pytest.raises((OSError, ValueError)):
        select.select([], [fd], [], 0)


def test_a_detached_descriptor_is_the_simulated_one(reader: BlockingSocket) -> None:
    inside = reader.descriptor
    assert reader.fileno() != -1
    assert reader.detach() == inside
    assert reader.fileno() == -1


def test_it_never_enters_a_trace() -> None:
    def digest(asked: bool) -> str:
        with Machine(udev=False) as machine:
            digest = Digest()
            machine.trace.subscribe(digest)
            sock = machine.blocking().socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
            if asked:
                assert sock.fileno() >= 0
            sock.bind((READER, GROUP))
            sock.sendto(b"to myself", (READER, 0))
            sock.recv(100)
            sock.close()
            return digest.hexdigest()

    assert digest(asked=True) == digest(asked=False)
