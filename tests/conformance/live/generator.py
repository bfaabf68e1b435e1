"""Generator of random programs: a few sockets, and all calls on them.

Each program has a theme, which makes some steps frequent. So floods meet small buffers, dumps are read in
pieces, and options change during both.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import Any, Final

from simkernel.uapi import netlink as nl
from simkernel.uapi import socket as so
from tests.conformance.live import messages, values
from tests.conformance.live.areas import Scope
from tests.conformance.live.filters import keeping
from tests.conformance.live.options import (
    attach_filter,
    bind_to_device,
    buffer,
    forbidden,
    getsockopt,
    lock_filter,
    membership,
    peer_name,
    setsockopt,
    switch,
)
from tests.conformance.live.steps import PID, Port, Program, Step
from tests.conformance.live.themes import GENERIC, THEMES, USERSOCK

MAX_SOCKETS: Final = 5
BUFFER_SIZE: Final = 65536
LENGTHS: Final = (15, 30, 60, 120, 240)
"""Approximate numbers of steps. The generator chooses one of them for each program."""

REFUSED: Final = (("listen", (1,)), ("listen", (-1,)), ("accept", ()), ("shutdown", (0,)), ("shutdown", (9,)))

Rule = Callable[["Generator"], None]


class Generator:
    """Generator of one program. It tracks the sockets that exist, but not their states."""

    def __init__(self, random: Random, *, privileged: bool, scope: Scope) -> None:
        self.random = random
        self.may_be_privileged = privileged
        self.netdev = scope.netdev
        self._polls = "poll" not in scope.without_rules
        self.steps: list[Step] = []
        self.protocol: dict[int, int] = {}
        """Protocol of each open socket, by the socket's number in the program (slot)."""
        themes = tuple(THEMES.values())
        (self._theme,) = random.choices(themes, [theme.share for theme in themes])
        self._protocols = [each for each in self._theme.protocols if each in scope.protocols]
        self._protocols = self._protocols or list(scope.protocols)
        names = [name for name in RULES if name not in scope.without_rules]
        self._rules = [RULES[name] for name in names]
        self._weights = [self._theme.weights.get(name, RARE.get(name, 1)) for name in names]

    def program(self) -> Program:
        """Generate all steps of a program."""
        random = self.random
        if not (self.may_be_privileged and random.random() < 0.7):
            self.add("become", 0, False)
        for _ in range(random.randrange(2, MAX_SOCKETS + 1)):
            socket(self)
        for rule in random.choices(self._rules, self._weights, k=random.choice(LENGTHS)):
            if self.protocol or rule is socket:
                rule(self)
        return tuple(self.steps)

    def add(self, call: str, slot: int, *arguments: Any) -> None:
        """Append a step."""
        self.steps.append(Step(call, slot, arguments))

    def slot(self) -> int:
        """Return the number (slot) of a random open socket of the program."""
        return self.random.choice(tuple(self.protocol))

    def peer(self, slot: int) -> int:
        """Return the number (slot) of a random open socket with the same protocol as the socket `slot`. This
        can be `slot` itself.
        """
        same = [each for each, protocol in self.protocol.items() if protocol == self.protocol[slot]]
        return self.random.choice(same)

    def in_company(self) -> bool:
        """Return True if the next step should use a multicast group. The program's theme (its weights) sets
        the probability.
        """
        return self.random.random() < self._theme.company

    def wants_extack(self) -> bool:
        """Return True if the program should enable extended ACKs or strict checks on a socket. The program's
        theme (its weights) sets the probability.
        """
        return self.random.random() < self._theme.extack

    def protocol_to_open(self) -> int:
        """Return the protocol of the next socket to open."""
        return self.random.choice(self._protocols)

    def learn_name(self, slot: int) -> None:
        """Read a socket's port id, which the kernel may just have chosen."""
        self.add("getsockname", slot)

    def poll(self, slot: int) -> None:
        """Poll a socket, if results of poll(2) are compared."""
        if self._polls:
            self.add("poll", slot, self.random.choice(values.POLL_MASKS))


# -- sockets ------------------------------------------------------------------


