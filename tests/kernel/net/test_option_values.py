"""Socket options: the value that is read after a value was set, and the error of a value that is refused.

The expected values are those of Linux 6.18 on a unix datagram socket of root (net/core/sock.c).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack
from typing import Any

import pytest

from simkernel import Machine
from simkernel.uapi import socket as so
from simkernel.uapi.socket import AF_UNIX, SOCK_DGRAM, SOL_SOCKET
from tests.kernel.refused import refused

SO_MAX_PACING_RATE, SO_TXTIME, SO_BINDTOIFINDEX, SO_BUSY_POLL_BUDGET = 47, 61, 62, 70
SO_RCVLOWAT, SO_LINGER, SO_SNDTIMEO, SO_RCVTIMEO, SO_PRIORITY, SO_MARK = 18, 13, 21, 20, 12, 36
SO_REUSEPORT, SO_RESERVE_MEM, SO_BUSY_POLL, SO_TIMESTAMPING, SO_INCOMING_CPU = 15, 73, 46, 37, 49
MAX = 2**31 - 1


def i(*numbers: int) -> bytes:
    return pack(f"={len(numbers)}i", *numbers)


def q(*numbers: int) -> bytes:
    return pack(f"={len(numbers)}q", *numbers)


SET: list[tuple[int, bytes, bytes | str]] = [
    # option, value that is set, value that is read with a buffer of the same length
    (SO_RCVLOWAT, i(0), i(1)),
    (SO_RCVLOWAT, i(5), i(5)),
    (SO_RCVLOWAT, i(-1), i(MAX)),
    (SO_RCVLOWAT, b"abc", "EINVAL"),
    (SO_MAX_PACING_RATE, i(5), i(5)),
    (SO_MAX_PACING_RATE, i(-1), i(-1)),
    (SO_MAX_PACING_RATE, i(-2), i(-2)),
    (SO_MAX_PACING_RATE, q(5), q(5)),
    (SO_MAX_PACING_RATE, q(-1), q(-1)),
    (SO_MAX_PACING_RATE, q(1 << 40), q(1 << 40)),
    (SO_LINGER, i(1, 5), i(1, 5)),
    (SO_LINGER, i(7, 5), i(1, 5)),
    (SO_LINGER, i(0, 5), i(0, 0)),
    (SO_LINGER, i(1), "EINVAL"),
    (SO_TXTIME, i(1, 0), i(1, 0)),
    (SO_TXTIME, i(1, 3), i(1, 3)),
    (SO_TXTIME, i(1, 4), "EINVAL"),
    (SO_TXTIME, i(0, 1), i(0, 1)),
    (SO_TXTIME, i(11, 1), i(11, 1)),
    (SO_TXTIME, i(2, 1), "EINVAL"),
    (SO_TXTIME, i(1), "EINVAL"),
    (SO_TXTIME, i(1, 0, 0), "EINVAL"),
    (SO_BINDTOIFINDEX, i(1), i(1)),
    (SO_BINDTOIFINDEX, i(0), i(0)),
    (SO_BINDTOIFINDEX, i(-1), "EINVAL"),
    (SO_BUSY_POLL_BUDGET, i(0), "write only"),
    (SO_BUSY_POLL_BUDGET, i(8), "write only"),
    (SO_BUSY_POLL_BUDGET, i(65535), "write only"),
    (SO_BUSY_POLL_BUDGET, i(65536), "EINVAL"),
    (SO_BUSY_POLL_BUDGET, i(-1), "EINVAL"),
    (SO_BUSY_POLL, i(-1), "EINVAL"),
    (SO_BUSY_POLL, i(50), i(50)),
    (SO_REUSEPORT, i(0), i(0)),
    (SO_REUSEPORT, i(1), "ENOTSUP"),
    (SO_RESERVE_MEM, i(-1), "EINVAL"),
    (SO_RESERVE_MEM, i(1), "ENOTSUP"),
    (SO_PRIORITY, i(6), i(6)),
    (SO_PRIORITY, i(7), i(7)),
    (SO_MARK, i(9), i(9)),
    (SO_INCOMING_CPU, i(1), i(1)),
    (SO_SNDTIMEO, q(1, 500_000), q(1, 500_000)),
    (SO_SNDTIMEO, q(0, 0), q(0, 0)),
    (SO_SNDTIMEO, q(-1, 0), q(0, 0)),
    (SO_SNDTIMEO, q(0, 1_000_000), "EDOM"),
    (SO_SNDTIMEO, q(0, -1), "EDOM"),
    (SO_SNDTIMEO, i(1, 0), "EINVAL"),
    (SO_RCVTIMEO, q(2, 4000), q(2, 4000)),
]


def outcome(sock: Any, option: int, value: bytes) -> bytes | str:
    """Set an option. Return the value that is then read, the errno if the option is refused, or "write only"
    if reading fails.
    """
    try:
        sock.setsockopt(SOL_SOCKET, option, value)
    except OSError:
        return refused(lambda: sock.setsockopt(SOL_SOCKET, option, value))
    try:
        got: bytes = sock.getsockopt(SOL_SOCKET, option, len(value))
    except OSError:
        return "write only"
    return got


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@pytest.mark.parametrize(("option", "value", "expected"), SET)
def test_value_that_is_read_after_it_was_set(
    machine: Machine, option: int, value: bytes, expected: bytes | str
) -> None:
    sock = machine.blocking().socket(AF_UNIX, SOCK_DGRAM)
    assert outcome(sock, option, value) == expected


PRIVILEGED: list[tuple[int, bytes, str]] = [
    (SO_PRIORITY, i(6), "ok"),
    (SO_PRIORITY, i(7), "EPERM"),
    (SO_MARK, i(9), "EPERM"),
    (SO_TXTIME, i(1, 0), "ok"),
    (SO_TXTIME, i(11, 0), "EPERM"),
    (SO_BUSY_POLL_BUDGET, i(8), "EPERM"),
    (SO_BUSY_POLL_BUDGET, i(0), "write only"),
    (SO_BINDTOIFINDEX, i(1), "ok"),
    (so.SO_RCVBUFFORCE, i(5000), "EPERM"),
    (so.SO_SNDBUFFORCE, i(5000), "EPERM"),
]


@pytest.mark.parametrize(("option", "value", "expected"), PRIVILEGED)
def test_options_that_need_a_capability(machine: Machine, option: int, value: bytes, expected: str) -> None:
    sock = machine.blocking(uid=1000).socket(AF_UNIX, SOCK_DGRAM)
    found = outcome(sock, option, value)
    assert found == expected if isinstance(found, str) else expected == "ok"


def test_a_socket_that_is_bound_to_a_device_stays_without_the_capability(machine: Machine) -> None:
    """A process without CAP_NET_RAW can bind an unbound socket to a device, but cannot change the binding
    (`sock_bindtoindex_locked()`).
    """
    sock = machine.blocking(uid=1000).socket(AF_UNIX, SOCK_DGRAM)
    sock.setsockopt(SOL_SOCKET, SO_BINDTOIFINDEX, i(1))
    assert refused(lambda: sock.setsockopt(SOL_SOCKET, SO_BINDTOIFINDEX, i(0))) == "EPERM"


@pytest.mark.parametrize("call", ["send", "write"])
def test_so_sndtimeo_ends_a_blocked_send(machine: Machine, call: str) -> None:
    """When the timeout has passed, a send fails with EAGAIN. If the stream has sent some of the bytes, the
    send returns their number instead.
    """
    app = machine.blocking()
    one, _ = app.socketpair(AF_UNIX, so.SOCK_STREAM)
    one.setsockopt(SOL_SOCKET, SO_SNDTIMEO, q(0, 250_000))

    def send(data: bytes) -> int:
        sent: int = one.send(data) if call == "send" else app.write(one.descriptor, data)
        return sent

    before = machine.now
    sent = send(bytes(1 << 20))
    assert 0 < sent < 1 << 20
    assert 250_000_000 <= machine.now - before < 260_000_000
    before = machine.now
    assert refused(lambda: send(b"x" * 100_000)) == "EAGAIN"
    assert 250_000_000 <= machine.now - before < 260_000_000
