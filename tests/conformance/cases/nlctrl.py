"""nlctrl, the generic netlink family that describes families."""

from __future__ import annotations

import struct

from simkernel.uapi.socket import MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, SO_RCVBUF, SOL_SOCKET
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import (
    A_FAMILY_ID,
    A_FAMILY_NAME,
    ACK,
    CAP_ACK,
    CTRL_GETPOLICY,
    DUMP,
    ECHO,
    EXT_ACK,
    GET_STRICT_CHK,
    MATCH,
    NESTED,
    NET_BYTEORDER,
    REQUEST,
    ROOT,
    SOL_NETLINK,
    attr,
    by_id,
    by_name,
    ctrl,
)
from tests.conformance.world import Socket, World

A = 0x49000001


def opened(world: World, *options: int) -> Socket:
    sock = netlink(world, wire.GENERIC, bind=(A, 0))
    for option in options or (EXT_ACK,):
        sock.setsockopt(SOL_NETLINK, option, 1)
    return sock


def dump_of_families(log: Log, label: str, sock: Socket, size: int = 65536, limit: int = 500) -> None:
    """Read a dump to its end. Record its message types, its flags and the description of nlctrl."""
    types: set[int] = set()
    flags: set[int] = set()
    ids: list[int] = []
    ours: list[int | bytes] | None = None
    last: list[int | bytes] | None = None
    for _ in range(limit):
        for header, payload in wire.messages(sock.recv(size, MSG_DONTWAIT)):
            types.add(header[1])
            flags.add(header[2])
            if header[1] in (wire.DONE, wire.ERROR):
                last = [header[0], header[1], header[2], header[3], header[4], payload]
                break
            found = dict(wire.attrs(payload[4:]))
            ids.append(struct.unpack("<H", found[A_FAMILY_ID])[0])
            if ids[-1] == wire.GENL_ID_CTRL:
                ours = [header[0], header[1], header[2], header[3], header[4], payload]
        if last:
            break
    log(f"{label}: types", sorted(types))
    log(f"{label}: flags", sorted(flags))
    log(f"{label}: ids ascend", ids == sorted(set(ids)))
    log(f"{label}: nlctrl is first", ids[:1] == [wire.GENL_ID_CTRL])
    log(f"{label}: nlctrl", ours)
    log(f"{label}: last", last)


@case()
def by_family_name(world: World, log: Log) -> None:
    """CTRL_CMD_GETFAMILY by name returns the full description of nlctrl."""
    log.ask("get", opened(world), ctrl(attrs=by_name()))


@case()
def by_family_id(world: World, log: Log) -> None:
    """CTRL_CMD_GETFAMILY by id returns the full description of nlctrl."""
    log.ask("get", opened(world), ctrl(attrs=by_id(), seq=77))


@case()
def acknowledged(world: World, log: Log) -> None:
    """With NLM_F_ACK, the reply comes first, then the acknowledgement."""
    log.ask("get", opened(world), ctrl(attrs=by_id(), flags=REQUEST | ACK, seq=3))
    log.ask("get echo", opened_again(world), ctrl(attrs=by_id(), flags=REQUEST | ECHO, seq=4))


def opened_again(world: World) -> Socket:
    sock = netlink(world, wire.GENERIC, bind=(A + 1, 0))
    sock.setsockopt(SOL_NETLINK, CAP_ACK, 1)
    return sock


@case()
def neither_name_nor_id(world: World, log: Log) -> None:
    """CTRL_CMD_GETFAMILY without a name or an id fails with EINVAL."""
    s = opened(world)
    log.ask("no attributes", s, ctrl())
    log.ask("another attribute", s, ctrl(attrs=attr(wire.A_VERSION, wire.u32(1))))


@case()
def both_name_and_id(world: World, log: Log) -> None:
    """If a CTRL_CMD_GETFAMILY request has a name and an id, the kernel uses the name, whichever attribute
    comes first.
    """
    s = opened(world)
    log.ask("agree", s, ctrl(attrs=by_id() + by_name()))
    log.ask("bad id", s, ctrl(attrs=by_id(9999) + by_name()))
    log.ask("bad name", s, ctrl(attrs=by_id() + by_name(b"nosuch\0")))
    log.ask("bad name first", s, ctrl(attrs=by_name(b"nosuch\0") + by_id()))


@case()
def twice_the_same(world: World, log: Log) -> None:
    """If an attribute occurs twice, the last one counts."""
    s = opened(world)
    log.ask("bad, good", s, ctrl(attrs=by_id(9999) + by_id()))
    log.ask("good, bad", s, ctrl(attrs=by_id() + by_id(9999)))