def socket(g: Generator) -> None:
    """Open a socket, mostly with valid arguments. Sometimes, the new socket replaces an open one."""
    random = g.random
    slot = random.randrange(MAX_SOCKETS)
    if random.random() < 0.15:
        family = random.choice((so.AF_NETLINK, so.AF_NETLINK, so.AF_NETLINK, so.AF_MAX, 1000, 255))
        type = random.choice(values.TYPES * 4 + values.ODD_TYPES)
        type |= random.choice((*values.ODD_TYPE_FLAGS, *(0,) * 9))
        g.add("socket", MAX_SOCKETS + 1, family, type, random.choice((*values.ODD_PROTOCOLS, USERSOCK)))
        return
    protocol = g.protocol_to_open()
    type = random.choice(values.TYPES) | random.choice(values.TYPE_FLAGS)
    g.add("socket", slot, so.AF_NETLINK, type, protocol)
    g.protocol[slot] = protocol
    if random.random() < 0.75:
        g.add("bind", slot, values.address(random, MAX_SOCKETS))
        g.learn_name(slot)
    if g.in_company():
        g.add("setsockopt", slot, so.SOL_NETLINK, nl.NETLINK_ADD_MEMBERSHIP, random.choice(values.GROUPS))
    for option in (nl.NETLINK_EXT_ACK, nl.NETLINK_GET_STRICT_CHK):
        if g.wants_extack():
            g.add("setsockopt", slot, so.SOL_NETLINK, option, 1)


def close(g: Generator) -> None:
    """Close a socket, unless it is the only one."""
    if len(g.protocol) > 1:
        slot = g.slot()
        g.add("close", slot)
        del g.protocol[slot]


def dup(g: Generator) -> None:
    """Duplicate a socket. The duplicate can replace another open socket."""
    slot, other = g.slot(), g.random.randrange(MAX_SOCKETS)
    if slot != other:
        g.add("dup", slot, other)
        g.protocol[other] = g.protocol[slot]


def become(g: Generator) -> None:
    """Drop or regain privilege."""
    if g.may_be_privileged:
        g.add("become", 0, g.random.random() < 0.6)


# -- addresses ----------------------------------------------------------------


def bind(g: Generator) -> None:
    """Bind a socket (bind(2)) and read its address."""
    slot = g.slot()
    g.add("bind", slot, values.address(g.random, MAX_SOCKETS))
    g.learn_name(slot)


def connect(g: Generator) -> None:
    """Connect a socket (connect(2)) and read both addresses."""
    slot = g.slot()
    g.add("connect", slot, values.address(g.random, MAX_SOCKETS))
    g.learn_name(slot)
    g.add("getpeername", slot)


def raw(g: Generator) -> None:
    """Call bind(2) or connect(2) with a sockaddr of any length and family."""
    random = g.random
    slot = g.slot()
    if random.random() < 0.4:
        g.add("socket", slot, so.AF_NETLINK, so.SOCK_RAW, g.protocol[slot])
    odd = random.choice((so.AF_UNSPEC, so.AF_UNSPEC, so.AF_INET, 1, 17, 0xFFFF))
    family = odd if random.random() < 0.3 else so.AF_NETLINK
    whole = struct.pack(
        "<HHII",
        family,
        random.choice((0, 0xFFFF)),
        random.choice((0, *values.PORTS, *values.PORTS[:2] * 5)),
        random.choice((0, *values.GROUP_MASKS)),
    )
    size = random.choice((0, 1, 2, 3, 8, 11, 13, 32, 128, 129)) if random.random() < 0.4 else 12
    call, sockaddr = random.choice(("bind", "connect")), whole.ljust(size, b"\0")[:size]
    g.add("raw_call", slot, call, sockaddr)
    g.learn_name(slot)
    if random.random() < 0.6 and (other := g.peer(slot)) != slot:
        g.add("socket", other, so.AF_NETLINK, so.SOCK_RAW, g.protocol[slot])
        g.add("raw_call", other, call, sockaddr)
        g.learn_name(other)


def names(g: Generator) -> None:
    """Read the address of a socket or of its peer (getsockname(2), getpeername(2))."""
    g.add(g.random.choice(("getsockname", "getpeername")), g.slot())


def refused(g: Generator) -> None:
    """Make a call that netlink does not support."""
    call, arguments = g.random.choice(REFUSED)
    g.add(call, g.slot(), *arguments)


