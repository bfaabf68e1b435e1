"""Simulated costs of netlink calls, compared with a real Linux 6.18 (x86-64, pinned to one CPU)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from simkernel.uapi import genetlink as genl
from simkernel.uapi import netlink as nl
from tests.kernel.netlink.stack import Sock, Stack

A, B = 0x4E000001, 0x4E000002
TOLERANCE = 0.15


def spent(stack: Stack, *calls: Callable[[], object]) -> int:
    """Call the functions `calls`. Each of them makes one system call. Return their total simulated time in
    ns.
    """
    total = 0
    for call in calls:
        stack.engine.section()
        with contextlib.suppress(ConnectionRefusedError):
            call()
        total += stack.engine.charged + stack.netlink.costs.syscall
    return total


def pair(stack: Stack) -> tuple[Sock, Sock]:
    return stack.open(nl.NETLINK_USERSOCK, A), stack.open(nl.NETLINK_USERSOCK, B)


@pytest.mark.parametrize(("size", "real"), [(16, 648.2), (64, 671.7), (4096, 728.1), (60000, 3524.1)])
def test_unicast_and_receive(stack: Stack, size: int, real: float) -> None:
    a, b = pair(stack)
    assert spent(stack, lambda: a.send(bytes(size), (B, 0)), b.receive) == pytest.approx(real, rel=TOLERANCE)


def test_a_unicast_without_receiver_is_refused(stack: Stack) -> None:
    a, _ = pair(stack)
    assert spent(stack, lambda: a.send(bytes(16), (7, 0))) == pytest.approx(295.2, rel=TOLERANCE)


def test_receive(stack: Stack) -> None:
    a, b = pair(stack)
    a.send(bytes(64), (B, 0))
    assert spent(stack, b.receive) == pytest.approx(315.5, rel=TOLERANCE)


def test_family_by_name(stack: Stack) -> None:
    sock = stack.open(nl.NETLINK_GENERIC, A)
    name = nl.attribute(genl.CTRL_ATTR_FAMILY_NAME, b"nlctrl\0")
    header = genl.GenlMsgHdr(genl.CTRL_CMD_GETFAMILY).pack()
    request = nl.message(genl.GENL_ID_CTRL, header + name, flags=nl.NLM_F_REQUEST)
    assert spent(stack, lambda: sock.send(request), sock.receive) == pytest.approx(1392.8, rel=TOLERANCE)


@pytest.mark.parametrize(("members", "real"), [(1, 438.1), (10, 1484.9), (100, 11579.7)])
def test_multicast(stack: Stack, members: int, real: float) -> None:
    a, _ = pair(stack)
    for number in range(members):
        stack.open(nl.NETLINK_USERSOCK, 100 + number).join(1)
    assert spent(stack, lambda: a.send(bytes(64), (0, 1))) == pytest.approx(real, rel=TOLERANCE)


def test_sockets_in_other_groups_are_passed_over(stack: Stack) -> None:
    a, _ = pair(stack)
    stack.open(nl.NETLINK_USERSOCK, 99).join(1)
    for number in range(1000):
        stack.open(nl.NETLINK_USERSOCK, 100 + number).join(2)
    assert spent(stack, lambda: a.send(bytes(64), (0, 1))) == pytest.approx(16238.2, rel=TOLERANCE)


def test_a_socket_and_its_end(stack: Stack) -> None:
    opened: list[Sock] = []

    def open() -> None:
        opened.append(stack.open(nl.NETLINK_GENERIC))

    total = spent(stack, open, lambda: opened[0].bind(A), lambda: opened[0].close())
    assert total == pytest.approx(2436.2, rel=TOLERANCE)
