"""NETLINK_USERSOCK, from one socket to another: contents, sender addresses, limits and errors."""

from __future__ import annotations

from simkernel.uapi.socket import (
    AF_NETLINK,
    MSG_DONTWAIT,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOL_SOCKET,
)
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.world import Socket, World

A, B = 0x41000001, 0x41000002


def pair(world: World) -> tuple[Socket, Socket]:
    return netlink(world, wire.USERSOCK, bind=(A, 0)), netlink(world, wire.USERSOCK, bind=(B, 0))


@case()
def bytes_verbatim(world: World, log: Log) -> None:
    """The kernel forwards any bytes between programs, even if they are not a netlink message."""
    a, b = pair(world)
    log.call("send", a.sendto, b"not a netlink message", (B, 0))
    log.recvfrom("recv", b)
    log.recvfrom("again", b)


@case()
def header_is_not_filled_in(world: World, log: Log) -> None:
    """The kernel does not change a netlink header that one program sends to another, even if length, sequence
    number and port id are 0.
    """
    a, b = pair(world)
    log.call("send", a.sendto, wire.nlmsg(99, 0, b"", length=0), (B, 0))
    log.recvfrom("recv", b)


@case()
def sender_chosen_portid(world: World, log: Log) -> None:
    """If the sender is not bound, recvfrom() returns the port id that the kernel chose at the send."""
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    a = netlink(world, wire.USERSOCK)
    log.call("send", a.sendto, b"ping", (B, 0))
    log.auto(a)
    log.recvmsg("recv", b)


@case()
def to_itself(world: World, log: Log) -> None:
    """A socket can send a message to itself."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    log.call("send", a.sendto, b"me", (A, 0))
    log.recvfrom("recv", a)


@case()
def one_byte_and_none(world: World, log: Log) -> None:
    """A message must have at least one byte."""
    a, b = pair(world)
    log.call("one", a.sendto, b"x", (B, 0))
    log.call("none", a.sendto, b"", (B, 0))
    log.recvfrom("recv", b)
    log.recvfrom("recv", b)


@case()
def sendmsg_gathers(world: World, log: Log) -> None:
    """sendmsg() sends all its buffers as one message."""
    a, b = pair(world)
    log.call("send", a.sendmsg, [b"one", b"", b"two", b"3"], [], 0, (B, 0))
    log.recvmsg("recv", b)


@case()
def order(world: World, log: Log) -> None:
    """Messages of several senders arrive in the order in which they were sent."""
    a, b = pair(world)
    c = netlink(world, wire.USERSOCK, bind=(77, 0))
    for index, sender in enumerate((a, c, a, a, c)):
        sender.sendto(bytes([index]), (B, 0))
    for _ in range(6):
        log.recvfrom("recv", b)


@case()
def nobody_there(world: World, log: Log) -> None:
    """Sending to an unused port id fails with ECONNREFUSED. Sending to the kernel (port id 0) fails with
    ECONNREFUSED if the protocol has no kernel socket.
    """
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    log.call("missing", a.sendto, b"x", (B, 0))
    log.call("kernel", a.sendto, b"x", (0, 0))
    log.call("no address", a.send, b"x")
    log.recv("recv", a)


@case()
def after_close(world: World, log: Log) -> None:
    """A message can be received after its sender has closed its socket. A reply to this sender fails."""
    a, b = pair(world)
    a.sendto(b"last words", (B, 0))
    a.close()
    log.recvfrom("recv", b)
    log.call("answer", b.sendto, b"too late", (A, 0))


@case()
def connected_send(world: World, log: Log) -> None:
    """On a connected socket, send() sends to the peer, and sendto() sends to the address that the caller
    passes.
    """
    a, b = pair(world)
    c = netlink(world, wire.USERSOCK, bind=(77, 0))
    log.call("connect", a.connect, (B, 0))
    log.call("send", a.send, b"to b")
    log.call("sendto", a.sendto, b"to c", (77, 0))
    log.recvfrom("b", b)
    log.recvfrom("c", c)


@case()
def connected_receives_from_others(world: World, log: Log) -> None:
    """A connected socket accepts unicast messages only from its peer."""
    a, b = pair(world)
    c = netlink(world, wire.USERSOCK, bind=(77, 0))
    log.call("connect", b.connect, (A, 0))
    log.call("from peer", a.sendto, b"peer", (B, 0))
    log.call("from other", c.sendto, b"other", (B, 0))
    log.recvfrom("recv", b)
    log.recvfrom("recv", b)


@case()
def peek(world: World, log: Log) -> None:
    """A receive with MSG_PEEK leaves the complete message in the queue."""
    a, b = pair(world)
    a.sendto(b"0123456789", (B, 0))
    log.recv("peek", b, 100, MSG_PEEK | MSG_DONTWAIT)
    log.recv("peek little", b, 4, MSG_PEEK | MSG_DONTWAIT)
    log.recv("take", b)
    log.recv("gone", b)


@case()
def small_buffer_discards(world: World, log: Log) -> None:
    """Bytes that do not fit in the buffer are lost, and recvmsg() sets MSG_TRUNC."""
    a, b = pair(world)
    for data in (b"0123456789", b"abcdefghij", b"next"):
        a.sendto(data, (B, 0))
    log.recv("recv 4", b, 4)
    log.recvmsg("recvmsg 4", b, 4)
    log.recvmsg("recvmsg 4", b, 4)


@case()
def trunc_flag(world: World, log: Log) -> None:
    """With MSG_TRUNC, recvmsg() returns the full length of the message."""
    a, b = pair(world)
    for _ in range(3):
        a.sendto(b"0123456789", (B, 0))
    log.recvmsg("peek, 0 bytes", b, 0, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT)
    log.recvmsg("3 bytes without", b, 3)
    log.recvmsg("enough", b, 10, 0, MSG_TRUNC | MSG_DONTWAIT)


@case()
def zero_size_receive(world: World, log: Log) -> None:
    """Receiving 0 bytes removes the message from the queue."""
    a, b = pair(world)
    a.sendto(b"first", (B, 0))
    a.sendto(b"second", (B, 0))
    log.recvmsg("0 bytes", b, 0)
    log.recvmsg("next", b)


@case()
def message_too_big(world: World, log: Log) -> None:
    """A message can have at most SO_SNDBUF - 32 bytes."""
    a, b = pair(world)
    log.call("shrink", a.setsockopt, SOL_SOCKET, SO_SNDBUF, 4096)
    size = a.getsockopt(SOL_SOCKET, SO_SNDBUF)
    log("sndbuf", size)
    for less in (0, 31, 32, 33):
        log.call(f"sndbuf - {less}", a.sendto, bytes(size - less), (B, 0))
    data = b.recv(65536, MSG_DONTWAIT)
    log("received, less than sndbuf by", size - len(data))


@case()
def nonblocking_empty(world: World, log: Log) -> None:
    """A non-blocking receive on an empty queue fails with EAGAIN. A Python timeout raises TimeoutError."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    log.recv("flag", a, 10, MSG_DONTWAIT)
    a.setblocking(False)
    log.recv("mode", a, 10, 0)
    a.settimeout(0.05)
    log.recv("timeout", a, 10, 0)