def mode(g: Generator) -> None:
    """Make a socket blocking or non-blocking. (Calls that can block pass MSG_DONTWAIT anyway.)"""
    slot = g.slot()
    g.add("setblocking", slot, g.random.random() < 0.5)
    g.add("gettimeout", slot)


# -- sending --------------------------------------------------------------------


def _flags(g: Generator, choices: tuple[int, ...]) -> int:
    flags = so.MSG_DONTWAIT
    if g.random.random() < 0.12:
        flags |= g.random.choice(choices)
    return flags


def _destination(g: Generator, slot: int) -> tuple[Any, int]:
    """Return a destination (port id, groups): often the kernel, or another socket on NETLINK_USERSOCK."""
    random = g.random
    if g.in_company():
        return random.choice((0, 0, Port(g.peer(slot)))), random.choice(values.GROUP_MASKS)
    if g.protocol[slot] != USERSOCK and random.random() < 0.85:
        return 0, 0
    if random.random() < 0.85:
        return Port(g.peer(slot)), 0
    return values.address(random, MAX_SOCKETS)


def _payload(g: Generator, protocol: int) -> bytes:
    make = messages.MAKERS.get(protocol)
    pick = g.random.random()
    if pick < 0.08:
        return values.odd_size(g.random)
    if make is None or pick < 0.12:
        return values.blob(g.random)
    if make is messages.generic and not g.netdev:
        make = messages.nlctrl
    return messages.datagram(g.random, make)


def _credentials(g: Generator) -> tuple[Any, ...]:
    """Return control messages to send: true and false credentials, and invalid messages."""
    random = g.random
    pid = random.choice((PID, PID, PID, 1, 0, -1, 2**22 + 1))
    uid, gid = (random.choice((0, 65534, 1000, 2**32 - 1)) for _ in range(2))
    claim = (so.SOL_SOCKET, so.SCM_CREDENTIALS, (pid, uid, gid))
    odd = (
        random.choice((so.SOL_SOCKET, so.SOL_SOCKET, so.SOL_NETLINK, 0)),
        random.choice((so.SCM_RIGHTS, so.SCM_CREDENTIALS, so.SCM_PIDFD, so.SCM_SECURITY, 99)),
        bytes(random.choice((0, 4, 8, 11, 13, 16))),
    )
    return random.choice(((), (claim,), (claim,), (odd,), (claim, claim), (odd, claim)))


def send(g: Generator) -> None:
    """Send a message with send(2), sendto(2) or sendmsg(2)."""
    random = g.random
    slot = g.slot()
    protocol = g.protocol[slot]
    data = _payload(g, protocol)
    flags = _flags(g, values.SEND_FLAGS)
    pick = random.random()
    if pick < 0.65:
        g.add("sendto", slot, data, flags, _destination(g, slot))
    elif pick < 0.82:
        g.add("send", slot, data, flags)
    else:
        cut = sorted(random.randrange(len(data) + 1) for _ in range(2))
        pieces = (data[: cut[0]], data[cut[0] : cut[1]], data[cut[1] :])
        address = _destination(g, slot) if random.random() < 0.8 else None
        g.add("sendmsg", slot, pieces, _credentials(g), flags, address)
    g.learn_name(slot)


def ask(g: Generator) -> None:
    """Send a request to the kernel and read the reply completely."""
    slot = g.slot()
    data = _payload(g, g.protocol[slot])
    g.add("sendto", slot, data, so.MSG_DONTWAIT, (0, 0))
    g.add("drain", slot, BUFFER_SIZE, 0, so.MSG_DONTWAIT)


def flood(g: Generator) -> None:
    """Send one datagram 3 to 40 times, which can overrun the receive queue."""
    random = g.random
    slot = g.slot()
    data = _payload(g, g.protocol[slot])
    count = random.choice((3, 8, 15, 20, 40))
    address = _destination(g, slot)
    to = address[0]
    if isinstance(to, Port) and to.slot in g.protocol and random.random() < 0.7:
        g.add("bind", to.slot, (0, 0))
        g.learn_name(to.slot)
    connected = random.random() < 0.2
    if connected:
        g.add("connect", slot, address)
    g.add("flood", slot, count, data, so.MSG_DONTWAIT, address)
    if connected:
        g.add("send", slot, data, so.MSG_DONTWAIT)
        g.add("sendmsg", slot, (data,), (), so.MSG_DONTWAIT, address)
    g.learn_name(slot)


