"""Descriptions of NETLINK_GENERIC requests, for nlctrl and netdev."""

from __future__ import annotations

from random import Random
from typing import Final

from simkernel.uapi import genetlink as genl
from simkernel.uapi import netlink as nl
from simkernel.uapi.structure import U16, U32
from tests.conformance import wire
from tests.conformance.live.payloads import Payload, Question, exactly, integer, nest, text, uint

NETDEV: Final = 20
"""Family id of netdev in simkernel and on the Linux kernel on which the cases were recorded."""


def _family_id(random: Random) -> bytes:
    value = random.choice((16, 16, 16, NETDEV, 0, 1, 15, 18, 9999, 0xFFFF))
    if random.random() < 0.85:
        return U16.pack(value)
    return U16.pack(value)[: random.randrange(3)] + bytes(random.choice((0, 0, 2, 6)))


def ctrl(command: int, dump: bool = False) -> Question:
    """Return the description (Question) of requests to nlctrl with a given command."""
    name = (genl.CTRL_ATTR_FAMILY_NAME, text(b"nlctrl", b"nlctrl", b"netdev", b"nosuch", b"NLCTRL", b""))
    ident = (genl.CTRL_ATTR_FAMILY_ID, _family_id)
    attributes = [name, name, ident, ident, ident, (genl.CTRL_ATTR_VERSION, integer(1))]
    if command == genl.CTRL_CMD_GETPOLICY:
        attributes += [(genl.CTRL_ATTR_OP, integer(0, 1, 3, 5, 10, 11, 12, 13, 14, 15, 99, 2**32 - 1))] * 3
    return Question(genl.GENL_ID_CTRL, wire.genl(command), tuple(attributes), dump)


_IFINDEX = (1, integer(0, 1, 1, 2, 999, 2**31, 2**32 - 1))
_QUEUE = (
    (1, integer(0, 1, 5)),
    (3, integer(0, 1, 2, 2**32 - 1)),
    (2, integer(1, 0)),
)
_NAPI = (
    _IFINDEX,
    (2, integer(0, 1, 8193, 2**32 - 1)),
    (4, integer(1)),
    (5, integer(0, 1, 2**31 - 1, 2**31)),
    (6, uint(0, 1, 2**32, 2**64 - 1)),
    (7, uint(0, 1, 2**64 - 1)),
    (8, integer(0, 1, 2, 3)),
)
_DMABUF = (
    _IFINDEX,
    (2, nest(*_QUEUE)),
    (3, integer(0, 1, 999)),
    (4, integer(1)),
)
_QSTATS = (_IFINDEX, (2, integer(0)), (3, integer(0)), (4, uint(0, 1, 2, 3)))
_POOL = ((1, uint(0, 1, 2**32 - 1, 2**32)), (2, integer(1, 2**31)))
_WHICH_QUEUE = ((1, integer(0, 1)), (2, integer(0, 1, 1, 999)), (3, integer(0, 1, 2)))


def _netdev(
    command: int, attributes: tuple[tuple[int, Payload], ...], dump: bool = False, nested: int = 0
) -> Question:
    return Question(NETDEV, wire.genl(command), attributes, dump, frozenset({nested} if nested else ()))


def _wrong_queue() -> Question:
    """Return the description (Question) of a request that binds memory to a transmit queue, where only a
    receive queue is valid.
    """
    fixed = wire.attr(1, U32.pack(1)) + wire.attr(3, U32.pack(0))
    queue = wire.attr(3, U32.pack(1)) + wire.attr(1, U32.pack(0))
    return Question(NETDEV, wire.genl(13), ((2, exactly(queue)),), nested=frozenset({2}), fixed=fixed)


def known_family(family: bytes, number: int) -> Question:
    """Return the description (Question) of requests to nlctrl for a family that exists. nlctrl sends a reply
    and an acknowledgement.
    """
    name, ident = exactly(family + b"\0"), exactly(U16.pack(number))
    attributes = ((genl.CTRL_ATTR_FAMILY_NAME, name), (genl.CTRL_ATTR_FAMILY_ID, ident))
    return Question(
        genl.GENL_ID_CTRL, wire.genl(genl.CTRL_CMD_GETFAMILY), attributes, flags=nl.NLM_F_ACK, junk=0.5
    )


def _unknown_family() -> Question:
    """Return the description (Question) of requests to nlctrl for a family that does not exist."""
    attributes = ((genl.CTRL_ATTR_FAMILY_NAME, exactly(b"nosuch\0")),)
    return Question(genl.GENL_ID_CTRL, wire.genl(genl.CTRL_CMD_GETFAMILY), attributes, junk=0.5)


NLCTRL_QUESTIONS: Final = (
    _unknown_family(),
    known_family(b"nlctrl", genl.GENL_ID_CTRL),
    ctrl(genl.CTRL_CMD_GETFAMILY),
    ctrl(genl.CTRL_CMD_GETFAMILY),
    ctrl(genl.CTRL_CMD_GETFAMILY, dump=True),
    ctrl(genl.CTRL_CMD_GETPOLICY, dump=True),
    ctrl(genl.CTRL_CMD_GETPOLICY, dump=True),
    ctrl(genl.CTRL_CMD_GETPOLICY),
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
    *(_netdev(1, ((1, exactly(U32.pack(999))),)),) * 6,
    *(_netdev(1, ((1, exactly(U32.pack(0))),)),) * 12,
    *(_netdev(11, ((2, exactly(U32.pack(8193))),)),) * 4,
    *(_wrong_queue(),) * 12,
    *(_netdev(15, ((1, exactly(U32.pack(1))), (3, exactly(U32.pack(0))))),) * 18,
)
