"""hello: greetings over a separate netlink protocol."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import Machine
from simkernel.blocking.socket import BlockingSocket
from simkernel.uapi.netlink import (
    NLM_F_ACK,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NlMsgHdr,
    iterate_messages,
    message,
)
from simkernel.uapi.structure import S32

PROTOCOL, HELLO, GREETED = 17, 16, 1


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


def ask(sock: BlockingSocket, name: bytes, *, type: int = HELLO, seq: int = 7) -> tuple[NlMsgHdr, bytes]:
    sock.send(message(type, name, flags=NLM_F_REQUEST, seq=seq))
    ((header, payload),) = iterate_messages(memoryview(sock.recv(4096)))
    return header, bytes(payload)


def test_a_greeting(machine: Machine) -> None:
    sock = machine.blocking(uid=1000).socket(proto=PROTOCOL)
    header, payload = ask(sock, b"Ann\0")
    assert (header.type, header.seq) == (HELLO, 7)
    assert payload == b"Hello, Ann!"


def test_another_greeting(machine: Machine) -> None:
    root = machine.blocking(uid=0)
    root.modprobe("hello", greeting="Good morning")
    assert ask(root.socket(proto=PROTOCOL), b"Ann")[1] == b"Good morning, Ann!"


@pytest.mark.parametrize(
    ("type", "name", "number"),
    [(HELLO, b"", errno.EINVAL), (HELLO, b"\0", errno.EINVAL), (HELLO, b"x" * 65, errno.EINVAL),
     (HELLO + 1, b"Ann", errno.EOPNOTSUPP)],
)  # fmt: skip
def test_wrong_greetings_are_refused(machine: Machine, type: int, name: bytes, number: int) -> None:
    header, payload = ask(machine.blocking(uid=0).socket(proto=PROTOCOL), name, type=type)
    assert header.type == NLMSG_ERROR
    assert S32.unpack_from(payload)[0] == -number


def test_several_in_one_datagram_and_an_acknowledgement(machine: Machine) -> None:
    sock = machine.blocking(uid=0).socket(proto=PROTOCOL)
    sock.send(
        message(HELLO, b"Ann", flags=NLM_F_REQUEST, seq=1)
        + message(HELLO, b"Bob", flags=NLM_F_REQUEST | NLM_F_ACK, seq=2)
    )
    answers = [NlMsgHdr.unpack(sock.recv(4096)) for _ in range(3)]
    assert [(answer.type, answer.seq) for answer in answers] == [(HELLO, 1), (HELLO, 2), (NLMSG_ERROR, 2)]


def test_each_group_member_receives_it(machine: Machine) -> None:
    listener = machine.blocking(uid=1000).socket(proto=PROTOCOL)
    listener.bind((0, GREETED))
    ask(machine.blocking(uid=0).socket(proto=PROTOCOL), b"Ann")
    assert listener.recv(4096)[NLMSG_HDRLEN:].rstrip(b"\0") == b"Ann"


def test_it_says_goodbye(machine: Machine) -> None:
    root = machine.blocking(uid=0)
    sock = root.socket(proto=PROTOCOL)
    ask(sock, b"Ann")
    sock.close()
    root.rmmod("hello")
    assert machine.log.records[-1].text == "hello: greeted 1"


@given(st.binary(min_size=1, max_size=200))
def test_no_bytes_are_more_than_an_error(data: bytes) -> None:
    with Machine(udev=False) as machine:
        sock = machine.blocking(uid=0).socket(proto=PROTOCOL)
        sock.setblocking(False)
        sock.send(data)
        assert machine.kernel.oopses.count == 0
        sock.setblocking(True)
        while True:
            sock.setblocking(False)
            try:
                sock.recv(4096)
            except BlockingIOError:
                break
        sock.setblocking(True)
        assert ask(sock, b"Ann")[1] == b"Hello, Ann!"
