"""Random datagrams: valid requests, nearly valid requests, and meaningless bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import attrs

from simkernel.uapi import netlink as nl
from simkernel.uapi.structure import U32, U64
from simkernel.ynl import Attribute, Spec
from simkernel.ynl.model import Mode, Operation
from tests.conformance import wire
from tests.conformance.live import messages, values

HELLO: Final = 17
"""Netlink protocol of the module `hello`."""

NUMBERS: Final = (0, 1, 2, 3, 5, 8, 160, 120, 320, 240, 640, 480, 1_000_000, 33_333_333, 2**31, 2**32 - 1)
NAMES: Final = (b"camera0", b"mouse0", b"camera1", b"nosuch", b"", b"n" * 40)


@attrs.frozen
class Families:
    """The generic netlink families of the modules, and a function that returns the current id of a family."""

    specs: Sequence[Spec]
    number: Callable[[str], int]


def _payload(random: Random, attribute: Attribute) -> bytes:
    """Return a valid or invalid payload for an attribute."""
    kind = attribute.type
    pick = random.random()
    if pick < 0.05:
        return random.randbytes(random.randrange(12))
    if kind == "string":
        return random.choice(NAMES) + (b"\0" if pick < 0.9 else b"")
    if kind in ("u64", "s64", "uint", "sint") and pick < 0.6:
        return U64.pack(random.choice(NUMBERS))
    if kind == "flag":
        return b""
    if kind in ("binary", "nest"):
        return random.randbytes(random.choice((0, 4, 8, 16)))
    return U32.pack(random.choice(NUMBERS))


def _asked(random: Random, operation: Operation) -> tuple[Mode | None, int]:
    """Return the mode "do" or the mode "dump" of an operation, selected at random, and the netlink flags of
    this mode. Return None as the mode if the operation has neither.
    """
    ways = [(operation.do, 0), (operation.dump, nl.NLM_F_DUMP)]
    present = [way for way in ways if way[0] is not None]
    return random.choice(present) if present else (None, 0)


def family_request(random: Random, families: Families) -> bytes:
    """Return a request to a family of a module. The family may not be registered at this time."""
    spec = random.choice(families.specs)
    operation = random.choice(tuple(spec.operations.values()))
    mode, flags = _asked(random, operation)
    attributes = b""
    if mode is not None and operation.attribute_set:
        known = spec.attribute_sets[operation.attribute_set].attributes
        for name in mode.request or ():
            if random.random() < (0.2 if known[name].type == "string" else 0.7):
                attributes += wire.attr(known[name].number, _payload(random, known[name]))
    ident = families.number(spec.name) if random.random() < 0.95 else random.choice(NUMBERS) & 0xFFFF
    command = operation.request_number if operation.request_number is not None else random.randrange(256)
    flags |= nl.NLM_F_REQUEST | random.choice((0, nl.NLM_F_ACK, nl.NLM_F_ECHO))
    return wire.nlmsg(ident, flags, wire.genl(command, attributes), seq=random.randrange(99))


def hello_request(random: Random) -> bytes:
    """Return a request to the module `hello`, valid or not."""
    name = random.choice((b"world", b"", b"\0", b"n" * 100, b"\xff\xfe", random.randbytes(8)))
    flags = nl.NLM_F_REQUEST | random.choice((0, nl.NLM_F_ACK))
    return wire.nlmsg(random.choice((16, 16, 16, 17, 2)), flags, name)


def noise(random: Random) -> bytes:
    """Return random bytes. Half of the results begin with a netlink header that has the correct length."""
    data = random.randbytes(random.choice((0, 1, 4, 15, 16, 17, 20, 24, 36, 64, 200, 1000)))
    if random.random() < 0.5:
        return data
    return struct.pack("<I", len(data) + 16) + random.randbytes(12) + data


MAKERS: Final[dict[int, Callable[[Random], bytes]]] = {
    nl.NETLINK_ROUTE: messages.route,
    nl.NETLINK_KOBJECT_UEVENT: messages.uevent,
    nl.NETLINK_GENERIC: messages.generic,
    HELLO: hello_request,
}


def datagram(random: Random, protocol: int, families: Families) -> bytes:
    """Return a random datagram to send on a socket of a protocol."""
    pick = random.random()
    make = MAKERS.get(protocol)
    if make is None or pick < 0.1:
        return noise(random) if pick < 0.5 else values.blob(random)
    if protocol == nl.NETLINK_GENERIC and pick < 0.55:
        data = family_request(random, families)
        return messages.mutated(random, data) if random.random() < 0.2 else data
    return messages.datagram(random, make)
