"""Messages to the kernel: valid, nearly valid, mutated and random."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

import attrs

from simkernel.uapi import genetlink as genl
from simkernel.uapi import if_link as il
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.structure import U16, U32, U64
from tests.conformance import wire

NETDEV: Final = 20
"""The id that netdev has on the recorded kernel, and in simkernel."""

FLAGS: Final = (
    0,
    0,
    0,
    nl.NLM_F_ACK,
    nl.NLM_F_ACK,
    nl.NLM_F_ECHO,
    nl.NLM_F_ROOT,
    nl.NLM_F_MATCH,
    nl.NLM_F_ATOMIC,
    nl.NLM_F_APPEND,
    nl.NLM_F_MULTI,
    0x10,
    0x8000,
)
NOBODY: Final = (18, 999, 1023, 1024, 0xFFF0, 0xFFFF)
"""Families that neither kernel has."""

Payload = Callable[[Random], bytes]


# -- payloads of attributes -----------------------------------------------------


def _integer(*values: int) -> Payload:
    """A 32-bit number, now and then of another size."""

    def make(random: Random) -> bytes:
        value = random.choice(values)
        if random.random() < 0.85:
            return U32.pack(value)
        return random.choice((U64.pack(value), U16.pack(value & 0xFFFF), b"\1", b"", U32.pack(value)[:3]))

    return make


def _uint(*values: int) -> Payload:
    """A number of 32 or 64 bits."""

    def make(random: Random) -> bytes:
        value = random.choice(values)
        if random.random() < 0.9:
            return U64.pack(value) if random.random() < 0.5 else U32.pack(value & 0xFFFFFFFF)
        return bytes(random.choice((0, 1, 2, 3, 5, 6, 7, 9, 16)))

    return make


def _name(*names: bytes) -> Payload:
    """A name: mostly with its NUL, now and then too long, or with more NULs."""

    def make(random: Random) -> bytes:
        name = random.choice(names)
        pick = random.random()
        if pick < 0.7:
            return name + b"\0"
        if pick < 0.8:
            return name
        if pick < 0.9:
            return name + b"\0" * random.randrange(1, 6) + random.choice((b"", b"x"))
        return b"n" * random.randrange(0, 34) + random.choice((b"", b"\0"))

    return make


def _family_id(random: Random) -> bytes:
    value = random.choice((16, 16, 16, NETDEV, 0, 1, 15, 18, 9999, 0xFFFF))
    if random.random() < 0.85:
        return U16.pack(value)
    return U16.pack(value)[: random.randrange(3)] + bytes(random.choice((0, 0, 2, 6)))


def _exactly(data: bytes) -> Payload:
    """Always the same."""
    return lambda random: data


def _junk(random: Random) -> bytes:
    return random.randbytes(random.choice((0, 1, 2, 3, 4, 5, 8, 12, 16, 40)))


def _nest(*inner: tuple[int, Payload]) -> Payload:
    """Attributes within an attribute."""

    def make(random: Random) -> bytes:
        return b"".join(
            _attribute(random, *random.choice(inner)) for _ in range(random.choice((0, 1, 1, 2, 3)))
        )

    return make


# -- what there is to ask --------------------------------------------------------


@attrs.frozen
class Question:
    """A kind of request: message type, the bytes before the attributes, what attributes make sense."""

    type: int
    head: bytes
    attributes: tuple[tuple[int, Payload], ...]
    dump: bool = False
    nested: frozenset[int] = frozenset()
    flags: int = 0
    """What it has beside those of any request."""
    fixed: bytes = b""
    """Attributes that it has in any case."""
    junk: float = 0.1
    """How often bytes that are no attribute follow."""


def _ctrl(command: int, dump: bool = False) -> Question:
    name = (genl.CTRL_ATTR_FAMILY_NAME, _name(b"nlctrl", b"nlctrl", b"netdev", b"nosuch", b"NLCTRL", b""))
    ident = (genl.CTRL_ATTR_FAMILY_ID, _family_id)
    attributes = [name, name, ident, ident, ident, (genl.CTRL_ATTR_VERSION, _integer(1))]
    if command == genl.CTRL_CMD_GETPOLICY:
        attributes += [(genl.CTRL_ATTR_OP, _integer(0, 1, 3, 5, 10, 11, 12, 13, 14, 15, 99, 2**32 - 1))] * 3
    return Question(genl.GENL_ID_CTRL, wire.genl(command), tuple(attributes), dump)


_IFINDEX = (1, _integer(0, 1, 1, 2, 999, 2**31, 2**32 - 1))
_QUEUE = (
    (1, _integer(0, 1, 5)),
    (3, _integer(0, 1, 2, 2**32 - 1)),
    (2, _integer(1, 0)),
)
_NAPI = (
    _IFINDEX,
    (2, _integer(0, 1, 8193, 2**32 - 1)),
    (4, _integer(1)),
    (5, _integer(0, 1, 2**31 - 1, 2**31)),
    (6, _uint(0, 1, 2**32, 2**64 - 1)),
    (7, _uint(0, 1, 2**64 - 1)),
    (8, _integer(0, 1, 2, 3)),
)
_DMABUF = (
    _IFINDEX,
    (2, _nest(*_QUEUE)),
    (3, _integer(0, 1, 999)),
    (4, _integer(1)),
)
_QSTATS = (_IFINDEX, (2, _integer(0)), (3, _integer(0)), (4, _uint(0, 1, 2, 3)))
_POOL = ((1, _uint(0, 1, 2**32 - 1, 2**32)), (2, _integer(1, 2**31)))
_WHICH_QUEUE = ((1, _integer(0, 1)), (2, _integer(0, 1, 1, 999)), (3, _integer(0, 1, 2)))


def _netdev(
    command: int, attributes: tuple[tuple[int, Payload], ...], dump: bool = False, nested: int = 0
) -> Question:
    return Question(NETDEV, wire.genl(command), attributes, dump, frozenset({nested} if nested else ()))


def _wrong_queue() -> Question:
    """Memory to bind to a queue for sending, where only one for receiving will do."""
    fixed = wire.attr(1, U32.pack(1)) + wire.attr(3, U32.pack(0))
    queue = wire.attr(3, U32.pack(1)) + wire.attr(1, U32.pack(0))
    return Question(NETDEV, wire.genl(13), ((2, _exactly(queue)),), nested=frozenset({2}), fixed=fixed)


def _known_family(family: bytes, number: int) -> Question:
    """One that is answered, and then acknowledged."""
    name, ident = _exactly(family + b"\0"), _exactly(U16.pack(number))
    attributes = ((genl.CTRL_ATTR_FAMILY_NAME, name), (genl.CTRL_ATTR_FAMILY_ID, ident))
    return Question(
        genl.GENL_ID_CTRL, wire.genl(genl.CTRL_CMD_GETFAMILY), attributes, flags=nl.NLM_F_ACK, junk=0.5
    )


def _unknown_family() -> Question:
    """One that nobody has."""
    attributes = ((genl.CTRL_ATTR_FAMILY_NAME, _exactly(b"nosuch\0")),)
    return Question(genl.GENL_ID_CTRL, wire.genl(genl.CTRL_CMD_GETFAMILY), attributes, junk=0.5)


NLCTRL_QUESTIONS: Final = (
    _unknown_family(),
    _known_family(b"nlctrl", genl.GENL_ID_CTRL),
    _ctrl(genl.CTRL_CMD_GETFAMILY),
    _ctrl(genl.CTRL_CMD_GETFAMILY),
    _ctrl(genl.CTRL_CMD_GETFAMILY, dump=True),
    _ctrl(genl.CTRL_CMD_GETPOLICY, dump=True),
    _ctrl(genl.CTRL_CMD_GETPOLICY, dump=True),
    _ctrl(genl.CTRL_CMD_GETPOLICY),
)
NETDEV_QUESTIONS: Final = (
    _netdev(1, (_IFINDEX,)),
    _netdev(1, (_IFINDEX,), dump=True),
    _netdev(5, _POOL),
    _netdev(5, _POOL, dump=True),
    _netdev(10, _WHICH_QUEUE),
    _netdev(10, _WHICH_QUEUE, dump=True),
    _netdev(11, _NAPI),
    _netdev(11, _NAPI, dump=True),
    _netdev(12, _QSTATS, dump=True),
    *(_netdev(13, _DMABUF, nested=2), _netdev(14, _NAPI), _netdev(15, _DMABUF)) * 2,
    *(_netdev(1, ((1, _exactly(U32.pack(999))),)),) * 3,
    *(_netdev(1, ((1, _exactly(U32.pack(0))),)),) * 3,
    *(_netdev(11, ((2, _exactly(U32.pack(8193))),)),) * 3,
    *(_wrong_queue(),) * 8,
    *(_netdev(15, ((1, _exactly(U32.pack(1))), (3, _exactly(U32.pack(0))))),) * 12,
)


def _link(type: int, dump: bool = False) -> Question:
    names = _name(b"lo", b"lo", b"nosuch0", b"")
    attributes = (
        (il.IFLA_IFNAME, names),
        (il.IFLA_IFNAME, names),
        (il.IFLA_ALT_IFNAME, names),
        (il.IFLA_EXT_MASK, _integer(0, 1, 8, 9, 2**32 - 1)),
        (il.IFLA_GROUP, _integer(0, 1)),
        (il.IFLA_TARGET_NETNSID, _integer(0, 1, 2**32 - 1)),
        (il.IFLA_NET_NS_PID, _integer(0, 2**30)),
        (il.IFLA_NET_NS_FD, _integer(2**30)),
        (il.IFLA_LINK_NETNSID, _integer(0, 1, 2**32 - 1)),
        (il.IFLA_MTU, _integer(100, 2**32 - 1)),
        (il.IFLA_MASTER, _integer(0, 5)),
        *((il.IFLA_MAP, _exactly(bytes(31))),) * 2,
        *((il.IFLA_PARENT_DEV_NAME, _exactly(b"no end")),) * 2,
        (il.IFLA_ADDRESS, _junk),
        (il.IFLA_IFALIAS, _junk),
        (il.IFLA_LINKINFO, _nest((1, _name(b"nosuchkind")), (2, _junk))),
        (il.IFLA_AF_SPEC, _nest((2, _junk), (10, _junk))),
    )
    return Question(type, b"", attributes, dump, frozenset({il.IFLA_LINKINFO, il.IFLA_AF_SPEC}))


def _moved_link(type: int) -> Question:
    """A link that is to be in another namespace."""
    where = (
        (il.IFLA_NET_NS_PID, _integer(0, 2**30)),
        (il.IFLA_NET_NS_FD, _integer(2**30)),
        (il.IFLA_TARGET_NETNSID, _integer(0, 1, 2**32 - 1)),
    )
    return Question(type, b"", where, junk=0.6)


def _made_again() -> Question:
    """A link that is there already, to be made and only to be made."""
    names = ((il.IFLA_IFNAME, _name(b"lo")), (il.IFLA_ALT_IFNAME, _name(b"lo")))
    return Question(rtnl.RTM_NEWLINK, b"", names, flags=nl.NLM_F_EXCL, junk=0.6)


def _without_a_word() -> Question:
    """A link of a kind that is described wrongly, which is an error without a text."""
    kind = ((il.IFLA_LINKINFO, _nest((2, _exactly(b"\0")))),)
    nested = frozenset({il.IFLA_LINKINFO})
    return Question(rtnl.RTM_NEWLINK, rtnl.IfInfoMsg().pack(), kind, nested=nested, junk=0.6)


def _all_links() -> Question:
    """All links of a group, to be taken away."""
    group = wire.attr(il.IFLA_GROUP, U32.pack(0))
    return Question(rtnl.RTM_DELLINK, rtnl.IfInfoMsg().pack(), (), fixed=group, junk=0.6)


ROUTE_QUESTIONS: Final = (
    _link(rtnl.RTM_GETLINK),
    _link(rtnl.RTM_GETLINK),
    _link(rtnl.RTM_GETLINK, dump=True),
    _link(rtnl.RTM_DELLINK),
    _link(rtnl.RTM_NEWLINK),
    _link(rtnl.RTM_SETLINK),
    _moved_link(rtnl.RTM_NEWLINK),
    *(_moved_link(rtnl.RTM_SETLINK),) * 7,
    *(_made_again(),) * 2,
    *(_without_a_word(),) * 2,
    *(_all_links(),) * 2,
    *(Question(rtnl.RTM_GETLINK, b"", ((100, _integer(1)), (il.IFLA_MTU, _integer(100)))),) * 2,
    Question(rtnl.RTM_SETLINK, rtnl.IfInfoMsg(index=1).pack(), (), flags=nl.NLM_F_ACK, junk=0.6),
)


def _link_head(random: Random) -> bytes:
    """A struct ifinfomsg, mostly with an index and nothing else."""
    index = random.choice((0, 0, 1, 1, 1, 2, 999, -1, -5))
    odd = random.random() < 0.15
    return rtnl.IfInfoMsg(
        family=random.choice((0, 0, 0, 2, 7, 10, 17, 200)) if random.random() < 0.3 else 0,
        type=random.choice((0, 1, 772)) if odd else 0,
        index=index,
        flags=random.choice((0, 1, 0x40)) if odd else 0,
        change=random.choice((0, 0, 1, 2**32 - 1)) if odd else 0,
    ).pack()


# -- putting it together -----------------------------------------------------------


def _attribute(random: Random, type: int, payload: Payload, *, nested: bool = False) -> bytes:
    data = payload(random)
    if nested and random.random() < 0.8:
        type |= nl.NLA_F_NESTED
    pick = random.random()
    if pick < 0.9:
        return wire.attr(type, data)
    if pick < 0.93:
        return wire.attr(type | random.choice((nl.NLA_F_NESTED, nl.NLA_F_NET_BYTEORDER, 0xC000)), data)
    if pick < 0.97:
        length = random.choice((0, 1, 3, 4, 5, len(data) + 3, len(data) + 5, len(data) + 40, 0xFFFF))
        return wire.attr(type, data, length=length)
    return wire.attr(random.choice((0, 11, 77, 100, 0x3FFF)), data)


def ask(random: Random, questions: tuple[Question, ...]) -> bytes:
    """A request that is valid or nearly so."""
    question = random.choice(questions)
    head = question.head or _link_head(random)
    if len(question.head) == genl.GENL_HDRLEN and random.random() < 0.08:
        head = wire.genl(
            random.choice((head[0], head[0], random.randrange(256))),
            version=random.randrange(256),
            reserved=random.choice((0, 0, 1, 0x1234)),
        )
    attributes = question.fixed
    count = random.choice((0, 1, 1, 1, 1, 2, 2, 3, 5)) if question.attributes else 0
    for _ in range(count):
        type, payload = random.choice(question.attributes)
        attributes += _attribute(random, type, payload, nested=type in question.nested)
    if random.random() < question.junk:
        attributes += random.randbytes(random.randrange(1, 4))
    flags = random.choice(FLAGS) | question.flags
    if question.dump != (random.random() < 0.06):
        flags |= nl.NLM_F_DUMP
    if random.random() < 0.97:
        flags |= nl.NLM_F_REQUEST
    return _message(random, question.type, flags, head + attributes)


def _message(random: Random, type: int, flags: int, payload: bytes) -> bytes:
    pid = random.choice((0, 0, 0, 12345, 2**32 - 1))
    sequence = random.randrange(2**32) if random.random() < 0.3 else random.randrange(100)
    length = None
    if random.random() < 0.02:
        length = random.choice((0, 15, 16, 17, 19, 20, len(payload) + 15, len(payload) + 17, 2**32 - 1))
    pad = random.random() < 0.9
    return wire.nlmsg(type, flags, payload, seq=sequence, pid=pid, length=length, pad=pad)


def other(random: Random, types: tuple[int, ...]) -> bytes:
    """A message of a type that nobody handles, or below those that are handled."""
    type = random.choice(types) if random.random() < 0.5 else random.randrange(16)
    flags = random.choice(FLAGS) | (nl.NLM_F_REQUEST if random.random() < 0.8 else 0)
    return _message(random, type, flags, _junk(random))


def mutated(random: Random, data: bytes) -> bytes:
    """A message with a few bytes changed, taken out or put in; its type stays."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = random.randrange(len(changed) + 1)
        pick = random.random()
        if pick < 0.6 and at < len(changed):
            changed[at] = random.choice((0, 1, 0xFF, changed[at] ^ 1 << random.randrange(8)))
        elif pick < 0.8:
            del changed[at : at + random.randrange(1, 8)]
        else:
            changed[at:at] = random.randbytes(random.randrange(1, 8))
    changed[4:6] = data[4:6]
    return bytes(changed)


