"""Port ids and groups that a netlink socket gets by bind(2) and connect(2)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink import kernel_socket
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EACCES, EINVAL, os_error
from simkernel.uapi.netlink import NETLINK_ROUTE, NETLINK_USERSOCK
from simkernel.uapi.socket import AF_INET, AF_NETLINK, AF_UNSPEC
from tests.kernel.netlink.stack import NOBODY, Stack

A, B = 0x41000001, 0x41000002


def test_the_first_port_id_is_the_processs_and_others_are_negative(stack: Stack) -> None:
    first = stack.open(NETLINK_USERSOCK)
    task = first.task
    first.bind()
    others = [stack.netlink.socket(task, 3, NETLINK_USERSOCK) for _ in range(50)]
    for sock in others:
        sock.bind(task, (0, 0))
    assert first.it.portid == task.tgid
    portids = [sock.portid for sock in others]
    assert len(set(portids)) == 50
    assert all(2**31 <= portid < 2**32 - 4096 for portid in portids)


def test_chosen_port_ids_come_from_the_seed() -> None:
    def choose(seed: int) -> int:
        stack = Stack(seed)
        task = stack.task()
        socks = [stack.netlink.socket(task, 3, NETLINK_USERSOCK) for _ in range(2)]
        for sock in socks:
            sock.bind(task, (0, 0))
        return socks[1].portid

    assert choose(1) == choose(1)
    assert choose(1) != choose(2)


def test_a_port_id_that_is_taken_is_shown_but_not_had(stack: Stack) -> None:
    stack.open(NETLINK_USERSOCK, A)
    second = stack.open(NETLINK_USERSOCK)
    with pytest.raises(OSError, match="in use"):
        second.bind(A)
    assert second.it.getsockname() == (A, 0)
    second.bind(B)
    assert second.it.getsockname() == (B, 0)


def test_closing_a_socket_that_failed_to_bind_keeps_the_owner(stack: Stack) -> None:
    stack.open(NETLINK_USERSOCK, A)
    second = stack.open(NETLINK_USERSOCK)
    with pytest.raises(OSError, match="in use"):
        second.bind(A)
    second.close()
    with pytest.raises(OSError, match="in use"):
        stack.open(NETLINK_USERSOCK, A)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", EINVAL),
        (struct.pack("<HHII", AF_NETLINK, 0, A, 0)[:11], EINVAL),
        (struct.pack("<HHII", AF_INET, 0, A, 0), EINVAL),
        (struct.pack("<HHII", AF_NETLINK, 0xFFFF, A, 0) + bytes(116), None),
        (struct.pack("<HHII", AF_NETLINK, 0, A, 0) + bytes(117), EINVAL),
    ],
)
def test_addresses_as_bytes(stack: Stack, raw: bytes, error: int | None) -> None:
    sock = stack.open(NETLINK_USERSOCK)
    if error is None:
        sock.it.bind(sock.task, raw)
        assert sock.it.portid == A
    else:
        with pytest.raises(OSError) as refused:
            sock.it.bind(sock.task, raw)
        assert refused.value.errno == error


def test_connecting_to_nothing_clears_the_peer(stack: Stack) -> None:
    sock = stack.open(NETLINK_USERSOCK, A)
    sock.connect(B, 6)
    assert sock.it.getpeername() == (B, 2)
    sock.it.connect(sock.task, struct.pack("<H", AF_UNSPEC))
    assert sock.it.getpeername() == (0, 0)


def test_groups_need_privilege_where_the_protocol_says_so(stack: Stack) -> None:
    with pytest.raises(PermissionError):
        stack.open(NETLINK_USERSOCK, uid=NOBODY).bind(A, 1)
    assert stack.open(NETLINK_ROUTE, uid=NOBODY).bind(A, 1).it.getsockname() == (A, 1)
    with pytest.raises(PermissionError):
        stack.open(NETLINK_ROUTE, uid=NOBODY).bind(B, 1 << 29)


def test_a_group_that_is_refused_undoes_those_before_it(stack: Stack) -> None:
    """If bind(2) fails for one group, `netlink_undo_bind()` reverts the earlier groups."""
    told: list[tuple[str, int]] = []

    def bind(net: Net, task: Task, group: int) -> None:
        told.append(("join", group))
        if group == 3:
            raise os_error(EACCES)

    kernel_socket.create(
        stack.netlink,
        stack.namespaces.init,
        30,
        bind=bind,
        unbind=lambda net, group: told.append(("leave", group)),
    )
    sock = stack.open(30)
    with pytest.raises(PermissionError):
        sock.bind(A, 0b1111)
    assert told == [("join", 1), ("join", 2), ("join", 3), ("leave", 1), ("leave", 2)]
    assert sock.it.getsockname() == (0, 0)


def test_closing_a_socket_reports_that_it_left_its_groups(stack: Stack) -> None:
    left: list[int] = []
    kernel_socket.create(
        stack.netlink, stack.namespaces.init, 30, unbind=lambda net, group: left.append(group)
    )
    sock = stack.open(30, A).join(2, 7)
    sock.close()
    assert left == [2, 7]


@given(st.binary(max_size=140))
def test_any_bytes_are_an_address_or_an_error(raw: bytes) -> None:
    stack = Stack()
    for name in ("bind", "connect"):
        sock = stack.open(NETLINK_USERSOCK)
        try:
            getattr(sock.it, name)(sock.task, raw)
        except OSError as error:
            assert error.errno
