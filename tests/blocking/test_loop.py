"""asyncio on simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Deadlock, Machine, SimulationError, millis, seconds
from simkernel.blocking import Blocking
from simkernel.blocking.loop import SimulatedEventLoop, event_loop
from simkernel.engine import TimeLimit
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SO_RCVBUF, SOCK_DGRAM, SOL_SOCKET


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@pytest.fixture
def loop(machine: Machine) -> Iterator[SimulatedEventLoop]:
    """Return an event loop in simulated time."""
    loop = event_loop(machine)
    yield loop
    loop.close()


@pytest.fixture
def user(machine: Machine) -> Blocking:
    """Return the blocking interface of a new process with uid 1000."""
    return machine.blocking(uid=1000)


async def says(app: Any, at: float, data: bytes, to: int) -> None:
    """A program that sends `data` to the port id `to` after `at` seconds."""
    sock = await app.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK)
    await app.sleep(at)
    await sock.sendto(data, (to, 0))


def test_a_sleep_takes_simulated_time(machine: Machine, loop: SimulatedEventLoop) -> None:
    loop.run_until_complete(asyncio.sleep(3600))
    assert seconds(3600) <= machine.now < seconds(3600) + millis(1)
    assert loop.time() == machine.now / 1e9


def test_sleeps_end_in_their_order(loop: SimulatedEventLoop) -> None:
    woken: list[float] = []

    async def sleeper(delay: float) -> None:
        await asyncio.sleep(delay)
        woken.append(delay)

    async def all_of_them() -> None:
        await asyncio.gather(*map(sleeper, (0.3, 0.1, 0.2)))

    loop.run_until_complete(all_of_them())
    assert woken == [0.1, 0.2, 0.3]


def test_a_datagram_arrives_when_it_is_sent(
    machine: Machine, loop: SimulatedEventLoop, user: Blocking
) -> None:
    sock = user.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK)
    sock.bind((11, 0))
    sock.setblocking(False)
    machine.spawn(says, 2, b"hello", 11)

    async def listen() -> bytes:
        heard: bytes = await loop.sock_recv(sock, 100)
        return heard

    assert loop.run_until_complete(listen()) == b"hello"
    assert seconds(2) < machine.now < seconds(2.01)


def test_an_endpoint(machine: Machine, loop: SimulatedEventLoop, user: Blocking) -> None:
    heard: list[bytes] = []

    class Listener(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            heard.append(data)
            transport.sendto(data.upper(), addr)
            transport.close()

        def connection_lost(self, error: Exception | None) -> None:
            lost.set_result(error)

    sock = user.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK)
    sock.bind((11, 0))
    lost = loop.create_future()
    machine.spawn(says, 1, b"hello", 11)
    transport: Any
    transport, _ = loop.run_until_complete(loop.create_datagram_endpoint(Listener, sock=sock))  # type: ignore[arg-type]
    assert loop.run_until_complete(lost) is None
    assert heard == [b"hello"]
    assert sock.fileno() == -1


def test_an_overrun_is_reported_and_the_endpoint_continues(
    machine: Machine, loop: SimulatedEventLoop, user: Blocking
) -> None:
    told: list[object] = []

    class Listener(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            told.append(data[:1])

        def error_received(self, error: Exception) -> None:
            told.append(error)

    async def floods(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK)
        await sock.bind((0, 0))
        for number in b"abcdefgh":
            try:
                await sock.sendto(bytes([number]) * 1000, (0, 1))
            except ConnectionRefusedError:
                await app.sched_yield()
        await app.sleep(1)
        await sock.sendto(b"z", (11, 0))

    sock = machine.blocking().socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK)
    sock.bind((11, 1))
    sock.setsockopt(SOL_SOCKET, SO_RCVBUF, 1)
    transport: Any
    transport, _ = loop.run_until_complete(loop.create_datagram_endpoint(Listener, sock=sock))  # type: ignore[arg-type]
    machine.spawn(floods)
    machine.run(until=millis(500))
    loop.run_until_complete(asyncio.sleep(2))
    assert [getattr(each, "errno", None) for each in told].count(105) == 1
    assert told[-1] == b"z"
    transport.abort()
    loop.run_until_complete(asyncio.sleep(0))


def test_a_timeout_expires_without_other_events(machine: Machine, loop: SimulatedEventLoop) -> None:
    async def forever() -> None:
        await asyncio.wait_for(asyncio.Event().wait(), 5)

    with pytest.raises(TimeoutError):
        loop.run_until_complete(forever())
    assert seconds(5) <= machine.now < seconds(5.01)


def test_an_impossible_wait_is_a_deadlock(machine: Machine, loop: SimulatedEventLoop, user: Blocking) -> None:
    async def waits(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK)
        await sock.recv(1)

    machine.spawn(waits)
    with pytest.raises(Deadlock, match=r"asleep: waits/[0-9]+ in recvfrom on"):
        loop.run_until_complete(asyncio.Event().wait())
    loop.run_until_complete(asyncio.sleep(1))


def test_a_request_waits_for_a_minute_at_most(machine: Machine, loop: SimulatedEventLoop) -> None:
    async def busy(app: Any) -> None:
        while True:
            await app.sleep(1)

    machine.spawn(busy)
    with pytest.raises(TimeLimit, match="60 simulated seconds"):
        loop.run_until_complete(asyncio.Event().wait())


def test_each_call_makes_another_loop(machine: Machine, loop: SimulatedEventLoop) -> None:
    other = event_loop(machine)
    loop.close()
    other.run_until_complete(asyncio.sleep(1))
    other.close()
    assert machine.now >= seconds(1)


def test_not_from_inside_the_simulation(machine: Machine, loop: SimulatedEventLoop) -> None:
    machine.at(millis(1), lambda: loop.run_until_complete(asyncio.sleep(1)))
    with pytest.raises(SimulationError, match="inside the simulation"):
        machine.run(until=millis(2))
