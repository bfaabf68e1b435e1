"""Parsing of a datagram in the kernel: messages, acknowledgements and errors (on NETLINK_GENERIC)."""

from __future__ import annotations

from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, CAP_ACK, DUMP, ECHO, EXT_ACK, GENL_ID_CTRL, REQUEST, SOL_NETLINK
from tests.conformance.world import Socket, World

A = 0x48000001


def opened(world: World, *options: int) -> Socket:
    sock = netlink(world, wire.GENERIC, bind=(A, 0))
    for option in options:
        sock.setsockopt(SOL_NETLINK, option, 1)
    return sock


@case()
def too_short(world: World, log: Log) -> None:
    """A datagram that is shorter than a header is dropped without an error."""
    s = opened(world)
    for size in (1, 4, 15):
        log.ask(f"{size} bytes", s, wire.nlmsg(wire.NOOP, REQUEST | ACK)[:size])


@case()
def header_only(world: World, log: Log) -> None:
    """A message can consist of only its 16-byte header."""
    log.ask("noop", opened(world), wire.nlmsg(wire.NOOP, REQUEST | ACK, seq=0xDEADBEEF))


@case()
def length_beyond_the_datagram(world: World, log: Log) -> None:
    """If a message's length exceeds the datagram, the kernel silently ignores the rest of the datagram."""
    s = opened(world)
    log.ask("17 of 16", s, wire.nlmsg(wire.NOOP, REQUEST | ACK, length=17))
    log.ask("huge", s, wire.nlmsg(wire.NOOP, REQUEST | ACK, length=0xFFFFFFFF))
    log.ask("second", s, wire.nlmsg(1, REQUEST | ACK, seq=1) + wire.nlmsg(1, REQUEST | ACK, seq=2, length=20))


@case()
def length_below_the_header(world: World, log: Log) -> None:
    """If a message's length is below 16, the kernel silently ignores the rest of the datagram."""
    s = opened(world)
    for length in (0, 1, 15):
        log.ask(f"{length}", s, wire.nlmsg(wire.NOOP, REQUEST | ACK, length=length))
    log.ask(
        "then a good one",
        s,
        wire.nlmsg(wire.NOOP, REQUEST | ACK, length=0) + wire.nlmsg(wire.NOOP, REQUEST | ACK),
    )


@case()
def several_messages(world: World, log: Log) -> None:
    """The kernel acknowledges the messages of a datagram in order, each in a separate datagram."""
    s = opened(world)
    log.ask("five", s, b"".join(wire.nlmsg(wire.NOOP, REQUEST | ACK, seq=seq) for seq in range(10, 15)))


@case()
def error_does_not_stop(world: World, log: Log) -> None:
    """After an error in one message, the kernel still handles the next message of the datagram."""
    s = opened(world)
    bad = wire.nlmsg(999, REQUEST, b"\1\2\3\4", seq=2)
    log.ask("mixed", s, wire.nlmsg(1, REQUEST | ACK, seq=1) + bad + wire.nlmsg(1, REQUEST | ACK, seq=3))


@case()
def next_message_is_aligned(world: World, log: Log) -> None:
    """Each message of a datagram starts at a multiple of 4 bytes."""
    s = opened(world)
    log.ask(
        "padded",
        s,
        wire.nlmsg(wire.NOOP, REQUEST | ACK, b"x", seq=1)
        + wire.nlmsg(wire.NOOP, REQUEST | ACK, b"yz", seq=2),
    )
    log.ask(
        "not padded",
        s,
        wire.nlmsg(wire.NOOP, REQUEST | ACK, b"x", seq=3, pad=False)
        + wire.nlmsg(wire.NOOP, REQUEST | ACK, seq=4),
    )


@case()
def last_message_needs_no_padding(world: World, log: Log) -> None:
    """The last message needs no padding. The kernel ignores trailing bytes that are shorter than a header."""
    s = opened(world)
    log.ask("17 bytes", s, wire.nlmsg(wire.NOOP, REQUEST | ACK, b"x", seq=1, pad=False))
    log.ask("trailing", s, wire.nlmsg(wire.NOOP, REQUEST | ACK, seq=2) + b"\xff" * 15)
    log.ask("trailing zeros", s, wire.nlmsg(wire.NOOP, REQUEST | ACK, seq=3) + bytes(64))


@case()
def without_request(world: World, log: Log) -> None:
    """The kernel handles only messages with NLM_F_REQUEST. A message without NLM_F_REQUEST but with NLM_F_ACK
    is acknowledged.
    """
    s = opened(world)
    log.ask("nothing", s, wire.nlmsg(999, 0, seq=1))
    log.ask("ack only", s, wire.nlmsg(999, ACK, seq=2))
    log.ask("dump", s, wire.nlmsg(GENL_ID_CTRL, DUMP, wire.genl(wire.CTRL_GETFAMILY), seq=3))


@case()
def control_types(world: World, log: Log) -> None:
    """The kernel ignores messages with a type below 16. If such a message has NLM_F_ACK, the kernel
    acknowledges it.
    """
    s = opened(world)
    for type in (0, 1, 2, 3, 4, 5, 15):
        log.ask(f"type {type}", s, wire.nlmsg(type, REQUEST | ACK, b"abcd", seq=type))
        log.ask(f"type {type} no ack", s, wire.nlmsg(type, REQUEST, b"abcd", seq=type))