def overrun(g: Generator) -> None:
    """Overrun the receive queue of a socket, then read its error and messages."""
    random = g.random
    slot = g.slot()
    protocol = g.protocol[slot]
    g.add("setsockopt", slot, so.SOL_SOCKET, so.SO_RCVBUF, random.choice((0, 0, 0, 1300, 1300, 4096)))
    for option, often in ((nl.NETLINK_NO_ENOBUFS, 0.65), (nl.NETLINK_EXT_ACK, 0.4)):
        if random.random() < often:
            g.add("setsockopt", slot, so.SOL_NETLINK, option, 1)
    count = random.choice((1, 1, 1, 2, 2, 3, 4, 20))
    if protocol == USERSOCK:
        sender = g.peer(slot)
        address: tuple[Any, int] = (Port(slot), random.choice((0, 1)))
        if random.random() < 0.4:
            g.add("setsockopt", slot, so.SOL_NETLINK, nl.NETLINK_ADD_MEMBERSHIP, 1)
            address = (0, 1)
        g.add("flood", sender, count, values.blob(random), so.MSG_DONTWAIT, address)
        g.learn_name(sender)
    else:
        data = messages.ACKNOWLEDGED if random.random() < 0.7 else _payload(g, protocol)
        g.add("flood", slot, count, data, so.MSG_DONTWAIT, (0, 0))
        last = messages.answered(random, protocol) or _payload(g, protocol)
        g.add("sendto", slot, last, so.MSG_DONTWAIT, (0, 0))
    for _ in range(2):
        g.poll(slot)
    g.add("getsockopt", slot, so.SOL_SOCKET, so.SO_MEMINFO, 36)
    g.add(random.choice(("recv", "recvfrom")), slot, BUFFER_SIZE, so.MSG_DONTWAIT)
    g.add("drain", slot, BUFFER_SIZE, 0, so.MSG_DONTWAIT)


def members(g: Generator) -> None:
    """Send to a group with two members, each of which can have a filter or a small buffer. Then receive."""
    random = g.random
    slot = g.slot()
    if g.protocol[slot] != USERSOCK:
        return
    both = [g.peer(slot) for _ in range(2)]
    for each in both:
        g.add("bind", each, (0, 0))
        g.learn_name(each)
        for join in (nl.NETLINK_DROP_MEMBERSHIP, nl.NETLINK_ADD_MEMBERSHIP):
            g.add("setsockopt", each, so.SOL_NETLINK, join, 1)
        if random.random() < 0.6:
            g.add("attach_filter", each, keeping(random.choice((0, 4, 20))))
        if random.random() < 0.6:
            g.add("setsockopt", each, so.SOL_SOCKET, so.SO_RCVBUF, 0)
    g.add("flood", slot, 3, bytes(1000), so.MSG_DONTWAIT, (0, 1))
    for each in (random.choice(both), *both):
        g.add("drain", each, BUFFER_SIZE, 100, so.MSG_DONTWAIT)
        g.add("sendto", slot, values.blob(random), so.MSG_DONTWAIT, (0, 1))


def no_room(g: Generator) -> None:
    """Request a reply that is too large for the space in the queue. An error message still fits."""
    random = g.random
    slot = g.slot()
    data = messages.answered(random, g.protocol[slot])
    if data:
        # This sets the receive buffer to 2600 bytes. An error message occupies 832 of them.
        g.add("setsockopt", slot, so.SOL_SOCKET, so.SO_RCVBUF, 1300)
        for option in (nl.NETLINK_NO_ENOBUFS, nl.NETLINK_EXT_ACK):
            g.add("setsockopt", slot, so.SOL_NETLINK, option, 1)
        g.add("flood", slot, 2, messages.ACKNOWLEDGED, so.MSG_DONTWAIT, (0, 0))
        g.add("sendto", slot, data, so.MSG_DONTWAIT, (0, 0))
        g.add("drain", slot, BUFFER_SIZE, 0, so.MSG_DONTWAIT)


