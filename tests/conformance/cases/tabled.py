"""Compact logs of requests and notifications, for cases with many similar requests."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from simkernel.uapi import errno
from simkernel.uapi import if_addr as ia
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import NLM_F_CREATE, NLM_F_EXCL
from simkernel.uapi.socket import AF_INET, AF_INET6, MSG_DONTWAIT
from simkernel.uapi.structure import S32, U16
from tests.conformance import wire
from tests.conformance.cases.fib_lab import LO, NODAD, NOWHERE, PEER, VETH, Lab, packed, prefix, route
from tests.conformance.cases.found_links import mask_ages
from tests.conformance.log import Log
from tests.conformance.wire import ACK, DUMP, ERROR, REQUEST, attr, nlmsg, u32
from tests.conformance.world import World

CREATE = NLM_F_CREATE | NLM_F_EXCL
PATIENCE = 0.3
"""Maximum time in seconds to wait until the kernel announces a new IPv6 address."""
TEXT, OFFSET = 1, 2
"""Attributes of an extended acknowledgement."""

SHOWN_OF_LINKS = (
    *(il.IFLA_IFNAME, il.IFLA_ADDRESS, il.IFLA_BROADCAST, il.IFLA_MTU, il.IFLA_TXQLEN, il.IFLA_OPERSTATE),
    *(il.IFLA_LINKMODE, il.IFLA_GROUP, il.IFLA_PROMISCUITY, il.IFLA_MASTER, il.IFLA_CARRIER, il.IFLA_IFALIAS),
    *(il.IFLA_GSO_MAX_SIZE, il.IFLA_GSO_MAX_SEGS, il.IFLA_GRO_MAX_SIZE, il.IFLA_GSO_IPV4_MAX_SIZE),
    *(il.IFLA_GRO_IPV4_MAX_SIZE, il.IFLA_PROP_LIST, il.IFLA_PROTINFO, il.IFLA_LINK, il.IFLA_LINK_NETNSID),
    *(il.IFLA_NEW_NETNSID, il.IFLA_NEW_IFINDEX, il.IFLA_TARGET_NETNSID),
)
"""Link attributes that requests change. The log shows only these attributes of a link."""


def brief(data: bytes) -> str:
    """Return bytes as hexadecimal digits. Each sequence of four or more zero bytes is shortened to its length
    in parentheses, such as `(9)`.
    """
    return re.sub("(00){4,}", lambda found: f"({len(found[0]) // 2})", data.hex())


def outcome(type: int, payload: bytes) -> str:
    """Return one line for a message: an error with its text and attribute offset, or the message type and the
    payload.
    """
    if type in (rt.RTM_NEWLINK, rt.RTM_DELLINK) and payload[0] != AF_INET6:
        found = dict(wire.attrs(payload[rt.IfInfoMsg.SIZE :]))
        shown = [f"{each}:{brief(found[each])}" for each in SHOWN_OF_LINKS if each in found]
        return " ".join((str(type), brief(payload[: rt.IfInfoMsg.SIZE]), *shown))
    if type not in (ERROR, wire.DONE):
        return f"{type} {brief(payload)}"
    (number,) = S32.unpack_from(payload)
    size = 20 if type == ERROR else 4
    found = dict(wire.attrs(payload[size:]))
    offset = found.pop(OFFSET, b"")[:2]
    texts = [found.pop(TEXT)[:-1].decode()] if TEXT in found else []
    more = [f"{each}:{brief(data)}" for each, data in found.items()]
    name = errno.error_name(-number) if number else "done" if type == wire.DONE else "ok"
    return " ".join((name, *texts, *([f"at {U16.unpack(offset)[0]}"] if offset else ()), *more))


def grouped(answers: Iterable[tuple[str, str]]) -> list[str]:
    """Group successive answers with equal texts, and return one line for each group. An answer is a label and
    a text.
    """
    groups = ((text, [label for label, _ in each]) for text, each in groupby(answers, lambda pair: pair[1]))
    return [f"{labels[0]}..{labels[-1]}: {text}" for text, labels in groups]


class Tabled(Lab):
    """A test network (Lab) whose log has one short line for each message."""

    def __init__(
        self, world: World, log: Log, family: int = AF_INET, *, groups: tuple[int, ...] = (), **more: Any
    ) -> None:
        super().__init__(world, log, family, **more)
        for group in groups:
            self.listener.setsockopt(wire.SOL_NETLINK, wire.ADD_MEMBERSHIP, group)

    def answers(self, type: int, body: bytes, flags: int = ACK, before: bytes = b"") -> list[str]:
        """Send a request, and return a line for each message of the reply. The argument `before` contains
        bytes that precede the request in the datagram.
        """
        self.sock.sendto(before + nlmsg(type, REQUEST | flags, body, seq=1), (0, 0))
        return self._lines(self.sock)

    def events(self) -> list[str]:
        """Receive the queued notifications, and return a line for each of them."""
        return self._lines(self.listener)

    def _lines(self, sock: Any) -> list[str]:
        lines: list[str] = []
        while True:
            try:
                lines += self._parts(sock.recv(65536, MSG_DONTWAIT))
            except BlockingIOError:
                return lines

    @staticmethod
    def _parts(data: bytes) -> list[str]:
        first = U16.unpack_from(data, 4)[0]
        is_link = first in (rt.RTM_NEWLINK, rt.RTM_DELLINK) and data[16] != AF_INET6
        masked = data if is_link else mask_ages(data)
        return [outcome(head[1], payload) for head, payload in wire.messages(masked)]

    def step(self, label: str, type: int, body: bytes, flags: int = 0) -> None:
        """Send a request that changes something. Log its result and the notifications."""
        answers = self.answers(type, body, ACK | flags)
        events = self.events()
        if body[0] == AF_INET6 and type == rt.RTM_NEWADDR and answers == ["ok"]:
            events += self._announcement(events)
        self.log(label, [*answers, "=>", *events])

    def _announcement(self, events: list[str]) -> list[str]:
        """Wait for the announcement of a new IPv6 address and for its routes. Return the messages."""
        more: list[str] = []
        self.listener.settimeout(PATIENCE)
        with contextlib.suppress(TimeoutError):
            while not any(each.startswith(f"{rt.RTM_NEWADDR} ") for each in (*events, *more)):
                more += self._parts(self.listener.recv(65536))
        self.listener.settimeout(None)
        # The work item that announces the address also adds its routes, under the RTNL lock. This request
        # waits for the lock.
        self.quietly(rt.RTM_SETLINK, rt.IfInfoMsg(index=LO).pack())
        return more + self.events()

    def show(self, label: str, family: int = 0) -> None:
        """Log all routes."""
        head = route(family=family or self.family, proto=0, type=0, table=0)
        self.log(label, self.answers(rt.RTM_GETROUTE, head, DUMP))

    def addresses(self, label: str, family: int = 0) -> None:
        """Log all addresses."""
        self.log(label, self.answers(rt.RTM_GETADDR, rt.IfAddrMsg(family or self.family).pack(), DUMP))

    def route(self, label: str, to: str = "", flags: int = CREATE, **more: Any) -> None:
        """Add or change a route."""
        self.step(label, rt.RTM_NEWROUTE, route(to, **{"family": self.family, **more}), flags)

    def unroute(self, label: str, to: str = "", **more: Any) -> None:
        """Delete a route and log the notifications. By default, the request selects it only by family, prefix
        and table.
        """
        defaults = {"family": self.family, "proto": 0, "type": 0, "scope": NOWHERE}
        self.step(label, rt.RTM_DELROUTE, route(to, **{**defaults, **more}))

    def up(self, *indexes: int) -> None:
        """Set links up, and log nothing."""
        for index in indexes or (LO, VETH, PEER):
            self.link(index, True, log=False)
        self.events()

    def switch(self, index: int, *, up: bool) -> None:
        """Set a link up or down."""
        self.link(index, up, log=False)
        self.log(f"{index} {'up' if up else 'down'}", self.events())


def ifaddr(
    text: str, index: int = VETH, *extra: bytes, peer: str = "", scope: int = 0, flags: int = NODAD
) -> bytes:
    """Return an ifaddrmsg with its attributes."""
    data, length = prefix(text)
    family = AF_INET if len(data) == 4 else AF_INET6
    head = rt.IfAddrMsg(family, length, flags if family == AF_INET6 else 0, scope, index).pack()
    more = attr(ia.IFA_ADDRESS, packed(peer)) if peer else b""
    return head + attr(ia.IFA_LOCAL, data) + more + b"".join(extra)


def metric(value: int) -> bytes:
    """Return the attribute IFA_RT_PRIORITY, which sets the metric of an address's routes."""
    return attr(ia.IFA_RT_PRIORITY, u32(value))


def lifetimes(preferred: int, valid: int) -> bytes:
    """Return the attribute with the lifetimes of an address in seconds."""
    return attr(ia.IFA_CACHEINFO, u32(preferred) + u32(valid) + bytes(8))
