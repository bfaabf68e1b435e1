"""Netlink dumps: several datagrams, changes between two datagrams, aborts and errors."""

from __future__ import annotations

import struct
from collections.abc import Coroutine

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.netlink import dump, kernel_socket
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Receiver, Request
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import netlink as nl
from simkernel.uapi.errno import EAGAIN, EBUSY, EINVAL, EIO, EMSGSIZE, ENOBUFS, os_error
from simkernel.uapi.extack import extended_ack
from simkernel.uapi.socket import MSG_PEEK, SO_RCVBUF, SOL_SOCKET
from tests.kernel.netlink.stack import Sock, Stack

A = 0x49000001
PROTOCOL = 31
MINE = 100
ASK = nl.message(MINE, flags=nl.NLM_F_REQUEST | nl.NLM_F_DUMP | nl.NLM_F_ACK, seq=5)


class Server:
    """A protocol that dumps numbered messages of given sizes."""

    def __init__(self, stack: Stack, sizes: list[int]) -> None:
        self.sizes = sizes
        self.generation = 0
        self.error: int | None = None
        self.ended = 0
        self.begin = None
        self.kernel = kernel_socket.create(
            stack.netlink,
            stack.namespaces.init,
            PROTOCOL,
            input=lambda sock: Receiver(sock, self.handle, Request).receive,
        )

    def handle(self, request: Request) -> object:
        return dump.start(request, self.step, begin=self.begin, done=self.done)

    def step(self, writer: MessageWriter, callback: DumpCallback) -> bool:
        callback.generation = self.generation
        told = callback.context or 0
        for number, size in enumerate(self.sizes[told:], told):
            request = callback.request
            place = len(writer.data)
            data = struct.pack("<I", number) + bytes(size)
            writer.append(nl.message(MINE, data, flags=nl.NLM_F_MULTI, seq=request.seq, pid=request.portid))
            callback.check_consistent(writer, place)
            callback.context = number + 1
        if self.error is not None:
            callback.request.extack.message = "the disk is on fire"
            raise os_error(self.error)
        return False

    def done(self, callback: DumpCallback) -> None:
        self.ended += 1


def read(sock: Sock, size: int = 65536) -> list[list[nl.NlMsgHdr]]:
    """Read a dump, and return the headers of each datagram."""
    datagrams = []
    while True:
        try:
            data = sock.receive(size).data
        except BlockingIOError:
            return datagrams
        datagrams.append([header for header, _ in nl.iterate_messages(data)])


def test_the_end_shares_the_last_datagram(stack: Stack) -> None:
    Server(stack, [10, 20])
    sock = stack.open(PROTOCOL, A)
    sock.send(ASK)
    [headers] = read(sock)
    assert [header.type for header in headers] == [MINE, MINE, nl.NLMSG_DONE]
    assert {(header.flags, header.seq, header.pid) for header in headers} == {(nl.NLM_F_MULTI, 5, A)}


def test_the_end_comes_alone_if_it_does_not_fit(stack: Stack) -> None:
    Server(stack, [3776 - 20 - 16])
    sock = stack.open(PROTOCOL, A)
    sock.send(ASK)
    assert [[header.type for header in headers] for headers in read(sock)] == [[MINE], [nl.NLMSG_DONE]]


def test_larger_reads_get_larger_datagrams(stack: Stack) -> None:
    """A dump's datagram has the size of the largest read so far, and at most 32448 bytes
    (`netlink_recvmsg()`).
    """
    Server(stack, [1000] * 100)
    sock = stack.open(PROTOCOL, A)
    sock.send(ASK)
    counts = [len(headers) for headers in read(sock)]
    assert counts[:3] == [3, 31, 31]
    assert sum(counts) == 101


def test_another_dump_meanwhile_is_busy(stack: Stack) -> None:
    server = Server(stack, [3000] * 3)
    sock = stack.open(PROTOCOL, A)
    sock.send(ASK)
    sock.send(ASK)
    sock.receive()
    [(header, payload)] = nl.iterate_messages(sock.receive().data)
    assert (header.type, struct.unpack_from("<i", payload)[0]) == (nl.NLMSG_ERROR, -EBUSY)
    read(sock)
    assert server.ended == 1
    sock.send(ASK)
    assert len(read(sock)) > 0