@case()
def out_of_band(world: World, log: Log) -> None:
    """Netlink supports MSG_OOB neither for sending nor for receiving."""
    a, b = pair(world)
    log.call("send", a.sendto, b"x", MSG_OOB, (B, 0))
    a.sendto(b"y", (B, 0))
    log.recv("recv oob", b, 10, MSG_OOB | MSG_DONTWAIT)
    log.recv("recv", b)


@case()
def other_protocols_unprivileged(world: World, log: Log) -> None:
    """Without privilege, a process can send to another process only on NETLINK_USERSOCK."""
    for name, proto in (("generic", wire.GENERIC), ("route", wire.ROUTE), ("usersock", wire.USERSOCK)):
        b = netlink(world, proto, bind=(B, 0))
        a = netlink(world, proto, bind=(A, 0))
        log.call(f"{name} send", a.sendto, b"0123456789abcdef", (B, 0))
        log.recvfrom(f"{name} recv", b)


@case(privileged=True)
def other_protocols_privileged(world: World, log: Log) -> None:
    """With privilege, processes can send to each other even on a protocol with a kernel socket, such as
    NETLINK_GENERIC.
    """
    b = netlink(world, wire.GENERIC, bind=(B, 0))
    a = netlink(world, wire.GENERIC, bind=(A, 0))
    log.call("send", a.sendto, b"0123456789abcdef", (B, 0))
    log.recvfrom("recv", b)


@case()
def protocols_do_not_mix(world: World, log: Log) -> None:
    """Port ids are separate in each protocol."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.ROUTE, bind=(B, 0))
    log.call("send", a.sendto, b"x", (B, 0))
    log.recv("recv", b)


@case()
def dgram_to_raw(world: World, log: Log) -> None:
    """A datagram socket and a raw socket can exchange messages."""
    a = world.socket(AF_NETLINK, SOCK_DGRAM, wire.USERSOCK)
    a.bind((A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    log.call("send", a.sendto, b"d2r", (B, 0))
    log.call("send", b.sendto, b"r2d", (A, 0))
    log.recvfrom("raw", b)
    log.recvfrom("dgram", a)
