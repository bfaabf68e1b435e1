"""The same calls on descriptors on this host's kernel and on the simulated one: the same answers.

Pipes, eventfds, epoll in epoll, unix sockets with files in flight: whatever random calls make of them.
"""

from __future__ import annotations

import os
import socket
import sys
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernel.vfs.descriptor_calls import FIONREAD, SIOCOUTQ, Host, Simulated, World

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(os, "eventfd"), reason="wants a Linux to compare with"
)

EXAMPLES = int(os.environ.get("EX", "40"))
RUNS = count()
place = st.integers(0, 9)
data = st.sampled_from([b"a", b"bc", b"x" * 100, b"p" * 4096, b"q" * 4095, b"r" * 4097, b"8 bytes!", b""])
times = st.sampled_from([1, 1, 1, 1, 2, 16])
sizes = st.sampled_from([0, 1, 7, 8, 100, 4096, 5000, 70_000, 300_000])
events = st.sampled_from([1, 4, 5, 7, 0, 0x2001, 0x2005])
how = st.sampled_from([0, 0, 0, 1 << 31, 1 << 30, 1 << 28, 1 << 31 | 1 << 30, 1 << 29])
kinds = st.sampled_from([socket.SOCK_STREAM, socket.SOCK_DGRAM])
names = st.sampled_from([0, 1, 2, 3, 4, 3, 4, 5, 6, 7])
flags = st.sampled_from([0, 0, 0, socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_PEEK | socket.MSG_TRUNC])
watched = st.builds(lambda mask, more: mask | more, events, how)

anything = [
    st.tuples(st.just("close"), place),
    st.tuples(st.just("dup"), place),
    st.tuples(st.just("read"), place, sizes),
    st.tuples(st.just("read"), place, sizes),
    st.tuples(st.just("write"), place, data, times),
    st.tuples(st.just("write"), place, data, times),
    st.tuples(st.sampled_from(["flags", "mode"]), place),
    st.tuples(st.sampled_from(["pread", "lseek"]), place),
    st.tuples(st.just("queued"), place, st.sampled_from([FIONREAD, SIOCOUTQ])),
    st.tuples(st.just("poll"), st.lists(place, min_size=1, max_size=4), events),
    st.tuples(st.just("select"), st.lists(place, min_size=1, max_size=4)),
]
pipes = [
    st.tuples(st.just("pipe"), st.sampled_from([0, 0, os.O_DIRECT])),
    st.tuples(st.just("eventfd"), st.sampled_from([0, 1, 5, 0xFFFFFFFF]), st.booleans()),
    st.tuples(st.just("pipe_size"), place, st.sampled_from([0, 4096, 8192, 10_000, 65536, 1 << 20, -1])),
    st.tuples(
        st.just("write"), place, st.sampled_from([b"\xff" * 8, b"\xfe" + b"\xff" * 7, b"\1" * 8]), times
    ),
]
fifos = [
    st.tuples(st.just("fifo"), st.integers(0, 2)),
    st.tuples(st.just("open"), st.integers(0, 2), st.sampled_from([os.O_RDONLY, os.O_WRONLY, os.O_RDWR])),
    st.tuples(st.just("open"), st.integers(0, 1), st.sampled_from([os.O_RDONLY, os.O_WRONLY, os.O_RDWR])),
    st.tuples(st.just("unlink"), st.sampled_from(["pipe", "other"])),
]
epolls = [
    st.tuples(st.just("epoll")),
    st.tuples(st.just("watch"), place, place, watched),
    st.tuples(st.just("watch"), place, place, watched),
    st.tuples(st.just("change"), place, place, watched),
    st.tuples(st.just("forget"), place, place),
    st.tuples(st.just("harvest"), place, st.sampled_from([1, 2, 100])),
    st.tuples(st.just("harvest"), place, st.sampled_from([1, 2, 100])),
]
sockets = [
    st.tuples(st.just("pair"), kinds),
    st.tuples(st.just("socket"), kinds),
    st.tuples(st.sampled_from(["bind", "connect"]), place, names),
    st.tuples(st.just("listen"), place, st.sampled_from([0, 1, 5, -1])),
    st.tuples(st.just("accept"), place),
    st.tuples(st.just("shutdown"), place, st.integers(0, 3)),
    st.tuples(st.just("names"), place),
    st.tuples(
        st.just("option"),
        place,
        st.sampled_from(
            [socket.SO_TYPE, socket.SO_DOMAIN, socket.SO_ERROR, socket.SO_ACCEPTCONN, socket.SO_SNDBUF]
        ),
        st.just(0),
    ),
    st.tuples(st.just("option"), place, st.just(socket.SO_PEERCRED), st.just(12)),
    st.tuples(st.just("set_option"), place, st.just(socket.SO_SNDBUF), st.sampled_from([1, 10_000, 50_000])),
    st.tuples(st.just("set_option"), place, st.just(socket.SO_PASSCRED), st.integers(0, 1)),
    st.tuples(st.just("send"), place, data, times, st.sampled_from([0, 0, socket.MSG_NOSIGNAL])),
    st.tuples(st.just("send_to"), place, data, times, names),
    st.tuples(st.just("send_file"), place, place, data),
    st.tuples(st.just("receive"), place, sizes, flags),
    st.tuples(st.just("receive_file"), place, sizes, st.sampled_from([0, 16, 20, 24, 100]), flags),
]


def stories(beginning: list[tuple[Any, ...]], *calls: Any) -> Any:
    return st.lists(st.one_of(*calls), min_size=4, max_size=30).map(lambda rest: [*beginning, *rest])


def compare(calls: list[tuple[Any, ...]]) -> None:
    run = next(RUNS)
    real, simulated = World(Host(), run).run(calls), World(Simulated(), run).run(calls)
    for number, asked, there, here in zip(range(len(calls)), calls, real, simulated, strict=True):
        assert here == there, f"call {number}, {asked}: simulated {here!r}, real {there!r}"


@settings(max_examples=EXAMPLES, deadline=None)
@given(stories([("pipe", 0), ("eventfd", 0, False)], *pipes, *anything))
def test_pipes_and_eventfds(calls: list[tuple[Any, ...]]) -> None:
    compare(calls)


@settings(max_examples=EXAMPLES, deadline=None)
@given(stories([("fifo", 0), ("fifo", 1), ("epoll",)], *fifos, *fifos, *anything, *epolls[:3]))
def test_named_pipes(calls: list[tuple[Any, ...]]) -> None:
    compare(calls)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    stories(
        [("epoll",), ("pipe", 0), ("eventfd", 0, False), ("epoll",)], *epolls, *epolls, *anything, *pipes[:2]
    )
)
def test_epoll(calls: list[tuple[Any, ...]]) -> None:
    compare(calls)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    stories(
        [("pair", socket.SOCK_STREAM), ("pair", socket.SOCK_DGRAM), ("socket", socket.SOCK_STREAM)],
        *sockets, *sockets, *anything, *epolls[:3], *pipes[:1],
        st.tuples(st.just("unlink"), st.sampled_from(["one", "two"])), *fifos[:1],
    )
)  # fmt: skip
def test_unix_sockets(calls: list[tuple[Any, ...]]) -> None:
    compare(calls)
