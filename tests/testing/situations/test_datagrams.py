"""The kernel divides the messages of a dump among datagrams in an unusual way."""

from __future__ import annotations

import pytest

from simkernel import Machine
from simkernel.blocking.socket import BlockingSocket
from simkernel.testing.situations import done_alone, longer_than_buffer, several_in_datagram
from simkernel.uapi.netlink import NETLINK_GENERIC, NETLINK_ROUTE, NLMSG_DONE, iterate_messages
from simkernel.uapi.rtnetlink import RTM_NEWLINK
from simkernel.uapi.socket import MSG_TRUNC
from tests.testing.situations.conftest import Equipped
from tests.testing.situations.requests import FAMILIES, LINKS, headers

FIRST_ONLY, WHOLE = "first message of each datagram", "all messages"


def client(sock: BlockingSocket, request: bytes, reads: str) -> int:
    """Count the objects of a dump until NLMSG_DONE, or until one second without a datagram."""
    sock.settimeout(1)
    sock.send(request)
    count = 0
    try:
        while True:
            for type, _ in headers(sock.recv(1 << 16))[: 1 if reads == FIRST_ONLY else None]:
                if type == NLMSG_DONE:
                    return count
                count += 1
    except TimeoutError:
        return -1


@pytest.mark.parametrize(("reads", "count"), [(FIRST_ONLY, -1), (WHOLE, 1)])
def test_a_client_that_parses_the_first_message_misses_the_end(reads: str, count: int) -> None:
    with Machine() as machine:
        sock = machine.blocking().socket(proto=NETLINK_ROUTE)
        with several_in_datagram(machine):
            assert client(sock, LINKS, reads) == count


def test_a_sound_client_gets_the_usual_messages(equipped: Equipped) -> None:
    mouse = equipped.machine.blocking().genetlink("mouse")
    usual = mouse.dump("get-device")
    for situation in (several_in_datagram, done_alone):
        with situation(equipped.machine):
            assert mouse.dump("get-device") == usual


def test_done_alone_is_the_next_datagram() -> None:
    with Machine() as machine:
        sock = machine.blocking().socket(proto=NETLINK_GENERIC)
        with done_alone(machine):
            sock.send(FAMILIES)
            families, done = (headers(sock.recv(8192)) for _ in range(2))
    assert NLMSG_DONE not in dict(families)
    assert done == [(NLMSG_DONE, 7)]


def test_a_client_that_reads_once_finds_done_in_its_next_exchange() -> None:
    with Machine() as machine:
        sock = machine.blocking().socket(proto=NETLINK_GENERIC)
        with done_alone(machine):
            sock.send(FAMILIES)
            sock.recv(8192)
        sock.send(FAMILIES.replace(b"\x07\0\0\0", b"\x08\0\0\0", 1))
        assert headers(sock.recv(8192)) == [(NLMSG_DONE, 7)]


def test_the_end_of_a_long_datagram_is_lost() -> None:
    with Machine() as machine:
        sock = machine.blocking().socket(proto=NETLINK_ROUTE)
        with longer_than_buffer(machine):
            sock.send(LINKS)
            data, _, flags, _ = sock.recvmsg(1024)
        assert (len(data), flags) == (1024, MSG_TRUNC)
        sock.settimeout(0)
        with pytest.raises(BlockingIOError):
            sock.recv(1024)


def test_a_large_buffer_takes_it_all() -> None:
    with Machine() as machine:
        sock = machine.blocking().socket(proto=NETLINK_ROUTE)
        with pytest.raises(AssertionError, match="longer than the buffer"), longer_than_buffer(machine):
            sock.send(LINKS)
            assert [header.type for header, _ in iterate_messages(sock.recv(1 << 16))] == [
                RTM_NEWLINK,
                NLMSG_DONE,
            ]


def test_the_charge_of_a_queue_is_that_of_its_messages() -> None:
    for situation in (several_in_datagram, done_alone):
        with Machine(check_leaks=True) as machine:
            sock = machine.blocking().socket(proto=NETLINK_GENERIC)
            with situation(machine):
                sock.send(FAMILIES)
                machine.run()
            kernel = next(
                each for each in machine.kernel.netlink.ports(machine.kernel.net, NETLINK_GENERIC).values()
            )
            assert kernel.rmem == sum(skb.truesize for skb in kernel.queue or ())
