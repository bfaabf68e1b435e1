"""The sockets that programs create with `app.socket()`: close, timeouts, inheritance and poll."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simkernel import Machine, millis, seconds
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.poll import POLLIN, POLLOUT
from simkernel.uapi.socket import AF_NETLINK, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_RAW

USERSOCK = (AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)


def told(program: Callable[..., Any], *others: Callable[..., Any]) -> list[Any]:
    """Run programs that append their results to one list, and return the list."""
    seen: list[Any] = []
    with Machine(udev=False) as machine:
        for each in (program, *others):
            machine.spawn(each, seen)
        machine.run(until=seconds(10))
    return seen


def test_it_is_closed_with_its_block() -> None:
    async def program(app: Any, seen: list[Any]) -> None:
        async with await app.socket(*USERSOCK) as sock:
            seen.append(sock.fileno())
        seen.append(sock.fileno())
        await sock.close()
        try:
            await sock.recv(1)
        except OSError as error:
            seen.append(error.strerror)

    assert told(program) == [3, -1, "Bad file descriptor"]


def test_a_timeout_is_met_to_the_call() -> None:
    async def program(app: Any, seen: list[Any]) -> None:
        sock = await app.socket(*USERSOCK)
        await sock.settimeout(0.25)
        before = app.monotonic_ns()
        try:
            await sock.recv(1)
        except TimeoutError:
            seen.append(app.monotonic_ns() - before)

    (took,) = told(program)
    assert millis(250) <= took < millis(250.1)


def test_a_reply_in_time_is_accepted() -> None:
    async def program(app: Any, seen: list[Any]) -> None:
        sock = await app.socket(*USERSOCK)
        await sock.bind((11, 0))
        await sock.settimeout(1)
        seen.append(await sock.recvfrom(10))

    async def sender(app: Any, seen: list[Any]) -> None:
        sock = await app.socket(*USERSOCK)
        await sock.bind((12, 0))
        await app.sleep(0.5)
        await sock.sendto(b"in time", (11, 0))

    assert told(program, sender) == [(b"in time", (12, 0))]


def test_of_two_that_wait_with_a_timeout_one_gets_it_and_the_other_waits_on() -> None:
    async def program(app: Any, seen: list[Any]) -> None:
        sock = await app.socket(*USERSOCK)
        await sock.bind((11, 0))
        await app.spawn(reader, seen, sock.fileno())
        await app.spawn(reader, seen, sock.fileno())
        await app.sleep(0.1)
        await sock.sendto(b"one", (11, 0))
        await app.sleep(0.1)
        await sock.sendto(b"two", (11, 0))

    async def reader(app: Any, seen: list[Any], fd: int) -> None:
        sock = await app.socket(fileno=fd)
        await sock.settimeout(1)
        seen.append(await sock.recv(10))

    assert told(program) == [b"one", b"two"]


def test_an_inherited_descriptor_has_the_class_of_its_socket() -> None:
    async def program(app: Any, seen: list[Any]) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK, NETLINK_USERSOCK)
        await app.spawn(child, seen, sock.fileno())
        await app.wait()

    async def child(app: Any, seen: list[Any], fd: int) -> None:
        sock = await app.socket(fileno=fd)
        seen.append((sock.family, sock.type, sock.proto, sock.gettimeout()))

    assert told(program) == [(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK, None)]


def test_a_generator_program_uses_it_too() -> None:
    def program(app: Any, seen: list[Any]) -> Any:
        sock = yield app.socket(*USERSOCK)
        yield sock.settimeout(1)
        yield sock.bind((11, 0))
        yield sock.sendto(b"x" * 20, (11, 0))
        buffer = bytearray(10)
        seen.append((yield sock.recv_into(buffer)))
        seen.append((yield sock.connect_ex((11, 0))))
        twin = yield sock.dup()
        seen.append((yield twin.getpeername()))
        yield twin.sendall(b"through the twin")
        seen.append((yield sock.recvmsg(100, 0, 0))[0])
        yield twin.close()

    assert told(program) == [10, 0, (11, 0), b"through the twin"]


def test_poll_takes_sockets_and_numbers() -> None:
    async def program(app: Any, seen: list[Any]) -> None:
        one, other = await app.socket(*USERSOCK), await app.socket(*USERSOCK)
        await one.bind((11, 0))
        await other.sendto(b"x", (11, 0))
        seen.append(await app.poll([(one, POLLIN), (other.fileno(), POLLIN | POLLOUT)], 0))
        seen.append(await app.poll([(other, POLLIN)], 5))
        await other.close()
        try:
            app.poll([(other, POLLIN)])
        except ValueError as error:
            seen.append(str(error))

    assert told(program) == [
        [(3, POLLIN), (4, POLLOUT)],
        [],
        "file descriptor cannot be a negative integer (-1)",
    ]


@pytest.mark.parametrize("closes", ["reader", "sender"])
def test_a_reader_keeps_the_socket_on_which_it_waits(closes: str) -> None:
    """As on Linux, a close of the descriptor by another thread does not wake a thread that sleeps in recv."""

    async def program(app: Any, seen: list[Any]) -> None:
        sock = await app.socket(*USERSOCK)
        await sock.bind((11, 0))
        await app.thread(closer, seen, sock)
        seen.append(await sock.recv(10))

    async def closer(app: Any, seen: list[Any], sock: Any) -> None:
        await app.sleep(0.1)
        if closes == "reader":
            await app.close(sock.fileno())
        other = await app.socket(*USERSOCK)
        await other.sendto(b"still there", (11, 0))

    assert told(program) == [b"still ther"]