@case()
def unknown_family(world: World, log: Log) -> None:
    """A request to an unknown family fails with ENOENT, and the error contains the full request."""
    s = opened(world)
    log.ask("16 bytes", s, wire.nlmsg(0xFFFF, REQUEST, seq=1))
    log.ask("with payload", s, wire.nlmsg(0xFFF0, REQUEST, wire.genl(1, b"payload!"), seq=2))
    log.ask("acked", s, wire.nlmsg(0xFFF0, REQUEST | ACK, wire.genl(1), seq=3))
    log.ask("dump", s, wire.nlmsg(0xFFF0, REQUEST | DUMP, wire.genl(1), seq=4))


@case()
def error_echoes_unaligned(world: World, log: Log) -> None:
    """The kernel pads the request in an error with zeros to a multiple of 4 bytes. The length of the error
    includes the padding.
    """
    s = opened(world)
    for size in (1, 2, 3, 5):
        log.ask(f"{size}", s, wire.nlmsg(0xFFFF, REQUEST, bytes(range(1, size + 1)), seq=size))


@case()
def error_capped(world: World, log: Log) -> None:
    """With NETLINK_CAP_ACK, an error contains only the request's header and has NLM_F_CAPPED."""
    s = opened(world, CAP_ACK)
    log.ask("error", s, wire.nlmsg(0xFFFF, REQUEST, b"12345678", seq=1))
    log.ask("success", s, wire.nlmsg(wire.NOOP, REQUEST | ACK, b"12345678", seq=2))


@case()
def success_is_always_capped(world: World, log: Log) -> None:
    """A successful acknowledgement contains only the request's header, even without NETLINK_CAP_ACK."""
    s = opened(world)
    log.ask("long", s, wire.nlmsg(wire.NOOP, REQUEST | ACK, b"12345678" * 8, seq=1))


@case()
def header_fields_come_back(world: World, log: Log) -> None:
    """An acknowledgement contains a copy of the request's header. The port id in the acknowledgement's own
    header is that of its receiver.
    """
    s = opened(world)
    log.ask("error", s, wire.nlmsg(0xFFFF, REQUEST, seq=0x01020304, pid=0x0A0B0C0D))
    log.ask("ack", s, wire.nlmsg(wire.NOOP, REQUEST | ACK | ECHO, seq=0xFFFFFFFF, pid=12345))


@case()
def unbound_sender(world: World, log: Log) -> None:
    """sendto() on an unbound socket binds the socket to a port id. The kernel replies to this port id."""
    s = netlink(world, wire.GENERIC)
    log.call("send", s.sendto, wire.nlmsg(wire.NOOP, REQUEST | ACK, seq=1), (0, 0))
    log.auto(s)
    log.reply("reply", s)
    log.name("name", s)


@case()
def answer_in_a_small_buffer(world: World, log: Log) -> None:
    """A reply is one datagram: the bytes that a receive does not read are lost."""
    s = opened(world)
    s.send(wire.nlmsg(0xFFFF, REQUEST, b"12345678", seq=1) + wire.nlmsg(1, REQUEST | ACK, seq=2))
    log.recvmsg("8 bytes", s, 8)
    log.reply("next", s)


@case()
def connected_to_the_kernel(world: World, log: Log) -> None:
    """A socket that is connected to the kernel (port id 0) can use send() and recvfrom()."""
    s = opened(world)
    log.call("connect", s.connect, (0, 0))
    log.call("send", s.send, wire.nlmsg(1, REQUEST | ACK, seq=5))
    log.reply("reply", s)


@case()
def genl_header_too_short(world: World, log: Log) -> None:
    """The error for a generic netlink message that is too short to contain a genlmsghdr."""
    s = opened(world, EXT_ACK)
    for size in (0, 1, 3):
        log.ask(f"{size} bytes", s, wire.nlmsg(GENL_ID_CTRL, REQUEST, b"\3\1\0"[:size], seq=size))


@case()
def unknown_command(world: World, log: Log) -> None:
    """An unknown command fails with EOPNOTSUPP, both in a do request and in a dump request."""
    s = opened(world, EXT_ACK)
    for cmd in (0, 1, 2, 4, 9, 11, 200, 255):
        log.ask(f"do {cmd}", s, wire.ctrl(cmd, seq=cmd))
        log.ask(f"dump {cmd}", s, wire.ctrl(cmd, flags=REQUEST | DUMP, seq=cmd))


@case()
def version_and_reserved(world: World, log: Log) -> None:
    """The kernel does not check the version in genlmsghdr. It checks the reserved field only for newer
    commands.
    """
    s = opened(world, EXT_ACK)
    for version in (0, 2, 255):
        log.ask(f"version {version}", s, wire.ctrl(attrs=wire.by_id(), version=version))
    body = wire.genl(wire.CTRL_GETFAMILY, wire.by_id(), reserved=0x1234)
    log.ask("reserved", s, wire.nlmsg(GENL_ID_CTRL, REQUEST, body, seq=9))


@case()
def extack_needs_asking(world: World, log: Log) -> None:
    """Without NETLINK_EXT_ACK, an error has no attributes."""
    s = opened(world)
    log.ask("off", s, wire.ctrl(attrs=wire.attr(wire.A_FAMILY_NAME, b"x" * 30)))
    s.setsockopt(SOL_NETLINK, EXT_ACK, 1)
    log.ask("on", s, wire.ctrl(attrs=wire.attr(wire.A_FAMILY_NAME, b"x" * 30)))
    s.setsockopt(SOL_NETLINK, CAP_ACK, 1)
    log.ask("capped", s, wire.ctrl(attrs=wire.attr(wire.A_FAMILY_NAME, b"x" * 30)))