@case()
def unknown_name_and_id(world: World, log: Log) -> None:
    """CTRL_CMD_GETFAMILY fails with ENOENT if no family has the name or the id."""
    s = opened(world)
    log.ask("name", s, ctrl(attrs=by_name(b"nosuchfamily\0")))
    log.ask("case matters", s, ctrl(attrs=by_name(b"NLCTRL\0")))
    log.ask("beginning", s, ctrl(attrs=by_name(b"nlctr\0")))
    for ident in (0, 1, 15, 0xFFFF):
        log.ask(f"id {ident}", s, ctrl(attrs=by_id(ident)))


@case()
def name_termination(world: World, log: Log) -> None:
    """A family name without a terminating NUL fails with EINVAL. The kernel ignores bytes after the first
    NUL.
    """
    s = opened(world)
    log.ask("no NUL", s, ctrl(attrs=by_name(b"nlctrl")))
    log.ask("two NULs", s, ctrl(attrs=by_name(b"nlctrl\0\0")))
    log.ask("more after NUL", s, ctrl(attrs=by_name(b"nlctrl\0xyz\0")))
    log.ask("NUL only", s, ctrl(attrs=by_name(b"\0")))


@case()
def name_length(world: World, log: Log) -> None:
    """A family name has at most 15 bytes and a NUL."""
    s = opened(world)
    log.ask("empty", s, ctrl(attrs=by_name(b"")))
    for size in (15, 16, 17, 30):
        log.ask(f"{size} and NUL", s, ctrl(attrs=by_name(b"n" * size + b"\0")))
        log.ask(f"{size}", s, ctrl(attrs=by_name(b"n" * size)))


@case()
def id_length(world: World, log: Log) -> None:
    """A family id has 2 bytes. A request with a shorter attribute fails with ERANGE. A longer attribute is
    accepted.
    """
    s = opened(world)
    for size in (0, 1, 3, 4, 8):
        log.ask(f"{size} bytes", s, ctrl(attrs=attr(A_FAMILY_ID, b"\x10\0\0\0\0\0\0\0"[:size])))


@case()
def unknown_attributes(world: World, log: Log) -> None:
    """nlctrl ignores attributes of unknown types."""
    s = opened(world)
    for type in (0, 11, 100, 0x3FFF):
        log.ask(f"type {type}", s, ctrl(attrs=attr(type, b"abc") + by_id()))


@case()
def attributes_without_policy(world: World, log: Log) -> None:
    """CTRL_CMD_GETFAMILY ignores attributes that nlctrl defines but that the policy of this command does not
    contain.
    """
    s = opened(world)
    for type in (wire.A_VERSION, wire.A_OPS, wire.A_MCAST, wire.A_OP):
        log.ask(f"type {type}", s, ctrl(attrs=attr(type, b"\1\0\0\0") + by_id()))


@case()
def flags_in_types(world: World, log: Log) -> None:
    """Replies to requests whose attributes have NLA_F_NESTED or NLA_F_NET_BYTEORDER, although their types do
    not use these flags.
    """
    s = opened(world)
    log.ask("nested id", s, ctrl(attrs=attr(A_FAMILY_ID | NESTED, b"\x10\0")))
    log.ask("nested name", s, ctrl(attrs=attr(A_FAMILY_NAME | NESTED, b"nlctrl\0")))
    log.ask("byte order id", s, ctrl(attrs=attr(A_FAMILY_ID | NET_BYTEORDER, b"\x10\0")))
    log.ask("both", s, ctrl(attrs=attr(A_FAMILY_ID | NESTED | NET_BYTEORDER, b"\x10\0")))


@case()
def attribute_lengths(world: World, log: Log) -> None:
    """The kernel stops parsing at a malformed attribute, and uses only the attributes that precede it. A
    request without a valid name or id before the malformed attribute fails with EINVAL, and the extack
    message says that bytes are left over.
    """
    s = opened(world)
    for length in (0, 3):
        log.ask(f"first {length}", s, ctrl(attrs=attr(A_FAMILY_ID, b"\x10\0", length=length)))
        log.ask(
            f"after a good one {length}", s, ctrl(attrs=by_id() + attr(A_FAMILY_NAME, b"n\0", length=length))
        )
    for length in (9, 100, 0xFFFF):
        log.ask(f"first {length}", s, ctrl(attrs=attr(A_FAMILY_ID, b"\x10\0", length=length)))
        log.ask(
            f"after a good one {length}", s, ctrl(attrs=by_id() + attr(A_FAMILY_NAME, b"n\0", length=length))
        )


