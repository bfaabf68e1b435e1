"""A program that makes random calls in any order and ignores their errors."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, ClassVar, Final

import attrs

from simkernel.application.program import Image
from simkernel.uapi import netlink as nl
from simkernel.uapi import socket as so
from simkernel.uapi.errno import EBADF, error_name
from simkernel.uapi.fcntl import F_DUPFD, F_GETFL, F_SETFL, O_NONBLOCK
from simkernel.uapi.sched import CLONE_NEWNET
from simkernel.uapi.wait import WNOHANG
from tests.conformance.live import values
from tests.fuzz import requests

PROTOCOLS: Final = (
    nl.NETLINK_GENERIC,
    nl.NETLINK_GENERIC,
    nl.NETLINK_GENERIC,
    nl.NETLINK_USERSOCK,
    nl.NETLINK_USERSOCK,
    nl.NETLINK_ROUTE,
    nl.NETLINK_KOBJECT_UEVENT,
    requests.HELLO,
)
MAX_CHILDREN: Final = 6
"""A caller (a program that makes random calls) starts another caller only if fewer callers than this number
run.
"""
MODULES: Final = ("hello", "camera", "mouse", "devclass", "nosuch")


def fork(app: Any, program: Any, name: str) -> Any:
    """Make the system call fork(2). The child runs `program`."""
    return app.call("fork", Image(app._system, program, (), {}, name))


MULTIPLY: Final[dict[str, Callable[..., Any]]] = {
    "fork": fork,
    "fork_exec": lambda app, program, name: app.spawn(program, name=name),
    "clone_thread": lambda app, program, name: app.thread(program, name=name),
}
"""System calls that create a task, each as a function that makes the call."""

Arguments = tuple[Any, ...]


@attrs.define
class Plan:
    """State that the callers of a session share: remaining messages, tasks and counts of results."""

    left: int
    families: requests.Families
    callers: set[object] = attrs.field(factory=set)
    """Tasks that run callers. A name does not identify a task, because a caller can change the name of its
    task.
    """
    results: Counter[str] = attrs.field(factory=Counter)

    @contextmanager
    def calling(self, task: object) -> Iterator[None]:
        """Keep `task` in the set of callers while the body of the `with` statement runs."""
        self.callers.add(task)
        try:
            yield
        finally:
            self.callers.remove(task)


class Caller:
    """A program that makes random calls and remembers the descriptors that it has seen."""

    devices: ClassVar[bool] = False
    """True if the session should plug in devices before this program starts."""

    def __init__(self, plan: Plan, random: Random) -> None:
        self.plan = plan
        self.random = random
        self.protocols: dict[int, int] = {}
        """Protocol of each descriptor that the program has opened."""

    async def run(self, app: Any) -> None:
        """Make calls until the session has sent all its messages."""
        with self.plan.calling(app.owner):
            while self.plan.left > 0:
                await self._one(app)

    async def _one(self, app: Any) -> None:
        name, arguments = self.draw()
        if name in MULTIPLY:
            await self._multiply(app, name)
            return
        try:
            result = await app.call(name, *arguments)
        except OSError as error:
            self.plan.results[f"{name} {error_name(error.errno or 0)}"] += 1
            if error.errno == EBADF and isinstance(arguments[0], int):
                self.protocols.pop(arguments[0], None)
        else:
            self.plan.results[name] += 1
            self.remember(name, arguments, result)

    def draw(self) -> tuple[str, Arguments]:
        """Return a random call: its name and arguments."""
        name, draw = self.random.choices(CALLS, WEIGHTS)[0]
        return name, draw(self)

    def remember(self, name: str, arguments: Arguments, result: Any) -> None:
        """Remember the result of a call, such as a new descriptor."""
        if name == "socket":
            self.protocols[result] = arguments[2]

    async def _multiply(self, app: Any, name: str) -> None:
        """Start another process or thread that makes random calls."""
        if len(self.plan.callers) < MAX_CHILDREN:
            other = type(self)(self.plan, Random(self.random.random()))
            other.protocols = dict(self.protocols)
            try:
                await MULTIPLY[name](app, other.run, name="caller")
            except OSError as error:
                self.plan.results[f"{name} {error_name(error.errno or 0)}"] += 1

    # -- arguments ------------------------------------------------------------

    def descriptor(self) -> int:
        """Return a descriptor, mostly one that the program has opened."""
        if self.protocols and self.random.random() < 0.95:
            return self.random.choice(tuple(self.protocols))
        return self.random.choice((-1, 0, 3, 4, 5, 1023, 1024, 2**31 - 1))

    def address(self) -> tuple[int, int] | bytes | None:
        """Return a port id with groups, the bytes of any sockaddr, or None."""
        random = self.random
        pick = random.random()
        if pick < 0.1:
            return None
        if pick < 0.2:
            return random.randbytes(random.choice((0, 1, 2, 8, 11, 12, 13, 128, 200)))
        if pick < 0.3:
            return struct.pack("<HHII", 16, 0, random.choice(values.PORTS), random.choice((0, 1, 0xFFFFFFFF)))
        portid = random.choice((0, 0, 0, *values.PORTS, random.randrange(1, 30)))
        return portid, random.choice((0, 0, 0, *values.GROUP_MASKS))

    def flags(self) -> int:
        """Return message flags, nearly always with MSG_DONTWAIT. Without this flag, a caller can block until
        the session kills it.
        """
        random = self.random
        flags = 0 if random.random() < 0.01 else so.MSG_DONTWAIT
        if random.random() < 0.2:
            flags |= random.choice(values.SEND_FLAGS + values.RECEIVE_FLAGS)
        return flags


def _socket(c: Caller) -> Arguments:
    random = c.random
    if random.random() < 0.05:
        return tuple(random.choice((0, 1, 2, 3, 16, 17, 32, -1, 2**31 - 1)) for _ in range(3))
    kind = random.choice((so.SOCK_RAW, so.SOCK_DGRAM)) | random.choice(values.TYPE_FLAGS)
    return so.AF_NETLINK, kind, random.choice(PROTOCOLS)


def _address(c: Caller) -> Arguments:
    address = c.address()
    return c.descriptor(), (0, 0) if address is None else address


def _sendto(c: Caller) -> Arguments:
    c.plan.left -= 1
    fd = c.descriptor()
    data = requests.datagram(c.random, c.protocols.get(fd, 0), c.plan.families)
    return fd, data, c.flags(), (0, 0) if c.random.random() < 0.8 else c.address()


def _sendmsg(c: Caller) -> Arguments:
    fd, data, flags, address = _sendto(c)
    random = c.random
    control = [
        (
            random.choice((so.SOL_SOCKET, so.SOL_SOCKET, so.SOL_NETLINK, 0)),
            random.choice((so.SCM_CREDENTIALS, so.SCM_RIGHTS, 99)),
            random.choice(
                (struct.pack("<iII", random.randrange(30), 0, 0), random.randbytes(random.randrange(20)))
            ),
        )
        for _ in range(random.choice((0, 1, 1, 2)))
    ]
    return fd, data, control, flags, address


def _recvfrom(c: Caller) -> Arguments:
    return c.descriptor(), c.random.choice(values.READS), c.flags()


def _recvmsg(c: Caller) -> Arguments:
    return c.descriptor(), c.random.choice(values.READS), c.random.choice(values.CONTROLLENS), c.flags()


def _setsockopt(c: Caller) -> Arguments:
    random = c.random
    pick = random.random()
    if pick < 0.3:
        group = random.choice(values.GROUPS + values.ODD_GROUPS)
        return c.descriptor(), so.SOL_NETLINK, random.choice(values.MEMBERSHIPS), struct.pack("<i", group)
    if pick < 0.5:
        return (
            c.descriptor(),
            so.SOL_NETLINK,
            random.choice(values.SWITCHES),
            struct.pack("<i", random.randrange(2)),
        )
    if pick < 0.7:
        size = struct.pack("<i", random.choice(values.BUFFERS))
        return c.descriptor(), so.SOL_SOCKET, random.choice((so.SO_RCVBUF, so.SO_SNDBUF)), size
    level = random.choice((so.SOL_SOCKET, so.SOL_SOCKET, so.SOL_NETLINK, 0, -1))
    return (
        c.descriptor(),
        level,
        random.randrange(-1, 100),
        random.randbytes(random.choice((0, 1, 4, 4, 8, 16))),
    )


def _getsockopt(c: Caller) -> Arguments:
    level = c.random.choice((so.SOL_SOCKET, so.SOL_NETLINK, 0))
    return c.descriptor(), level, c.random.randrange(-1, 100), c.random.choice((*values.LENGTHS, -1))


def _poll(c: Caller) -> Arguments:
    watched = [(c.descriptor(), c.random.choice(values.POLL_MASKS)) for _ in range(c.random.randrange(4))]
    return watched, c.random.choice((0, 0, 0, 1000, 50_000))


def _fcntl(c: Caller) -> Arguments:
    return (
        c.descriptor(),
        c.random.choice((F_GETFL, F_SETFL, F_DUPFD, 99)),
        c.random.choice((0, O_NONBLOCK, -1)),
    )


def _module(c: Caller) -> Arguments:
    return (c.random.choice(MODULES),)


LIMITS: Final = (None, (4, 9), (64, 64), (1024, 1024))
CALLS_BY_WEIGHT: Final[tuple[tuple[str, int, Callable[[Caller], Arguments]], ...]] = (
    ("socket", 30, _socket),
    ("bind", 20, _address),
    ("connect", 10, _address),
    ("getsockname", 5, lambda c: (c.descriptor(),)),
    ("getpeername", 5, lambda c: (c.descriptor(),)),
    ("sendto", 300, _sendto),
    ("sendmsg", 40, _sendmsg),
    ("recvfrom", 150, _recvfrom),
    ("recvmsg", 100, _recvmsg),
    ("setsockopt", 60, _setsockopt),
    ("getsockopt", 30, _getsockopt),
    ("listen", 1, lambda c: (c.descriptor(), 1)),
    ("shutdown", 1, lambda c: (c.descriptor(), 2)),
    ("poll", 20, _poll),
    ("close", 25, lambda c: (c.descriptor(),)),
    ("dup", 8, lambda c: (c.descriptor(),)),
    ("dup2", 4, lambda c: (c.descriptor(), c.random.choice((3, 7, 30, 1024, -1)))),
    ("fcntl", 5, _fcntl),
    ("ioctl", 3, lambda c: (c.descriptor(), c.random.choice((0x5421, 0x541B, 99)), c.random.randrange(2))),
    ("getpid", 2, lambda c: ()),
    ("nanosleep", 25, lambda c: (c.random.choice((0, 1000, 100_000, 4_000_000, 20_000_000)),)),
    ("sched_yield", 5, lambda c: ()),
    ("compute", 5, lambda c: (c.random.choice((0, 100, 10_000)),)),
    (
        "prlimit",
        1,
        lambda c: (c.random.choice((6, 7)), c.random.choice((None, (4, 9), (64, 64), (1024, 1024)))),
    ),
    ("setuid", 1, lambda c: (c.random.choice((0, 1000)),)),
    ("unshare", 1, lambda c: (CLONE_NEWNET,)),
    ("setns", 2, lambda c: (c.descriptor(), c.random.choice((0, CLONE_NEWNET, 1)))),
    ("kill", 2, lambda c: (c.random.randrange(-1, 40), c.random.choice((0, 9, 15, 17, 99)))),
    ("rt_sigaction", 2, lambda c: (c.random.choice((15, 17, 9, 99)), c.random.choice((0, 1)))),
    ("wait4", 5, lambda c: (-1, WNOHANG)),
    ("exit", 1, lambda c: (c.random.randrange(3),)),
    ("fork", 2, lambda c: ()),
    ("fork_exec", 4, lambda c: ()),
    ("clone_thread", 3, lambda c: ()),
    ("finit_module", 2, _module),
    ("delete_module", 2, _module),
    ("no_such_call", 1, lambda c: ()),
)
CALLS: Final = [(name, draw) for name, _, draw in CALLS_BY_WEIGHT]
WEIGHTS: Final = [weight for _, weight, _ in CALLS_BY_WEIGHT]