def generic(random: Random) -> bytes:
    """One message for NETLINK_GENERIC."""
    pick = random.random()
    if pick < 0.06:
        return other(random, NOBODY)
    questions = NLCTRL_QUESTIONS if pick < 0.55 else NETDEV_QUESTIONS
    return ask(random, questions)


def nlctrl(random: Random) -> bytes:
    """One message for nlctrl."""
    return ask(random, NLCTRL_QUESTIONS)


def nlctrl_or_noise(random: Random) -> bytes:
    """One message for nlctrl, or random bytes that bear its number."""
    if random.random() < 0.85:
        return nlctrl(random)
    flags = random.randrange(1 << 16) if random.random() < 0.5 else nl.NLM_F_REQUEST | random.choice(FLAGS)
    command = random.choice((genl.CTRL_CMD_GETFAMILY, genl.CTRL_CMD_GETPOLICY, random.randrange(256)))
    payload = wire.genl(command) + random.randbytes(random.choice((0, 1, 4, 8, 12, 20, 40, 100)))
    return _message(random, genl.GENL_ID_CTRL, flags, payload[: random.choice((0, 1, 3, 200, 200, 200))])


def route(random: Random) -> bytes:
    """One message for NETLINK_ROUTE."""
    if random.random() < 0.1:
        return other(random, (rtnl.RTM_MAX + 1, rtnl.RTM_MAX + 2, 1000, 0xFFFF))
    return ask(random, ROUTE_QUESTIONS)