def two_dumps(g: Generator) -> None:
    """Start a dump while another one runs, then send a do request."""
    slot = g.slot()
    for choices in (messages.DUMPED, messages.DUMPED, messages.ANSWERED):
        data = messages.answered(g.random, g.protocol[slot], choices)
        if data:
            g.add("sendto", slot, data, so.MSG_DONTWAIT, (0, 0))
    g.add("drain", slot, BUFFER_SIZE, 0, so.MSG_DONTWAIT)


# -- receiving ------------------------------------------------------------------


def receive(g: Generator) -> None:
    """Receive with recv(2), recvfrom(2) or recvmsg(2), into large or small buffers."""
    random = g.random
    slot = g.slot()
    size = random.choice(values.READS)
    flags = _flags(g, values.RECEIVE_FLAGS)
    pick = random.random()
    if pick < 0.2:
        g.add("recv", slot, size, flags)
    elif pick < 0.4:
        g.add("recvfrom", slot, size, flags)
    else:
        g.add("recvmsg", slot, size, random.choice(values.CONTROLLENS), flags)


def drain(g: Generator) -> None:
    """Receive until the queue is empty."""
    slot, size, controllen = g.slot(), g.random.choice(values.READS), g.random.choice(values.CONTROLLENS)
    g.add("drain", slot, size, controllen, so.MSG_DONTWAIT)


def poll(g: Generator) -> None:
    """Poll a random socket (poll(2))."""
    g.poll(g.slot())


def wait(g: Generator) -> None:
    """Block in a receive or a send until the timeout of the socket or of Python."""
    random = g.random
    slot = g.slot()
    g.add("setblocking", slot, True)
    if random.random() < 0.3:
        g.add("settimeout", slot, random.choice((0.0, 0.001)))
        g.add("recv", slot, 100, 0)
        g.add("settimeout", slot, None)
        return
    for option in (so.SO_RCVTIMEO, so.SO_SNDTIMEO):
        timeout = struct.pack("<qq", 0, random.choice((1, 4000, 4001)))
        g.add("setsockopt", slot, so.SOL_SOCKET, option, timeout)
    g.add("recvmsg", slot, 100, 0, 0)
    g.add("sendto", slot, values.blob(random), 0, _destination(g, slot))
    g.learn_name(slot)


def nlctrl_program(random: Random, *, privileged: bool, messages_each: int = 200) -> Program:
    """Generate a program that sends requests to nlctrl. It reads each reply completely."""
    slot = 0
    steps = [] if privileged and random.random() < 0.5 else [Step("become", slot, (False,))]
    steps.append(Step("socket", slot, (so.AF_NETLINK, so.SOCK_RAW, GENERIC)))
    steps.append(Step("bind", slot, ((random.choice((0, *values.PORTS)), 0),)))
    steps.append(Step("getsockname", slot))
    for option in (nl.NETLINK_EXT_ACK, nl.NETLINK_CAP_ACK, nl.NETLINK_GET_STRICT_CHK):
        if random.random() < 0.5:
            steps.append(Step("setsockopt", slot, (so.SOL_NETLINK, option, 1)))
    for _ in range(messages_each):
        data = messages.datagram(random, messages.nlctrl_or_noise)
        steps.append(Step("sendto", slot, (data, so.MSG_DONTWAIT, (0, 0))))
        size = random.choice(values.READS) if random.random() < 0.1 else BUFFER_SIZE
        steps.append(Step("drain", slot, (size, 0, so.MSG_DONTWAIT)))
    return tuple(steps)


RARE: Final = {"wait": 0.4}
"""Weights of steps that take milliseconds and are therefore rare."""

RULES: Final[dict[str, Rule]] = {
    "socket": socket,
    "close": close,
    "dup": dup,
    "become": become,
    "bind": bind,
    "connect": connect,
    "raw": raw,
    "names": names,
    "refused": refused,
    "mode": mode,
    "send": send,
    "ask": ask,
    "flood": flood,
    "overrun": overrun,
    "no room": no_room,
    "members": members,
    "two dumps": two_dumps,
    "receive": receive,
    "drain": drain,
    "wait": wait,
    "poll": poll,
    "membership": membership,
    "switch": switch,
    "buffer": buffer,
    "setsockopt": setsockopt,
    "getsockopt": getsockopt,
    "filter": attach_filter,
    "lock": lock_filter,
    "peer": peer_name,
    "device": bind_to_device,
    "forbidden": forbidden,
}