@case()
def trailing_bytes(world: World, log: Log) -> None:
    """The kernel accepts a request with 1 to 3 leftover bytes after a valid attribute. A request without a
    valid attribute fails with EINVAL.
    """
    s = opened(world)
    for size in (1, 2, 3):
        log.ask(f"{size}", s, ctrl(attrs=by_id() + b"\xee" * size))
    log.ask("only", s, ctrl(attrs=b"\xee\xee"))


@case()
def strict_do(world: World, log: Log) -> None:
    """NETLINK_GET_STRICT_CHK has no effect on a do request."""
    s = opened(world, EXT_ACK, GET_STRICT_CHK)
    log.ask("unknown attribute", s, ctrl(attrs=attr(100, b"abc") + by_id()))
    log.ask("trailing", s, ctrl(attrs=by_id() + b"\xee\xee"))
    log.ask("long id", s, ctrl(attrs=attr(A_FAMILY_ID, b"\x10\0\0\0")))


@case()
def dump(world: World, log: Log) -> None:
    """A dump of families has NLM_F_MULTI in each message, starts with nlctrl and ends with NLMSG_DONE."""
    s = opened(world)
    log.call("send", s.send, ctrl(flags=REQUEST | DUMP, seq=31))
    dump_of_families(log, "dump", s)
    log.recv("nothing more", s)


@case()
def dump_flags(world: World, log: Log) -> None:
    """NLM_F_ROOT or NLM_F_MATCH alone does not select a dump. NLM_F_ACK has no effect on a dump."""
    s = opened(world)
    log.ask("root", s, ctrl(flags=REQUEST | ROOT, attrs=by_id()))
    log.ask("match", s, ctrl(flags=REQUEST | MATCH, attrs=by_id()))
    log.call("send", s.send, ctrl(flags=REQUEST | DUMP | ACK, seq=32))
    dump_of_families(log, "acked dump", s)
    log.recv("nothing more", s)


@case()
def dump_ignores_attributes(world: World, log: Log) -> None:
    """A dump of families ignores attributes."""
    s = opened(world)
    log.call("send", s.send, ctrl(flags=REQUEST | DUMP, attrs=by_id(9999) + by_name(b"nosuch\0"), seq=33))
    dump_of_families(log, "filtered dump", s)


@case()
def dump_small_reads(world: World, log: Log) -> None:
    """If a buffer is too small for a part of a dump, the rest of that part is lost."""
    s = opened(world)
    log.call("send", s.send, ctrl(flags=REQUEST | DUMP, seq=34))
    log.recvmsg("peek", s, 20, 0, MSG_PEEK | MSG_DONTWAIT)
    log.recvmsg("first", s, 20)
    ended = False
    for _ in range(500):
        try:
            s.recv(1, MSG_DONTWAIT)
        except BlockingIOError:
            ended = True
            break
    log("ended", ended)
    log.ask("after", s, ctrl(attrs=by_id(), seq=35))


@case()
def dump_then_close(world: World, log: Log) -> None:
    """If a socket is closed during a dump, a new socket with the same port id does not receive the rest of
    the dump.
    """
    s = opened(world)
    log.call("send", s.send, ctrl(flags=REQUEST | DUMP, seq=36))
    s.close()
    t = opened(world)
    log.recv("recv", t)
    log.call("send", t.send, ctrl(flags=REQUEST | DUMP, seq=37))
    dump_of_families(log, "dump", t)


@case()
def two_dumps(world: World, log: Log) -> None:
    """While a dump runs, a second dump on the same socket fails with EBUSY. A policy dump runs until
    NLMSG_DONE is read.
    """
    s = opened(world)
    request = ctrl(CTRL_GETPOLICY, by_id(), REQUEST | DUMP, seq=38)
    log.call("first", s.send, request)
    log.call("second", s.send, ctrl(flags=REQUEST | DUMP, seq=39))
    log.replies("replies", s)
    log.call("third", s.send, ctrl(flags=REQUEST | DUMP, seq=40))
    dump_of_families(log, "third", s)


@case()
def do_while_dumping(world: World, log: Log) -> None:
    """A do request during a dump is answered immediately, before the rest of the dump."""
    s = opened(world)
    log.call("dump", s.send, ctrl(CTRL_GETPOLICY, by_id(), REQUEST | DUMP, seq=41))
    log.call("do", s.send, ctrl(attrs=by_id(), flags=REQUEST | ACK, seq=42))
    log.replies("replies", s)


