"""An rtnetlink request of a random program, and its encoding as a message."""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.uapi import netlink as nl
from tests.conformance import wire
from tests.conformance.live.links.picks import Picks
from tests.conformance.live.messages import mutated

NEW_FLAGS: Final = (
    nl.NLM_F_CREATE | nl.NLM_F_EXCL,
    nl.NLM_F_CREATE | nl.NLM_F_EXCL,
    nl.NLM_F_CREATE | nl.NLM_F_EXCL,
    nl.NLM_F_CREATE,
    nl.NLM_F_CREATE,
    nl.NLM_F_CREATE | nl.NLM_F_REPLACE,
    nl.NLM_F_CREATE | nl.NLM_F_APPEND,
    nl.NLM_F_REPLACE,
    nl.NLM_F_EXCL,
    nl.NLM_F_APPEND,
    0,
)
"""Flags that `ip add`, `replace`, `append`, `change` and `prepend` use, and other combinations."""


@attrs.frozen
class Request:
    """A request: message type, payload (header and attributes), and flags."""

    type: int
    payload: bytes
    flags: int = 0


def dump(type: int, payload: bytes) -> Request:
    """Return a request with NLM_F_DUMP, which asks the kernel for a list of objects, such as links."""
    return Request(type, payload, nl.NLM_F_DUMP)


def message(p: Picks, request: Request) -> bytes:
    """Encode a request, mostly with NLM_F_ACK. The message is rarely mutated."""
    flags = request.flags | nl.NLM_F_REQUEST
    if p.often(0.9):
        flags |= nl.NLM_F_ACK
    if p.often(0.06):
        flags |= nl.NLM_F_ECHO
    data = wire.nlmsg(request.type, flags, request.payload, seq=p.random.randrange(1, 1000))
    return mutated(p.random, data) if p.often(0.012) else data
