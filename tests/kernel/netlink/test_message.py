"""Requests to the kernel over netlink, and the kernel's acknowledgements."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.netlink import kernel_socket
from simkernel.kernel.netlink.message import NO_ACK, Receiver, Request
from simkernel.kernel.netlink.sock import NONROOT_SEND, Inbound
from simkernel.uapi import netlink as nl
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.errno import EINVAL, ENOBUFS, ENOENT, os_error
from simkernel.uapi.extack import ExtAck, extended_ack
from simkernel.uapi.socket import SO_ERROR, SO_SNDBUFFORCE, SOL_SOCKET
from tests.kernel.netlink.stack import NOBODY, Sock, Stack

A = 0x48000001
PROTOCOL = 30
MINE = 100
ACKED = nl.NLM_F_REQUEST | nl.NLM_F_ACK


class Server:
    """A netlink protocol in the kernel. Its handler records each request and calls `answer`, which a test can
    set.
    """

    def __init__(self, stack: Stack) -> None:
        self.seen: list[int] = []
        self.answer: Any = None
        self.kernel = kernel_socket.create(
            stack.netlink, stack.namespaces.init, PROTOCOL, input=lambda _: self.receive, flags=NONROOT_SEND
        )

    def receive(self, inbound: Inbound) -> Awaitable[None] | None:
        return Receiver(self.kernel, self.handle, Request).receive(inbound)

    def handle(self, request: Request) -> object:
        self.seen.append(request.seq)
        return self.answer(request) if self.answer is not None else None


@pytest.fixture
def server(stack: Stack) -> Server:
    return Server(stack)


def error_of(sock: Sock, data: bytes) -> tuple[int, ExtAck]:
    """Return the errno and the extended ACK of the only reply."""
    [(header, payload)] = sock.ask(data)
    assert header.type == nl.NLMSG_ERROR
    return -struct.unpack_from("<i", payload)[0], extended_ack(header, payload)


def refuse(request: Request) -> None:
    request.extack.message = "not that"
    request.extack.attribute(nl.NLMSG_HDRLEN)
    request.extack.missing_type = 7
    raise os_error(ENOENT)


def test_requests_are_handled_in_order_and_only_requests(stack: Stack, server: Server) -> None:
    sock = stack.open(PROTOCOL, A)
    kinds = [(MINE, nl.NLM_F_REQUEST), (MINE, 0), (nl.NLMSG_NOOP, nl.NLM_F_REQUEST), (MINE, ACKED)]
    data = b"".join(nl.message(type, flags=flags, seq=seq) for seq, (type, flags) in enumerate(kinds))
    answers = sock.ask(data)
    assert server.seen == [0, 3]
    assert [header.seq for header, _ in answers] == [3]


def test_success_is_capped_and_an_error_repeats_the_request(stack: Stack, server: Server) -> None:
    sock = stack.open(PROTOCOL, A)
    request = nl.message(MINE, b"12345", flags=ACKED, seq=9)
    [(header, payload)] = sock.ask(request)
    assert (header.flags, payload) == (nl.NLM_F_CAPPED, bytes(4) + request[:16])
    server.answer = refuse
    [(header, payload)] = sock.ask(request)
    assert (header.flags, header.length) == (0, 44)
    assert payload[:4] == struct.pack("<i", -ENOENT)
    assert payload[4:] == request
    sock.set(nl.NETLINK_CAP_ACK)
    [(header, payload)] = sock.ask(request)
    assert (header.flags, payload[4:]) == (nl.NLM_F_CAPPED, request[:16])


def test_an_error_has_an_extended_ack_if_the_option_is_set(stack: Stack, server: Server) -> None:
    server.answer = refuse
    sock = stack.open(PROTOCOL, A)
    request = nl.message(MINE, b"12345678", flags=nl.NLM_F_REQUEST)
    assert error_of(sock, request) == (ENOENT, ExtAck())
    sock.set(nl.NETLINK_EXT_ACK)
    assert error_of(sock, request) == (ENOENT, ExtAck(message="not that", offset=16, missing_type=7))


def test_success_has_a_text_but_blames_nothing(stack: Stack, server: Server) -> None:
    def warn(request: Request) -> None:
        request.extack.attribute(16, "deprecated")

    server.answer = warn
    sock = stack.open(PROTOCOL, A)
    sock.set(nl.NETLINK_EXT_ACK)
    assert error_of(sock, nl.message(MINE, b"1234", flags=ACKED)) == (0, ExtAck(message="deprecated"))


def test_a_handler_that_begins_a_dump_is_not_acknowledged(stack: Stack, server: Server) -> None:
    server.answer = lambda request: NO_ACK
    assert stack.open(PROTOCOL, A).ask(nl.message(MINE, flags=ACKED)) == []


def test_a_sleeping_handler_delays_later_requests(stack: Stack, server: Server) -> None:
    async def slow(request: Request) -> None:
        if request.seq == 1:
            raise os_error(EINVAL)

    server.answer = slow
    sock = stack.open(PROTOCOL, A)
    sent = sock.it.sendmsg(
        sock.task, b"".join(nl.message(MINE, flags=ACKED, seq=seq) for seq in range(3)), (0, 0)
    )
    assert isinstance(sent, Coroutine)
    assert sock.drain() == []
    with pytest.raises(StopIteration) as finished:
        sent.send(None)
    assert finished.value.value == 48
    answers = [each for datagram in sock.drain() for each in nl.iterate_messages(datagram)]
    assert [(header.seq, struct.unpack_from("<i", payload)[0]) for header, payload in answers] == [
        (0, 0),
        (1, -EINVAL),
        (2, 0),
    ]


def test_the_opener_of_a_socket_needs_privilege_too(stack: Stack, server: Server) -> None:
    """`__netlink_ns_capable()` also checks the privilege of the process that opened the socket. It omits this
    check if the sender passes a destination address.
    """
    answers: list[bool] = []
    server.answer = lambda request: answers.append(request.capable(CAP_NET_ADMIN))
    sock = stack.open(PROTOCOL, A, uid=NOBODY)
    sock.task = stack.task(uid=0)
    request = nl.message(MINE, flags=nl.NLM_F_REQUEST)
    sock.send(request, None)
    sock.send(request, (0, 0))
    sock.task = stack.task(uid=NOBODY)
    sock.send(request, (0, 0))
    assert answers == [False, True, False]


def test_a_request_too_large_to_be_repeated_is_an_error_of_the_socket(stack: Stack, server: Server) -> None:
    server.answer = refuse
    sock = stack.open(PROTOCOL, A)
    sock.set(SO_SNDBUFFORCE, 8_000_000, SOL_SOCKET)
    sock.send(nl.message(MINE, bytes(4_300_000), flags=nl.NLM_F_REQUEST))
    assert sock.number(SO_ERROR) == ENOBUFS


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_any_bytes_are_taken_apart(datagrams: list[bytes]) -> None:
    stack = Stack()
    server = Server(stack)
    server.answer = refuse
    sock = stack.open(PROTOCOL, A)
    for data in datagrams:
        if data:
            assert sock.send(data) == len(data)
    for datagram in sock.drain():
        for header, payload in nl.iterate_messages(datagram):
            assert header.type == nl.NLMSG_ERROR
            assert struct.unpack_from("<i", payload)[0] in (0, -ENOENT)
