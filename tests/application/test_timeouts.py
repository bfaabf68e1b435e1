"""Timeouts of poll, select and epoll in programs and in `Blocking` are accepted and rounded as in Python."""

from __future__ import annotations

import math
import os
import select
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine
from simkernel.hosted import hosted
from simkernel.kernel.lib.costs import FREE
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from tests.examples import examples

MS = 1_000_000
US = 1000
HALF_A_DAY = 43_200

Wait = Callable[[Any, int, Any], Any]


def poll(user: Any, fd: int, timeout: Any) -> Any:
    """Call poll(2) to wait until `fd` is readable or `timeout` is over."""
    return user.poll([(fd, 1)], timeout)


def select_(user: Any, fd: int, timeout: Any) -> Any:
    """Call select(2) to wait until `fd` is readable or `timeout` is over."""
    return user.select([fd], [], [], timeout)


async def epoll(app: Any, fd: int, timeout: Any) -> Any:
    """In an async program, call epoll_wait(2) to wait until `fd` is readable or `timeout` is over."""
    made = await app.epoll()
    await made.register(fd, 1)
    return await made.poll(timeout)


def epoll_of_a_facade(user: Any, fd: int, timeout: Any) -> Any:
    """Through `Blocking`, call epoll_wait(2) to wait until `fd` is readable or `timeout` is over."""
    made = user.epoll()
    made.register(fd, 1)
    return made.poll(timeout)


def slept(wait: Wait, timeout: Any) -> int | None:
    """Return the time for which a program sleeps, in ns, or None if it never wakes up."""
    took: list[int] = []

    async def program(app: Any) -> None:
        reader, _ = await app.pipe()
        begun = app.monotonic_ns()
        assert not any(await wait(app, reader, timeout))
        took.append(app.monotonic_ns() - begun)

    with Machine(udev=False, costs=FREE) as machine:
        machine.spawn(program)
        machine.run()
    return took[0] if took else None


def up(timeout: float, unit: int, resolution: int) -> int:
    """Return `timeout * unit`, rounded up to whole nanoseconds and then to a multiple of `resolution`."""
    return math.ceil(Fraction(math.ceil(timeout * unit), resolution)) * resolution


TIMEOUTS = st.floats(0, HALF_A_DAY) | st.floats(0, 0.01) | st.integers(0, HALF_A_DAY)


@settings(max_examples=examples(25))
@given(TIMEOUTS)
def test_poll_rounds_up_to_milliseconds(timeout: float) -> None:
    assert slept(poll, timeout) == up(timeout, MS, MS)


@settings(max_examples=examples(25))
@given(TIMEOUTS)
def test_epoll_rounds_up_to_milliseconds(timeout: float) -> None:
    assert slept(epoll, timeout) == up(timeout, 1000 * MS, MS)


@settings(max_examples=examples(25))
@given(TIMEOUTS)
def test_select_rounds_up_to_microseconds(timeout: float) -> None:
    assert slept(select_, timeout) == up(timeout, 1000 * MS, US)


@pytest.mark.parametrize("wait", [poll, epoll])
@pytest.mark.parametrize("timeout", [None, -1, -1.0, -1000])
def test_negative_timeouts_are_for_ever(wait: Wait, timeout: float | None) -> None:
    assert slept(wait, timeout) is None


def test_poll_rounds_away_from_zero_and_epoll_up() -> None:
    assert slept(poll, -0.0001) is None
    assert slept(epoll, -0.0001) == 0


@pytest.mark.parametrize(
    ("wait", "timeout", "took"),
    [(poll, 0.2, MS), (poll, 1.2, 2 * MS), (epoll_of_a_facade, 0.0012, 2 * MS), (select_, 0.0000012, 2 * US)],
)
def test_a_facade_rounds_as_a_program_does(wait: Wait, timeout: float, took: int) -> None:
    with Machine(udev=False, costs=FREE) as machine:
        user = machine.blocking()
        reader, _ = user.pipe()
        begun = machine.now
        wait(user, reader, timeout)
        assert machine.now - begun == took


def test_a_socket_timeout_is_a_poll_of_whole_milliseconds() -> None:
    with Machine(udev=False, costs=FREE) as machine:
        sock = machine.blocking().socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        sock.settimeout(0.0012)
        assert sock.gettimeout() == 0.0012
        begun = machine.now
        with pytest.raises(TimeoutError):
            sock.recv(1)
        assert machine.now - begun == 2 * MS


@pytest.mark.skipif(sys.platform != "linux", reason="hosted programs are Linux programs")
def test_a_hosted_package_rounds_as_a_program_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "waiter.py").write_text("import select\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Machine(udev=False, costs=FREE) as machine, hosted(machine, "waiter") as host:
        select = host.import_module("select")
        reader, _ = host.os.pipe()
        poll, epoll = select.poll(), select.epoll()
        for each in (poll, epoll):
            each.register(reader, select.POLLIN)
        for call, took in (
            (lambda: poll.poll(0.2), MS),
            (lambda: epoll.poll(0.0012), 2 * MS),
            (lambda: select.select([reader], [], [], 0.0000012), 2 * US),
        ):
            begun = machine.now
            call()
            assert machine.now - begun == took


WRONG = (
    math.nan, math.inf, -math.inf, 1e300, -1e300, 1e18, 1e11, -1e11, 2**31, 2**62, 2**63, 2**70, -(2**31) - 1,
    -(2**70), 2147483.6471, 2147484, "1", b"1", [], Fraction(3, 2), 1j, -0.5, -1, 0, True,
)  # fmt: skip


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="this host has no epoll to compare with")
@pytest.mark.parametrize("timeout", WRONG, ids=repr)
@pytest.mark.parametrize("name", ["poll", "select", "epoll"])
def test_poll_select_and_epoll_refuse_the_timeouts_that_python_refuses(name: str, timeout: Any) -> None:
    """The test uses a pipe that is readable, so that accepted calls on the host return immediately."""
    reader, writer = os.pipe()
    os.write(writer, b"x")
    here, there = select.poll(), select.epoll()
    here.register(reader, select.POLLIN)
    there.register(reader, select.POLLIN)
    real: dict[str, Callable[[], object]] = {
        "poll": lambda: here.poll(timeout),
        "select": lambda: select.select([reader], [], [], timeout),
        "epoll": lambda: there.poll(timeout),
    }
    wait: dict[str, Wait] = {"poll": poll, "select": select_, "epoll": epoll_of_a_facade}
    expected = None
    try:
        real[name]()
    except (TypeError, ValueError, OverflowError) as error:
        expected = error
    finally:
        there.close()
        os.close(reader)
        os.close(writer)
    with Machine(udev=False) as machine:
        user = machine.blocking()
        fds = user.pipe()
        user.write(fds[1], b"x")
        if expected is None:
            wait[name](user, fds[0], timeout)
            return
        with pytest.raises(type(expected)) as raised:
            wait[name](user, fds[0], timeout)
        assert type(raised.value) is type(expected)
        # The text of an OverflowError differs between versions of Python.
        if not isinstance(expected, OverflowError):
            assert str(raised.value) == str(expected)
