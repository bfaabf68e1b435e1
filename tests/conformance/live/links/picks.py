"""Random arguments of requests. They come from small sets, so that several steps of a program often use the
same link or address.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

import attrs

from simkernel.uapi import netlink as nl
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.uapi.structure import U32
from tests.conformance import wire

NAMES: Final = (b"a0", b"a1", b"b0", b"b1", b"br0", b"br1", b"lo")
PATTERNS: Final = (b"v%d", b"a%d", b"p%dq")
ODD_NAMES: Final = (
    b"",
    b".",
    b"..",
    b"a/b",
    b"a b",
    b"a:b",
    b"x" * 15,
    b"x" * 16,
    b"%s",
    b"%d%d",
    b"a%%0",
    b"\xff",
)
ALIASES: Final = (b"alt-a", b"alt-b", b"a1", b"long-" + b"n" * 40, b"y" * 127)
"""Alternative names of links. `a1` is also in NAMES, so a normal and an alternative name can be equal."""

LENGTHS: Final = {AF_INET: 4, AF_INET6: 16}
BITS: Final = {AF_INET: 32, AF_INET6: 128}
UNSPECIFIED: Final = {AF_INET: bytes(4), AF_INET6: bytes(16)}


@attrs.define
class Picks:
    """Generator of random arguments. `links` is the maximum number of links in each namespace."""

    random: Random
    links: list[int] = attrs.field(factory=lambda: [1, 1])
    net: int = 0
    """Index of the namespace that the next message is sent in, 0 or 1."""

    def often(self, share: float) -> bool:
        """Return True with probability `share`."""
        return self.random.random() < share

    def one(self, *values: int) -> int:
        """Return a random element of the given numbers."""
        return self.random.choice(values)

    # -- links ------------------------------------------------------------------

    def index(self) -> int:
        """Return a link index, mostly that of an existing link."""
        if self.often(0.05):
            return self.one(0, -1, 40, 999, 2**31 - 1)
        if self.often(0.06):
            return 1
        return self.random.randrange(1, self.links[self.net] + 1) + (
            self.links[self.net] > 1 and self.often(0.5)
        )

    def name(self) -> bytes:
        """Return a link name with its NUL, mostly a valid one."""
        pick = self.random.random()
        if pick < 0.8:
            return self.random.choice(NAMES) + b"\0"
        if pick < 0.9:
            return self.random.choice(PATTERNS) + b"\0"
        return self.random.choice(ODD_NAMES) + self.random.choice((b"\0", b"\0", b""))

    def alternative(self) -> bytes:
        """Return an alternative name of a link, rarely a normal name."""
        return self.name() if self.often(0.15) else self.random.choice(ALIASES) + b"\0"

    def mac(self) -> bytes:
        """Return an Ethernet address, mostly a valid and unused one.

        Both ends of a veth seldom get equal addresses, because then the host's duplicate address detection
        fails.
        """
        if self.often(0.93):
            return b"\x02\xaa" + self.random.randbytes(4)
        return self.random.choice(
            (bytes(6), b"\x01\0\x5e\0\0\1", b"\xff" * 6, bytes(5), bytes(7), b"", bytes(32))
        )

    # -- addresses --------------------------------------------------------------

    def family(self) -> int:
        """Return AF_INET or AF_INET6, rarely another address family."""
        if self.often(0.03):
            return self.one(0, 1, 7, 17, 128, 129, 200)
        return self.one(AF_INET, AF_INET6)

    def host(self, family: int, index: int) -> bytes:
        """Return a random address of the link with this index. Different links have different addresses."""
        net, suffix = self.random.randrange(2), self.random.randrange(1, 5)
        number = (self.net << 7 | (index & 15) << 3 | suffix) & 0xFF
        if family == AF_INET:
            return bytes((10, 0, net, number))
        prefix = self.random.choice((b"\x20\x01\x0d\xb8", b"\x20\x01\x0d\xb8", b"\xfe\x80\0\0"))
        return prefix + bytes((0, 0, 0, net if prefix[0] == 0x20 else 0)) + bytes(7) + bytes((number,))

    def odd_host(self, family: int) -> bytes:
        """Return an unspecified, loopback, multicast, broadcast or IPv4-mapped address."""
        if family == AF_INET:
            return self.random.choice(
                (bytes(4), b"\x7f\0\0\1", b"\x7f\0\0\2", b"\xe0\0\0\1", b"\xff" * 4, b"\x0a\0\0\xff")
            )
        return self.random.choice(
            (bytes(16), bytes(15) + b"\1", b"\xff\2" + bytes(13) + b"\1", bytes(10) + b"\xff\xff\x0a\0\0\1")
        )

    def prefix(self, family: int) -> tuple[bytes, int]:
        """Return a destination prefix and its length, mostly without host bits."""
        bits = self.random.choice(
            (0, 8, 16, 24, 24, 31, 32) if family == AF_INET else (0, 8, 32, 64, 64, 127, 128)
        )
        if self.often(0.03):
            bits = self.one(33, 129, 200, 255)
        address = self.host(family, self.one(1, 2, 3))
        if self.often(0.1):
            address = self.odd_host(family)
        if self.often(0.05):
            return address, bits
        return truncated(address, bits), bits

    # -- attributes ---------------------------------------------------------------

    def attribute(self, type: int, data: bytes) -> bytes:
        """Return an attribute, rarely with wrong flags or a wrong length."""
        pick = self.random.random()
        if pick < 0.985:
            return wire.attr(type, data)
        if pick < 0.99:
            return wire.attr(type | self.one(nl.NLA_F_NESTED, nl.NLA_F_NET_BYTEORDER), data)
        if pick < 0.995:
            return wire.attr(type, data[: self.random.randrange(len(data) + 1)])
        return wire.attr(type, data + bytes(self.one(1, 2, 4)))

    def number(self, type: int, *values: int) -> bytes:
        """Return an attribute with one of the given numbers as a 32-bit value."""
        return self.attribute(type, U32.pack(self.one(*values) & 0xFFFFFFFF))

    def some(self, share: float, *makers: Callable[[], bytes]) -> bytes:
        """Call each of `makers` with probability `share`. Return the concatenated attributes."""
        return b"".join(make() for make in makers if self.often(share))


def truncated(address: bytes, bits: int) -> bytes:
    """Return an address without its host bits."""
    size = len(address) * 8
    if bits >= size:
        return address
    number = int.from_bytes(address, "big") >> size - bits << size - bits
    return number.to_bytes(len(address), "big")
