"""RTM_*LINK on a machine with only lo. The replies are those of Linux 6.18."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.uapi import if_link as il
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.errno import EACCES, EEXIST, EINVAL, ENODEV, EOPNOTSUPP, EPERM, ERANGE
from simkernel.uapi.extack import extended_ack
from simkernel.uapi.rtnetlink import IfInfoMsg
from tests.kernel.netlink.stack import NOBODY, Sock, Stack

A = 0x4F000001
GET, SET, NEW, DEL = rtnl.RTM_GETLINK, rtnl.RTM_SETLINK, rtnl.RTM_NEWLINK, rtnl.RTM_DELLINK
ACKED = nl.NLM_F_REQUEST | nl.NLM_F_ACK
DUMP = nl.NLM_F_REQUEST | nl.NLM_F_DUMP


@pytest.fixture
def sock(stack: Stack) -> Sock:
    sock = stack.open(nl.NETLINK_ROUTE, A)
    sock.set(nl.NETLINK_EXT_ACK)
    return sock


def ask(sock: Sock, type: int, body: bytes, flags: int = nl.NLM_F_REQUEST) -> list[Any]:
    """Send a request. Return (errno, text) of an error or NLMSG_DONE, and (name, flags) of each link."""
    answers: list[Any] = []
    for header, payload in sock.ask(nl.message(type, body, flags=flags)):
        if header.type in (nl.NLMSG_ERROR, nl.NLMSG_DONE):
            number = -struct.unpack_from("<i", payload)[0]
            answers.append((number, extended_ack(header, payload).message))
        else:
            attributes = dict(nl.iterate_attributes(payload[IfInfoMsg.SIZE :]))
            answers.append((attributes[il.IFLA_IFNAME].rstrip(b"\0").decode(), header.flags))
    return answers


def name(text: bytes, type: int = il.IFLA_IFNAME) -> bytes:
    return nl.attribute(type, text + b"\0")


def number(type: int, value: int) -> bytes:
    return nl.attribute(type, struct.pack("<I", value))


def link(index: int = 0, attributes: bytes = b"", **more: int) -> bytes:
    return IfInfoMsg(index=index, **more).pack() + attributes


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (link(1), ("lo", 0)),
        (link(0, name(b"lo")), ("lo", 0)),
        (link(0, name(b"lo", il.IFLA_ALT_IFNAME)), ("lo", 0)),
        (link(2), (ENODEV, None)),
        (link(2, name(b"lo")), (ENODEV, None)),
        (link(0, name(b"eth0")), (ENODEV, None)),
        (link(), (EINVAL, None)),
        (link(1, name(b"x" * 16)), (ERANGE, "Attribute failed policy validation")),
        (link(1, number(il.IFLA_NET_NS_PID, 1)), (EOPNOTSUPP, "specified netns attribute not supported")),
        (link(1, number(il.IFLA_TARGET_NETNSID, 5)), (EINVAL, None)),
        (link(1, nl.attribute(il.IFLA_DPLL_PIN)), (EINVAL, "Unsupported attribute")),
        (b"\0\0", (EINVAL, "Invalid header for get link")),
    ],
)
def test_one(sock: Sock, body: bytes, answer: object) -> None:
    assert ask(sock, GET, body) == [answer]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (link(1), ("lo", 0)),
        (link(1, change=1), (EINVAL, "Invalid values in header for get link request")),
        (link(1, number(il.IFLA_MTU, 1)), (EINVAL, "Unsupported attribute in get link request")),
        (link(1, nl.attribute(100)), (EINVAL, "Unknown attribute type")),
        (link(1) + b"x", (EINVAL, "bytes leftover after parsing attributes")),
    ],
)
def test_one_strictly(sock: Sock, body: bytes, answer: object) -> None:
    sock.set(nl.NETLINK_GET_STRICT_CHK)
    assert ask(sock, GET, body) == [answer]


@pytest.mark.parametrize(
    ("body", "strict", "answers"),
    [
        (link(), False, [("lo", nl.NLM_F_MULTI), (0, None)]),
        (b"\0", False, [("lo", nl.NLM_F_MULTI), (0, None)]),
        (link(7, b"junk"), False, [("lo", nl.NLM_F_MULTI), (0, None)]),
        (link(0, number(il.IFLA_MASTER, 9)), False, [(0, None)]),
        (b"\0", True, [(EINVAL, "Invalid header for link dump")]),
        (link(7), True, [(EINVAL, "Filter by device index not supported for link dumps")]),
        (link(0, flags=1), True, [(EINVAL, "Invalid values in header for link dump request")]),
        (link(0, name(b"lo")), True, [(EINVAL, "Unsupported attribute in link dump request")]),
        (
            link(0, number(il.IFLA_TARGET_NETNSID, 5)),
            False,
            [(EINVAL, "Invalid target network namespace id")],
        ),
    ],
)
def test_all(sock: Sock, body: bytes, strict: bool, answers: list[object]) -> None:
    sock.set(nl.NETLINK_GET_STRICT_CHK, strict)
    assert ask(sock, GET, body, DUMP) == answers


def test_the_end_of_all_comes_alone(sock: Sock) -> None:
    """A dump of all links sends NLMSG_DONE in a separate datagram, because some programs expect this
    (RTNL_FLAG_DUMP_SPLIT_NLM_DONE).
    """
    sock.send(nl.message(GET, link(), flags=DUMP))
    assert [len(list(nl.iterate_messages(data))) for data in sock.drain()] == [1, 1]


def test_a_namespace_known_by_a_number(stack: Stack, sock: Sock) -> None:
    stack.namespaces.init.assign_id(stack.namespaces.create(), 5)
    body = link(1, number(il.IFLA_TARGET_NETNSID, 5))
    assert ask(sock, GET, body) == [("lo", 0)]
    sock.task = stack.task(uid=NOBODY)
    assert ask(sock, GET, body) == [(EACCES, None)]


@pytest.mark.parametrize(
    ("type", "body", "flags", "answer"),
    [
        (DEL, link(1), ACKED, (EOPNOTSUPP, None)),
        (DEL, link(9), ACKED, (ENODEV, None)),
        (DEL, link(), ACKED, (EINVAL, None)),
        (DEL, link(0, number(il.IFLA_GROUP, 0)), ACKED, (EPERM, None)),
        (DEL, link(0, number(il.IFLA_GROUP, 5)), ACKED, (ENODEV, None)),
        (DEL, link(1), ACKED | nl.NLM_F_BULK, (EOPNOTSUPP, "Bulk delete is not supported")),
        (SET, link(), ACKED, (EINVAL, None)),
        (SET, link(1), ACKED, (0, None)),
        (SET, link(0, name(b"eth0")), ACKED, (ENODEV, None)),
        (NEW, link(-1), ACKED, (EINVAL, "ifindex can't be negative")),
        (NEW, link(1), ACKED | nl.NLM_F_EXCL | nl.NLM_F_CREATE, (EEXIST, None)),
        (NEW, link(0, name(b"eth0")), ACKED, (ENODEV, None)),
        (NEW, link(0, name(b"eth0")), ACKED | nl.NLM_F_CREATE, (EOPNOTSUPP, "Unknown device type")),
        (NEW, b"\0\0", ACKED, (EINVAL, "Invalid header length")),
    ],
)
def test_changes_that_fail(sock: Sock, type: int, body: bytes, flags: int, answer: object) -> None:
    assert ask(sock, type, body, flags) == [answer]


def test_changes_need_privilege_even_to_be_looked_at(stack: Stack) -> None:
    sock = stack.open(nl.NETLINK_ROUTE, A, uid=NOBODY)
    assert ask(sock, NEW, b"\0") == [(EPERM, None)]
    assert ask(sock, NEW, b"") == []
    assert ask(sock, 1000, bytes(16)) == [(EOPNOTSUPP, None)]


@given(st.lists(st.tuples(st.integers(0, 130), st.integers(0, 0xFFFF), st.binary(max_size=60)), max_size=12))
def test_any_message_is_answered_or_refused(messages: list[tuple[int, int, bytes]]) -> None:
    stack = Stack()
    sock = stack.open(nl.NETLINK_ROUTE, A)
    for type, flags, body in messages:
        sock.send(nl.message(type, body, flags=flags | nl.NLM_F_REQUEST))
        for datagram in sock.drain():
            assert list(nl.iterate_messages(datagram))
