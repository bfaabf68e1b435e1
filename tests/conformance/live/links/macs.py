"""Comparison of random Ethernet addresses (`eth_hw_addr_random()`). The host's kernel and simkernel choose
different addresses, so two addresses count as equal if they are at the same position of a datagram.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs

from simkernel.uapi import netlink as nl
from tests.conformance import wire

GIVEN: Final = (b"\x02\xaa", b"\x02\xbb")
"""Prefixes of the Ethernet addresses that random programs set explicitly. An address with such a prefix is
compared unchanged.
"""
PLACES: Final = {4: (16, 1), 7: (12, 2)}
"""Positions of Ethernet addresses in rtnetlink messages. The key is the message type divided by 4, which is
the same for new, delete, get and set requests. The value is the size of the header, and the type of the
attribute that contains the address (IFLA_ADDRESS or NDA_LLADDR).
"""


@attrs.define
class Macs:
    """A map from random Ethernet addresses of the real kernel to those of the simulated kernel."""

    _simulated: dict[bytes, bytes] = attrs.field(factory=dict)

    def learn(self, real: bytes, simulated: bytes) -> None:
        """Map the addresses of the real kernel's datagram to those at the same positions in the simulated
        kernel's datagram.
        """
        if real != simulated:
            for ours, theirs in zip(_addresses(real), _addresses(simulated), strict=False):
                if ours != theirs and _drawn(ours) and _drawn(theirs) and ours not in self._simulated:
                    for form in (_plain, _interface_id, _solicited, _multicast, _text):
                        self._simulated[form(ours)] = form(theirs)

    def translate(self, value: Any) -> Any:
        """Replace the real kernel's random addresses in a value with those of the simulated kernel."""
        if not self._simulated:
            return value
        if isinstance(value, bytes):
            for ours, theirs in self._simulated.items():
                value = value.replace(ours, theirs)
            return value
        return tuple(map(self.translate, value)) if isinstance(value, tuple) else value


def _drawn(address: bytes) -> bool:
    return len(address) == 6 and address[0] & 3 == 2 and not address.startswith(GIVEN)


def _plain(address: bytes) -> bytes:
    return address


def _interface_id(address: bytes) -> bytes:
    """Return the IPv6 interface id of an Ethernet address (EUI-64)."""
    return bytes((address[0] ^ 2,)) + address[1:3] + b"\xff\xfe" + address[3:]


def _solicited(address: bytes) -> bytes:
    """Return the last six bytes of a solicited-node multicast address (ff02::1:ffXX:XXXX). It belongs to the
    IPv6 addresses whose interface id is derived from this Ethernet address.
    """
    return b"\0\1\xff" + address[3:]


def _multicast(address: bytes) -> bytes:
    """Return an Ethernet multicast address (33:33:ff:XX:XX:XX). A packet to the address that `_solicited()`
    returns has this Ethernet destination.
    """
    return b"\x33\x33\xff" + address[3:]


def _text(address: bytes) -> bytes:
    return _interface_id(address).hex().encode()


def _addresses(data: bytes) -> Iterator[bytes]:
    offset = 0
    while len(data) - offset >= nl.NLMSG_HDRLEN:
        length, type, *_ = nl.NlMsgHdr.LAYOUT.unpack_from(data, offset)
        if length < nl.NLMSG_HDRLEN:
            return
        if type >> 2 in PLACES:
            size, wanted = PLACES[type >> 2]
            for kind, payload in wire.attrs(data[offset + nl.NLMSG_HDRLEN + size : offset + length]):
                if kind == wanted:
                    yield payload
        offset += nl.align4(length)
