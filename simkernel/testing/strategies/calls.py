"""Strategies for programs that are sequences of system calls.

A drawn call has placeholders for descriptors.  `_Writer` replaces each placeholder by an open descriptor.
If none is open, it inserts a call that opens one.  So any sublist of drawn calls is a valid program, and
hypothesis can remove any call when it shrinks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simkernel.testing.strategies.sequences import sequences
from simkernel.testing.syscalls import Fd, Syscall, SyscallProgram
from simkernel.uapi import fcntl
from simkernel.uapi import netlink as nl
from simkernel.uapi import socket as so
from simkernel.uapi.genetlink import GENL_ID_CTRL

ANY: Final = ""
"""A kind of placeholder: any open descriptor can replace it."""
SAME: Final = "same"
"""A kind that stands for the kind of the duplicated descriptor. It is the kind of dup(2)'s result.
"""

Drawn = tuple[str, tuple[Any, ...], tuple[str, ...]]
"""A call with placeholders: its name, its arguments, and the kinds of the descriptors that it returns."""


@attrs.frozen
class Place:
    """A placeholder for an open descriptor of the kind `kind`. `number` selects one of the open descriptors
    of this kind.
    """

    kind: str
    number: int


def descriptor(kind: str = ANY) -> SearchStrategy[Place]:
    """Return a strategy for a placeholder: an argument that becomes an open descriptor of this kind."""
    return st.integers(0, 7).map(lambda number: Place(kind, number))


def syscall(name: str, *arguments: Any, returns: Sequence[str] = ()) -> SearchStrategy[Drawn]:
    """Return a strategy for a system call. Each argument is a value or a strategy.

    `returns` are the kinds of the descriptors that the call returns.
    """
    drawn = [each if isinstance(each, SearchStrategy) else st.just(each) for each in arguments]
    return st.tuples(st.just(name), st.tuples(*drawn), st.just(tuple(returns)))


FILE, NETLINK, PAIR, EPOLL = "file", "netlink", "pair", "epoll"
SIZES: Final = st.integers(0, 64)
DATA: Final = st.binary(max_size=8)
PORTS: Final = st.integers(0, 3)
GROUPS: Final = st.integers(1, 3).map(lambda group: group.to_bytes(4, "little"))
PROTOCOLS: Final = st.sampled_from([nl.NETLINK_GENERIC, nl.NETLINK_USERSOCK, nl.NETLINK_KOBJECT_UEVENT])
ACCESS: Final = st.sampled_from(
    [mode | fcntl.O_NONBLOCK for mode in (fcntl.O_RDWR, fcntl.O_RDONLY, fcntl.O_WRONLY)]
)
TEMPORARY: Final = "/tmp/a"
POLL: Final = st.lists(st.tuples(descriptor(), st.sampled_from([1, 4, 5])), max_size=3)
FAMILIES: Final = st.just(
    nl.message(GENL_ID_CTRL, b"\x03\x02\x00\x00", flags=nl.NLM_F_REQUEST | nl.NLM_F_DUMP)
)
"""A request for a dump of all generic netlink families (CTRL_CMD_GETFAMILY)."""

CALLS: Final[tuple[SearchStrategy[Drawn], ...]] = (
    syscall("eventfd2", PORTS, fcntl.O_NONBLOCK, returns=[FILE]),
    syscall("memfd_create", "memory", 0, returns=[FILE]),
    syscall("openat", fcntl.AT_FDCWD, TEMPORARY, fcntl.O_RDWR | fcntl.O_CREAT, 0o600, returns=[FILE]),
    syscall("unlinkat", fcntl.AT_FDCWD, TEMPORARY, 0),
    syscall("pipe2", fcntl.O_NONBLOCK, returns=[PAIR, PAIR]),
    syscall("socketpair", so.AF_UNIX, so.SOCK_STREAM | so.SOCK_NONBLOCK, 0, returns=[PAIR, PAIR]),
    syscall("socketpair", so.AF_UNIX, so.SOCK_DGRAM | so.SOCK_NONBLOCK, 0, returns=[PAIR, PAIR]),
    syscall("socket", so.AF_NETLINK, so.SOCK_RAW | so.SOCK_NONBLOCK, PROTOCOLS, returns=[NETLINK]),
    syscall("epoll_create1", 0, returns=[EPOLL]),
    syscall("dup", descriptor(), returns=[SAME]),
    syscall("close", descriptor()),
    syscall("read", descriptor(), SIZES),
    syscall("write", descriptor(), DATA),
    syscall("lseek", descriptor(FILE), st.integers(-1, 64), st.integers(0, 2)),
    syscall("ftruncate", descriptor(FILE), SIZES),
    syscall("fstat", descriptor()),
    syscall("fcntl", descriptor(), fcntl.F_GETFL),
    syscall("poll", POLL, 0),
    syscall("epoll_ctl", descriptor(EPOLL), st.integers(1, 3), descriptor(), st.sampled_from([1, 4, 5]), 0),
    syscall("epoll_wait", descriptor(EPOLL), 8, 0),
    syscall("bind", descriptor(NETLINK), st.tuples(PORTS, PORTS)),
    syscall("connect", descriptor(NETLINK), st.tuples(PORTS, PORTS)),
    syscall("getsockname", descriptor(NETLINK)),
    syscall("recvfrom", descriptor(NETLINK), st.sampled_from([0, 64, 8192]), 0),
    syscall(
        "setsockopt", descriptor(NETLINK), so.SOL_NETLINK,
        st.sampled_from([nl.NETLINK_ADD_MEMBERSHIP, nl.NETLINK_DROP_MEMBERSHIP]), GROUPS,
    ),
    syscall("nanosleep", st.integers(0, 1_000_000)),
    syscall("sched_yield"),
    syscall("getpid"),
)  # fmt: skip


OPENERS: Final[Mapping[str, Drawn]] = {
    NETLINK: ("socket", (so.AF_NETLINK, so.SOCK_RAW | so.SOCK_NONBLOCK, nl.NETLINK_GENERIC), (NETLINK,)),
    PAIR: ("pipe2", (fcntl.O_NONBLOCK,), (PAIR, PAIR)),
    EPOLL: ("epoll_create1", (0,), (EPOLL,)),
}
"""For each kind of descriptor, the system call that opens one. The call is inserted if a program needs a
descriptor of this kind and has none open. For a kind without an entry, openat is inserted.
"""


def syscall_programs(
    *,
    paths: Sequence[str] = ("/dev/null", "/dev/zero"),
    messages: SearchStrategy[bytes] = FAMILIES,
    others: Iterable[SearchStrategy[Drawn]] = (),
    max_size: int = 16,
) -> SearchStrategy[SyscallProgram]:
    """Return a strategy for programs of system calls on open descriptors.  No call blocks forever.

    paths     files that the programs open with O_NONBLOCK, such as the device nodes of your driver
    messages  messages that they send to the kernel over netlink, such as `datagrams(spec, family_id)`
    others    more calls, made by `syscall`, such as ioctls
    """
    opener: Drawn = ("openat", (fcntl.AT_FDCWD, paths[0], fcntl.O_RDWR | fcntl.O_NONBLOCK), (FILE,))
    calls = [
        *CALLS,
        *others,
        syscall("openat", fcntl.AT_FDCWD, st.sampled_from(paths), ACCESS, returns=[FILE]),
        syscall("sendto", descriptor(NETLINK), messages, 0, (0, 0)),
    ]
    return sequences(st.one_of(calls), max_size).map(lambda drawn: _Writer(opener).program(drawn))


class _Writer:
    """Converts system calls that hypothesis has drawn to a program: it replaces each placeholder with a
    descriptor.
    """

    def __init__(self, opener: Drawn) -> None:
        self._opener = opener
        self._calls: list[Syscall] = []
        self._kinds: dict[Fd, str] = {}
        """Maps the name of each open descriptor to its kind, such as "netlink"."""
        self._number = 0

    def program(self, drawn: Iterable[Drawn]) -> SyscallProgram:
        """Return a program of the system calls that hypothesis has drawn, with a descriptor for each
        placeholder.
        """
        for call in drawn:
            self._add(call)
        return SyscallProgram(self._calls)

    def _add(self, call: Drawn) -> tuple[Fd, ...]:
        name, places, kinds = call
        arguments = self._filled_in(places)
        fds = tuple(Fd(f"fd{self._number + index}") for index in range(len(kinds)))
        self._number += len(fds)
        for fd, kind in zip(fds, kinds, strict=True):
            self._kinds[fd] = self._kinds[arguments[0]] if kind == SAME else kind
        if name == "close":
            del self._kinds[arguments[0]]
        self._calls.append(Syscall(name, arguments, fds))
        return fds

    def _filled_in(self, value: Any) -> Any:
        if isinstance(value, Place):
            fds = tuple(fd for fd, kind in self._kinds.items() if value.kind in (ANY, kind))
            fds = fds or self._add(OPENERS.get(value.kind, self._opener))
            return fds[value.number % len(fds)]
        if isinstance(value, tuple | list):
            return type(value)(map(self._filled_in, value))
        return value
