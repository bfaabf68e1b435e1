"""Payloads of attributes, valid and nearly valid, and descriptions of requests."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs

from simkernel.uapi import netlink as nl
from simkernel.uapi.structure import U16, U32, U64
from tests.conformance import wire

Payload = Callable[[Random], bytes]


def integer(*values: int) -> Payload:
    """Return a function that encodes one of `values` in 32 bits, sometimes in another size."""

    def make(random: Random) -> bytes:
        value = random.choice(values)
        if random.random() < 0.85:
            return U32.pack(value)
        return random.choice((U64.pack(value), U16.pack(value & 0xFFFF), b"\1", b"", U32.pack(value)[:3]))

    return make


def uint(*values: int) -> Payload:
    """Return a function that encodes one of `values` in 32 or 64 bits."""

    def make(random: Random) -> bytes:
        value = random.choice(values)
        if random.random() < 0.9:
            return U64.pack(value) if random.random() < 0.5 else U32.pack(value & 0xFFFFFFFF)
        return bytes(random.choice((0, 1, 2, 3, 5, 6, 7, 9, 16)))

    return make


def text(*names: bytes) -> Payload:
    """Return a function that encodes a name, mostly with one NUL, sometimes too long or with several."""

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


def exactly(data: bytes) -> Payload:
    """Return a function that always returns `data`."""
    return lambda random: data


def noise(random: Random) -> bytes:
    """Return random bytes."""
    return random.randbytes(random.choice((0, 1, 2, 3, 4, 5, 8, 12, 16, 40)))


def nest(*inner: tuple[int, Payload]) -> Payload:
    """Return a function that encodes nested attributes."""

    def make(random: Random) -> bytes:
        return b"".join(
            attribute_of(random, *random.choice(inner)) for _ in range(random.choice((0, 1, 1, 2, 3)))
        )

    return make


def attribute_of(random: Random, type: int, payload: Payload, *, nested: bool = False) -> bytes:
    """Encode an attribute, sometimes with wrong flags, a wrong length or another type."""
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


@attrs.frozen
class Question:
    """Description of a kind of request: message type, the bytes before the attributes, and the attributes
    that are valid.
    """

    type: int
    head: bytes | Payload
    attributes: tuple[tuple[int, Payload], ...]
    dump: bool = False
    nested: frozenset[int] = frozenset()
    flags: int = 0
    """Flags in addition to NLM_F_REQUEST."""
    fixed: bytes = b""
    """Attributes that every request of this kind has."""
    junk: float = 0.1
    """Probability that random bytes follow the attributes."""
