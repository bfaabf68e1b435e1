"""The kernel's socket of a netlink protocol: registration, refusals, module references, and overruns."""

from __future__ import annotations

from collections.abc import Coroutine

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.netlink import kernel_socket
from simkernel.uapi.errno import EADDRINUSE, EINVAL, EPROTONOSUPPORT
from simkernel.uapi.netlink import NETLINK_GENERIC
from simkernel.uapi.socket import SOCK_RAW, SOCK_STREAM
from tests.kernel.netlink.stack import Stack

A = 0x4D000001
PROTOCOL = 30


class Owner:
    name = "hello"

    def __init__(self, leaving: bool = False) -> None:
        self.references = 0
        self.leaving = leaving

    def try_get(self) -> bool:
        self.references += not self.leaving
        return not self.leaving

    def put(self) -> None:
        self.references -= 1


def test_a_protocol_exists_while_it_is_registered(stack: Stack) -> None:
    with pytest.raises(OSError) as refused:
        stack.open(PROTOCOL)
    assert refused.value.errno == EPROTONOSUPPORT
    server = kernel_socket.create(stack.netlink, stack.namespaces.init, PROTOCOL, groups=40)
    sock = stack.open(PROTOCOL, A).join(40)
    server.release()
    with pytest.raises(OSError, match="No such file"):
        sock.join(1)
    with pytest.raises(OSError) as refused:
        stack.open(PROTOCOL)
    assert refused.value.errno == EPROTONOSUPPORT


def test_connecting_to_a_socket_that_does_not_listen_is_refused(stack: Stack) -> None:
    kernel_socket.create(stack.netlink, stack.namespaces.init, PROTOCOL)
    with pytest.raises(ConnectionRefusedError):
        stack.open(PROTOCOL, A).send(b"x")


@pytest.mark.parametrize(("protocol", "error"), [(NETLINK_GENERIC, EADDRINUSE), (32, EINVAL), (-1, EINVAL)])
def test_refused(stack: Stack, protocol: int, error: int) -> None:
    with pytest.raises(OSError) as refused:
        kernel_socket.create(stack.netlink, stack.namespaces.init, protocol)
    assert refused.value.errno == error


def test_a_socket_holds_the_protocols_module(stack: Stack) -> None:
    owner = Owner()
    kernel_socket.create(stack.netlink, stack.namespaces.init, PROTOCOL, owner=owner)
    sock = stack.open(PROTOCOL)
    assert owner.references == 1
    sock.close()
    assert owner.references == 0
    owner.leaving = True
    with pytest.raises(OSError) as refused:
        stack.open(PROTOCOL)
    assert refused.value.errno == EPROTONOSUPPORT


def test_an_unknown_protocol_is_requested_as_a_module(stack: Stack) -> None:
    asked: list[str] = []

    async def load(name: str) -> None:
        asked.append(name)
        kernel_socket.create(stack.netlink, stack.namespaces.init, PROTOCOL)

    stack.request_module = load
    opening = stack.netlink.socket(stack.task(), SOCK_RAW, PROTOCOL)
    assert isinstance(opening, Coroutine)
    with pytest.raises(StopIteration) as opened:
        opening.send(None)
    assert opened.value.value.protocol == PROTOCOL
    assert asked == ["net-pf-16-proto-30"]
    with pytest.raises(OSError, match="type not supported"):
        stack.netlink.socket(stack.task(), SOCK_STREAM, PROTOCOL)


def test_the_kernel_overruns_a_program_that_does_not_read(stack: Stack) -> None:
    kernel = stack.kernel_socket(NETLINK_GENERIC)
    sock = stack.open(NETLINK_GENERIC, A)
    sock.it.rcvbuf = 2304
    for _ in range(2):
        kernel.send(b"x", A)
    with pytest.raises(BlockingIOError):
        kernel.send(b"x", A)
    assert sock.it.drops == 1
    with pytest.raises(OSError, match="buffer space"):
        sock.receive()


@given(st.lists(st.integers(0, 9000), max_size=8))
def test_send_fast_path_matches_deliver(sizes: list[int]) -> None:
    """While a tracer is attached, every send takes the slow path."""

    def sent(*, traced: bool) -> object:
        stack = Stack()
        if traced:
            stack.engine.trace.subscribe(lambda record: None)
        sock = stack.open(NETLINK_GENERIC, A)
        sock.it.rcvbuf = 30_000
        outcomes: list[int | None] = []
        for size in sizes:
            try:
                stack.kernel_socket(NETLINK_GENERIC).send(bytes(size), A)
                outcomes.append(None)
            except OSError as error:
                outcomes.append(error.errno)
        queued = [(skb.data, skb.truesize, skb.address, skb.creds, skb.nsid) for skb in sock.it.queue or ()]
        return outcomes, queued, sock.it.rmem, sock.it.drops, stack.engine.charged, stack.netlink.statistics

    assert sent(traced=False) == sent(traced=True)
