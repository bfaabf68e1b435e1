"""Socket options of the levels SOL_SOCKET and SOL_NETLINK."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.net.sock_options import OPTIONS
from simkernel.uapi.errno import EDOM, EINVAL, ENOPROTOOPT
from simkernel.uapi.netlink import (
    NETLINK_GENERIC,
    NETLINK_LIST_MEMBERSHIPS,
    NETLINK_LISTEN_ALL_NSID,
    NETLINK_PKTINFO,
    NETLINK_USERSOCK,
)
from simkernel.uapi.socket import (
    SO_BINDTODEVICE,
    SO_BUF_LOCK,
    SO_LINGER,
    SO_PRIORITY,
    SO_RCVBUF,
    SO_RCVBUFFORCE,
    SO_RCVTIMEO,
    SO_TIMESTAMP,
    SO_TIMESTAMP_NEW,
    SO_TIMESTAMPNS,
    SOL_NETLINK,
    SOL_SOCKET,
    SOL_TCP,
)
from tests.kernel.netlink.stack import NOBODY, Stack

A = 0x45000001


def test_receive_timeouts_are_kept_in_ticks(stack: Stack) -> None:
    """The kernel rounds a timeout up to a tick of 4 ms. With the value zero, a receive has no timeout
    (`sock_set_timeout()`).
    """
    sock = stack.open(NETLINK_USERSOCK)
    sock.set(SO_RCVTIMEO, struct.pack("<qq", 2, 1), SOL_SOCKET)
    assert sock.get(SO_RCVTIMEO, 16, SOL_SOCKET) == struct.pack("<qq", 2, 4000)
    assert sock.it.rcvtimeo == 2_004_000_000
    sock.set(SO_RCVTIMEO, bytes(16), SOL_SOCKET)
    assert sock.it.rcvtimeo is None
    sock.set(SO_RCVTIMEO, struct.pack("<qq", -1, 0), SOL_SOCKET)
    assert sock.it.rcvtimeo == 0
    with pytest.raises(OSError) as refused:
        sock.set(SO_RCVTIMEO, struct.pack("<qq", 0, 1_000_000), SOL_SOCKET)
    assert refused.value.errno == EDOM


def test_buffers_double_up_to_the_administrators_limit(stack: Stack) -> None:
    sock = stack.open(NETLINK_USERSOCK, uid=NOBODY)
    for asked, got in ((0, 2304), (1153, 2306), (-1, 8_388_608), (2**31 - 1, 8_388_608)):
        sock.set(SO_RCVBUF, asked, SOL_SOCKET)
        assert sock.number(SO_RCVBUF) == got
    assert sock.number(SO_BUF_LOCK) == 2
    with pytest.raises(PermissionError):
        sock.set(SO_RCVBUFFORCE, 1, SOL_SOCKET)


def test_privileged_values(stack: Stack) -> None:
    sock = stack.open(NETLINK_USERSOCK, uid=NOBODY)
    sock.set(SO_PRIORITY, 6, SOL_SOCKET)
    with pytest.raises(PermissionError):
        sock.set(SO_PRIORITY, 7, SOL_SOCKET)
    with pytest.raises(PermissionError):
        sock.set(NETLINK_LISTEN_ALL_NSID, 0)


def test_timestamps_share_their_flags(stack: Stack) -> None:
    sock = stack.open(NETLINK_USERSOCK)
    sock.set(SO_TIMESTAMP, 1, SOL_SOCKET)
    assert sock.number(SO_TIMESTAMP) == 1
    sock.set(SO_TIMESTAMPNS, 1, SOL_SOCKET)
    assert [sock.number(each) for each in (SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMP_NEW)] == [0, 1, 0]


def test_binding_to_a_device_by_name(stack: Stack) -> None:
    sock = stack.open(NETLINK_USERSOCK)
    assert sock.get(SO_BINDTODEVICE, 16, SOL_SOCKET) == b""
    sock.set(SO_BINDTODEVICE, b"lo", SOL_SOCKET)
    assert sock.get(SO_BINDTODEVICE, 16, SOL_SOCKET) == b"lo\0"
    with pytest.raises(OSError, match="No such device"):
        sock.set(SO_BINDTODEVICE, b"eth0\0", SOL_SOCKET)


def test_linger_is_a_pair(stack: Stack) -> None:
    sock = stack.open(NETLINK_USERSOCK)
    sock.set(SO_LINGER, struct.pack("<ii", 1, 5), SOL_SOCKET)
    sock.set(SO_LINGER, struct.pack("<ii", 0, 9), SOL_SOCKET)
    assert sock.get(SO_LINGER, 8, SOL_SOCKET) == struct.pack("<ii", 0, 5)


def test_memberships_are_listed_in_words(stack: Stack) -> None:
    sock = stack.open(NETLINK_USERSOCK)
    assert sock.get(NETLINK_LIST_MEMBERSHIPS, 8) == b""
    sock.join(1, 32)
    assert sock.get(NETLINK_LIST_MEMBERSHIPS, 8) == b"\1\0\0\x80"
    assert sock.get(NETLINK_LIST_MEMBERSHIPS, 3) == bytes(4)


def test_flags_take_four_bytes_or_count_as_nothing(stack: Stack) -> None:
    sock = stack.open(NETLINK_GENERIC)
    sock.set(NETLINK_PKTINFO, 17)
    assert sock.get(NETLINK_PKTINFO) == b"\1\0\0\0"
    sock.set(NETLINK_PKTINFO, b"\1\0\0")
    assert sock.get(NETLINK_PKTINFO) == bytes(4)
    with pytest.raises(OSError) as refused:
        sock.get(NETLINK_PKTINFO, 3)
    assert refused.value.errno == EINVAL
    with pytest.raises(OSError) as refused:
        sock.set(1, 1, SOL_TCP)
    assert refused.value.errno == ENOPROTOOPT


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from((SOL_SOCKET, SOL_NETLINK, 0, -1)),
            st.one_of(st.sampled_from(sorted(OPTIONS)), st.integers(-2, 100)),
            st.binary(max_size=40),
            st.integers(-1, 64),
        ),
        max_size=30,
    ),
    st.sampled_from((0, NOBODY)),
)
def test_any_option_answers_or_is_an_error(calls: list[tuple[bool, int, int, bytes, int]], uid: int) -> None:
    sock = Stack().open(NETLINK_GENERIC, A, uid=uid)
    for sets, level, option, value, length in calls:
        try:
            if sets:
                sock.it.setsockopt(sock.task, level, option, value)
            else:
                assert isinstance(sock.it.getsockopt(sock.task, level, option, length), bytes)
        except OSError as error:
            assert error.errno
