"""Random messages to the kernel: valid, nearly valid, mutated and meaningless ones."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from simkernel.uapi import genetlink as genl
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from tests.conformance import wire
from tests.conformance.live.generic_questions import (
    NETDEV,
    NETDEV_QUESTIONS,
    NLCTRL_QUESTIONS,
    ctrl,
    known_family,
)
from tests.conformance.live.payloads import Question, attribute_of, noise
from tests.conformance.live.route_questions import ROUTE_QUESTIONS

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
UNKNOWN_FAMILIES: Final = (18, 999, 1023, 1024, 0xFFF0, 0xFFFF)
"""Message types of generic netlink families that exist neither in simkernel nor on the host."""


def ask(random: Random, questions: tuple[Question, ...]) -> bytes:
    """Return a request that is valid or nearly valid."""
    question = random.choice(questions)
    head = question.head if isinstance(question.head, bytes) else question.head(random)
    if isinstance(question.head, bytes) and len(head) == genl.GENL_HDRLEN and random.random() < 0.08:
        head = wire.genl(
            random.choice((head[0], head[0], random.randrange(256))),
            version=random.randrange(256),
            reserved=random.choice((0, 0, 1, 0x1234)),
        )
    attributes = question.fixed
    count = random.choice((0, 1, 1, 1, 1, 2, 2, 3, 5)) if question.attributes else 0
    for _ in range(count):
        type, payload = random.choice(question.attributes)
        attributes += attribute_of(random, type, payload, nested=type in question.nested)
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
    """Return a message whose type has no handler (one of the given types) or is a control type (below 16)."""
    type = random.choice(types) if random.random() < 0.5 else random.randrange(16)
    flags = random.choice(FLAGS) | (nl.NLM_F_REQUEST if random.random() < 0.8 else 0)
    return _message(random, type, flags, noise(random))


def mutated(random: Random, data: bytes) -> bytes:
    """Return a message in which a few bytes are changed, deleted or inserted. Its message type stays."""
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
    """Return a random message for NETLINK_GENERIC."""
    pick = random.random()
    if pick < 0.06:
        return other(random, UNKNOWN_FAMILIES)
    questions = NLCTRL_QUESTIONS if pick < 0.55 else NETDEV_QUESTIONS
    return ask(random, questions)


def nlctrl(random: Random) -> bytes:
    """Return a random message for nlctrl."""
    return ask(random, NLCTRL_QUESTIONS)


def nlctrl_or_noise(random: Random) -> bytes:
    """Return a random message for nlctrl, or random bytes with its message type."""
    if random.random() < 0.85:
        return nlctrl(random)
    flags = random.randrange(1 << 16) if random.random() < 0.5 else nl.NLM_F_REQUEST | random.choice(FLAGS)
    command = random.choice((genl.CTRL_CMD_GETFAMILY, genl.CTRL_CMD_GETPOLICY, random.randrange(256)))
    payload = wire.genl(command) + random.randbytes(random.choice((0, 1, 4, 8, 12, 20, 40, 100)))
    return _message(random, genl.GENL_ID_CTRL, flags, payload[: random.choice((0, 1, 3, 200, 200, 200))])


def route(random: Random) -> bytes:
    """Return a random message for NETLINK_ROUTE."""
    if random.random() < 0.1:
        return other(random, (rtnl.RTM_MAX + 1, rtnl.RTM_MAX + 2, 1000, 0xFFFF))
    return ask(random, ROUTE_QUESTIONS)


def uevent(random: Random) -> bytes:
    """Return a random message for NETLINK_KOBJECT_UEVENT."""
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
"""A message to which the kernel replies only with an acknowledgement."""
ANSWERED: Final[dict[int, tuple[Question, ...]]] = {
    nl.NETLINK_GENERIC: (
        *(known_family(b"netdev", NETDEV),) * 3,
        ctrl(genl.CTRL_CMD_GETFAMILY, dump=True),
    ),
    nl.NETLINK_ROUTE: (
        Question(rtnl.RTM_GETLINK, rtnl.IfInfoMsg(index=1).pack(), (), junk=0.5),
        Question(rtnl.RTM_GETLINK, rtnl.IfInfoMsg().pack(), (), dump=True),
    ),
}
"""For each netlink protocol: requests with long replies."""


DUMPED: Final[dict[int, tuple[Question, ...]]] = {
    nl.NETLINK_GENERIC: (
        Question(
            genl.GENL_ID_CTRL,
            wire.genl(genl.CTRL_CMD_GETPOLICY),
            (),
            dump=True,
            fixed=wire.by_id(NETDEV),
            junk=0,
        ),
    ),
    nl.NETLINK_ROUTE: (Question(rtnl.RTM_GETLINK, rtnl.IfInfoMsg().pack(), (), dump=True, junk=0),),
}
"""For each netlink protocol: requests for dumps that need several datagrams."""


def answered(random: Random, protocol: int, choices: dict[int, tuple[Question, ...]] = ANSWERED) -> bytes:
    """Return a request with a long reply, or b"" if the protocol has none."""
    questions = choices.get(protocol)
    return b"" if questions is None else ask(random, questions)


def datagram(random: Random, make: Callable[[Random], bytes]) -> bytes:
    """Return a datagram of one or several messages, sometimes mutated or followed by random bytes."""
    data = make(random)
    if random.random() < 0.2:
        data = mutated(random, data)
    while random.random() < 0.12:
        data += make(random)
    if random.random() < 0.03:
        data += random.randbytes(random.randrange(1, 20))
    return data