def uevent(random: Random) -> bytes:
    """One message for NETLINK_KOBJECT_UEVENT."""
    payload = b"add@/devices/x\0ACTION=add\0" * random.choice((0, 1, 1, 2, 30, 78, 79, 200))
    flags = random.choice(FLAGS) | (nl.NLM_F_REQUEST if random.random() < 0.9 else 0)
    type = random.choice((16, 16, 17, 999, 1, 2, 3))
    return _message(random, type, flags, payload[: len(payload) - random.randrange(0, 3)])


MAKERS: Final[dict[int, Callable[[Random], bytes]]] = {
    nl.NETLINK_GENERIC: generic,
    nl.NETLINK_ROUTE: route,
    nl.NETLINK_KOBJECT_UEVENT: uevent,
}


ACKNOWLEDGED: Final = wire.nlmsg(nl.NLMSG_NOOP, nl.NLM_F_REQUEST | nl.NLM_F_ACK)
"""What is answered by an ACK and nothing else."""
ANSWERED: Final = {
    nl.NETLINK_GENERIC: (
        *(_known_family(b"netdev", NETDEV),) * 3,
        _ctrl(genl.CTRL_CMD_GETFAMILY, dump=True),
    ),
    nl.NETLINK_ROUTE: (
        Question(rtnl.RTM_GETLINK, rtnl.IfInfoMsg(index=1).pack(), (), junk=0.5),
        Question(rtnl.RTM_GETLINK, rtnl.IfInfoMsg().pack(), (), dump=True),
    ),
}
"""Requests that are answered at length, if there is room for it."""


def answered(random: Random, protocol: int) -> bytes:
    """Such a request; nothing where there is none."""
    questions = ANSWERED.get(protocol)
    return b"" if questions is None else ask(random, questions)


def datagram(random: Random, make: Callable[[Random], bytes]) -> bytes:
    """One message or several, now and then mutated, or followed by junk."""
    data = make(random)
    if random.random() < 0.2:
        data = mutated(random, data)
    while random.random() < 0.12:
        data += make(random)
    if random.random() < 0.03:
        data += random.randbytes(random.randrange(1, 20))
    return data