@case(marks=("families",))
def done_shares_the_last_datagram(world: World, log: Log) -> None:
    """A dump of few families fits in one datagram, including NLMSG_DONE."""
    s = opened(world)
    log.call("send", s.send, ctrl(flags=REQUEST | DUMP, seq=43))
    log("types", [header[1] for header, _ in wire.messages(s.recv(65536, MSG_DONTWAIT))][-2:])
    log.recv("nothing more", s)


@case()
def policy_dump(world: World, log: Log) -> None:
    """CTRL_CMD_GETPOLICY for nlctrl, by id and by name."""
    s = opened(world)
    log.ask("id", s, ctrl(CTRL_GETPOLICY, by_id(), REQUEST | DUMP, seq=51))
    log.ask("name", s, ctrl(CTRL_GETPOLICY, by_name(), REQUEST | DUMP, seq=52))


@case()
def policy_by_both(world: World, log: Log) -> None:
    """If a request has an id and a name, CTRL_CMD_GETPOLICY uses the id, but CTRL_CMD_GETFAMILY uses the
    name.
    """
    s = opened(world)
    for label, attrs in (
        ("bad name", by_id() + by_name(b"nosuch\0")),
        ("bad id", by_id(9999) + by_name()),
        ("bad id last", by_name() + by_id(9999)),
    ):
        log.ask(label, s, ctrl(CTRL_GETPOLICY, attrs, REQUEST | DUMP))


@case()
def policy_of_an_operation(world: World, log: Log) -> None:
    """CTRL_ATTR_OP restricts CTRL_CMD_GETPOLICY to one command."""
    s = opened(world)
    for op in (wire.CTRL_GETFAMILY, CTRL_GETPOLICY, 99):
        attrs = by_id() + attr(wire.A_OP, wire.u32(op))
        log.ask(f"op {op}", s, ctrl(CTRL_GETPOLICY, attrs, REQUEST | DUMP, seq=op))


@case()
def policy_errors(world: World, log: Log) -> None:
    """CTRL_CMD_GETPOLICY fails without NLM_F_DUMP, without a family, for an unknown family, and with invalid
    attributes.
    """
    s = opened(world)
    log.ask("do", s, ctrl(CTRL_GETPOLICY, by_id()))
    log.ask("nothing", s, ctrl(CTRL_GETPOLICY, b"", REQUEST | DUMP))
    log.ask("no such id", s, ctrl(CTRL_GETPOLICY, by_id(9999), REQUEST | DUMP))
    log.ask("no such name", s, ctrl(CTRL_GETPOLICY, by_name(b"nosuch\0"), REQUEST | DUMP))
    log.ask("long name", s, ctrl(CTRL_GETPOLICY, by_name(b"n" * 20), REQUEST | DUMP))
    log.ask("unknown attribute", s, ctrl(CTRL_GETPOLICY, by_id() + attr(100, b"x"), REQUEST | DUMP))
    log.ask("short op", s, ctrl(CTRL_GETPOLICY, by_id() + attr(wire.A_OP, b"\3"), REQUEST | DUMP))


@case()
def notify_group(world: World, log: Log) -> None:
    """The group `notify` of nlctrl has number 16. An unprivileged socket can join it."""
    s = opened(world)
    log.call("join", s.setsockopt, SOL_NETLINK, wire.ADD_MEMBERSHIP, 16)
    log.name("name", s)
    log.call("leave", s.setsockopt, SOL_NETLINK, wire.DROP_MEMBERSHIP, 16)
    log.name("name", s)


@case()
def dump_in_a_tight_buffer(world: World, log: Log) -> None:
    """With the smallest receive buffer, a dump is still complete, because reads make space for its next
    part.
    """
    s = opened(world)
    s.setsockopt(SOL_SOCKET, SO_RCVBUF, 0)
    log.call("send", s.send, ctrl(flags=REQUEST | DUMP, seq=60))
    dump_of_families(log, "dump", s)
    log.recv("nothing more", s)


@case()
def reply_length_by_trunc(world: World, log: Log) -> None:
    """MSG_PEEK with MSG_TRUNC returns the length of a reply."""
    s = opened(world)
    s.send(ctrl(attrs=by_id()))
    log.recvmsg("peek", s, 16, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT)
    log("length", len(s.recv(65536, MSG_DONTWAIT)))