def test_a_change_meanwhile_is_marked(stack: Stack) -> None:
    server = Server(stack, [3000] * 4)
    server.generation = 1
    sock = stack.open(PROTOCOL, A)
    sock.send(ASK)
    marks = []
    while sock.it.queue:
        if len(marks) == 1:  # the kernel has already made the second datagram
            server.generation = 2
        headers = [header for header, _ in nl.iterate_messages(sock.receive(3776).data)]
        marks.append([header.flags & nl.NLM_F_DUMP_INTR for header in headers])
    assert marks == [[0], [0], [nl.NLM_F_DUMP_INTR], [0, 0]]


def test_an_error_ends_the_output_and_is_reported_at_the_end(stack: Stack) -> None:
    server = Server(stack, [10])
    server.error = EIO
    sock = stack.open(PROTOCOL, A)
    sock.set(nl.NETLINK_EXT_ACK)
    sock.send(ASK)
    *_, (header, payload) = nl.iterate_messages(sock.receive().data)
    assert header.type == nl.NLMSG_DONE
    assert struct.unpack_from("<i", payload)[0] == -EIO
    assert extended_ack(header, payload).message == "the disk is on fire"
    assert server.ended == 1


def test_a_message_that_never_fits_is_an_error(stack: Stack) -> None:
    Server(stack, [4000])
    sock = stack.open(PROTOCOL, A)
    sock.send(ASK)
    [(header, payload)] = nl.iterate_messages(sock.receive().data)
    assert (header.type, struct.unpack_from("<i", payload)[0]) == (nl.NLMSG_DONE, -EMSGSIZE)


def test_closing_the_socket_ends_it(stack: Stack) -> None:
    server = Server(stack, [3000] * 5)
    sock = stack.open(PROTOCOL, A)
    sock.send(ASK)
    assert server.ended == 0
    sock.close()
    assert (server.ended, sock.it.rmem) == (1, 0)


def test_a_beginning_may_refuse_and_may_sleep(stack: Stack) -> None:
    server = Server(stack, [10])

    async def begin(callback: DumpCallback) -> None:
        if callback.request.seq == 6:
            raise os_error(EINVAL)

    server.begin = begin
    sock = stack.open(PROTOCOL, A)
    for seq, types in ((5, [MINE, nl.NLMSG_DONE]), (6, [nl.NLMSG_ERROR])):
        asked = sock.it.sendmsg(sock.task, nl.message(MINE, flags=0x301, seq=seq), (0, 0))
        assert isinstance(asked, Coroutine)
        with pytest.raises(StopIteration):
            asked.send(None)
        assert [header.type for headers in read(sock) for header in headers] == types


@given(
    st.lists(st.integers(0, 3700), max_size=30),
    st.integers(0, 40_000),
    st.lists(st.integers(0, 40_000), min_size=1, max_size=5),
)
def test_every_message_comes_once_and_in_order(sizes: list[int], rcvbuf: int, reads: list[int]) -> None:
    """A dump returns each message once and in order, for any buffer size and any way to read.

    A peek may create the next datagram while the previous one is queued. If the queue has no space for it,
    the socket gets an error, and the dump continues after it (as on Linux 6.18).
    """
    stack = Stack()
    server = Server(stack, sizes)
    sock = stack.open(PROTOCOL, A)
    sock.set(SO_RCVBUF, rcvbuf, SOL_SOCKET)
    sock.send(ASK)
    numbers: list[int] = []
    turn = 0
    while True:
        try:
            whole = sock.receive(100_000, flags=MSG_PEEK).data
            if sock.it.error:
                sock.it.take_error()
            sock.receive(reads[turn % len(reads)])
        except OSError as error:
            if error.errno == ENOBUFS:
                continue
            assert error.errno == EAGAIN
            break
        turn += 1
        for header, payload in nl.iterate_messages(whole):
            if header.type == MINE:
                numbers.append(struct.unpack_from("<I", payload)[0])
    assert numbers == list(range(len(sizes)))
    assert (server.ended, sock.it.dump, sock.it.rmem) == (1, None, 0)
