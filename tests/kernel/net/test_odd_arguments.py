"""Unusual calls and most options of unix sockets have the same results on simkernel as on this host."""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from simkernel import Machine

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="wants a Linux to compare with, and root"
)

UNIX, STREAM, DGRAM = socket.AF_UNIX, socket.SOCK_STREAM, socket.SOCK_DGRAM
QUIET, PEEK, TRUNC, OOB = socket.MSG_NOSIGNAL, socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_OOB
MEMORY = Path("/dev/shm")
ABOUT_THE_HOST = {17, 77, 13, 26, 27, 49, 50, 51, 52, 55, 57, 60, 61}
"""Options that the test omits. They need a filter program, or depend on processes, cookies or the kernel's
configuration.
"""

Steps = Iterator[tuple[str, Callable[[], object]]]


def lone(make: Any, kind: int) -> Steps:
    """Yield calls on a socket without a peer, each with a name."""
    sock = make(UNIX, kind)
    sock.setblocking(False)
    name = f"name{kind}"
    yield "recv", lambda: sock.recv(1)
    yield "send", lambda: sock.send(b"x", QUIET)
    yield "getpeername", sock.getpeername
    yield "getsockname", sock.getsockname
    yield "listen", lambda: sock.listen(1)
    yield "accept", sock.accept
    yield "shutdown", lambda: sock.shutdown(socket.SHUT_RDWR)
    yield "recv then", lambda: sock.recv(1)
    yield "send then", lambda: sock.send(b"x", QUIET)
    yield "connect to nothing", lambda: sock.connect("nothing")
    yield "connect to nobody", lambda: sock.connect(b"\0nobody is there")
    yield "bind", lambda: sock.bind(name)
    yield "bind again", lambda: sock.bind("other")
    yield "bind to nothing", lambda: sock.bind("")
    yield "connect to itself", lambda: sock.connect(name)
    yield "send to itself", lambda: sock.sendto(b"q", QUIET, name)
    yield "recv from itself", lambda: sock.recvfrom(5)
    yield "listen for many", lambda: sock.listen(-1)
    yield "listen once more", lambda: sock.listen(5)
    yield "send and listen", lambda: sock.send(b"x", QUIET)
    yield "recv and listen", lambda: sock.recv(1)
    yield "connect and listen", lambda: sock.connect(name)
    yield "shutdown and listen", lambda: sock.shutdown(socket.SHUT_RD)
    yield "accept then", sock.accept
    sock.close()


def paired(make: Any, pair: Any, kind: int) -> Steps:
    """Yield calls on the two ends of a socket pair, each with a name."""
    one, other = pair(UNIX, kind)
    for sock in (one, other):
        sock.setblocking(False)
    dgram = kind == DGRAM
    yield "connect", lambda: one.connect("nothing")
    yield "listen", lambda: one.listen(1)
    yield "accept", one.accept
    yield "bind", lambda: one.bind(f"bound{kind}")
    yield "sendto", lambda: one.sendto(b"x", QUIET, f"bound{kind}")
    yield "getpeername", other.getpeername
    yield "send", lambda: one.send(b"hello")
    yield "recvfrom", lambda: other.recvfrom(3)
    yield "the rest", lambda: other.recvfrom(10)
    yield "out of band", lambda: one.send(b"x", OOB) if dgram else None
    yield "recv that", lambda: other.recv(1, OOB) if dgram else None
    yield "too large", lambda: one.send(bytes(300_000)) if dgram else None
    yield (
        "peek",
        lambda: (one.send(b"abc"), other.recv(2, PEEK), other.recv(2, PEEK | TRUNC)[:2], other.recv(9)),
    )
    yield "cut", lambda: (one.send(b"abcdef"), other.recvmsg(2))
    yield "what was cut", lambda: other.recv(9)
    yield "nothing", lambda: (one.send(b""), other.recv(5))
    yield "shutdown anyhow", lambda: one.shutdown(9)
    yield "shutdown of reading", lambda: one.shutdown(socket.SHUT_RD)
    yield "send to it", lambda: other.send(b"x", QUIET)
    yield "recv then", lambda: one.recv(1)
    yield "shutdown of writing", lambda: one.shutdown(socket.SHUT_WR)
    yield "send then", lambda: one.send(b"x", QUIET)
    yield "recv of the other", lambda: other.recv(1)
    for option in range(90):
        if option not in ABOUT_THE_HOST:
            yield f"option {option}", lambda option=option: one.getsockopt(1, option, 12)
    yield "level 0", lambda: one.getsockopt(0, 1)
    yield "level 6", lambda: one.setsockopt(6, 1, 1)
    for option, value in ((7, 1), (8, 1), (19, 1), (18, 7)):
        yield f"set {option}", lambda at=option, to=value: (one.setsockopt(1, at, to), one.getsockopt(1, at))
    yield "a short value", lambda: one.setsockopt(1, socket.SO_PASSCRED, b"\1")
    for name, control in {
        "an unknown kind": (1, 99, b"abcd"),
        "no descriptor": (1, 1, pack("i", 9999)), "no files": (1, 1, b""),
        "half credentials": (1, 2, b"abcd"), "another level": (7, 2, b"abcd"),
        "too many": (1, 1, pack("254i", *[0] * 254)),
    }.items():  # fmt: skip
        yield name, lambda control=control: other.sendmsg([b"x"], [control], QUIET)
    yield "another kind", lambda: make(UNIX, 77)
    yield "another protocol", lambda: make(UNIX, kind, 5)
    yield "its protocol", lambda: int(make(UNIX, kind, 1).family)
    yield "raw", lambda: int(make(UNIX, socket.SOCK_RAW).type)
    yield "netlink", lambda: pair(socket.AF_NETLINK, socket.SOCK_RAW)
    yield "a folder that is not there", lambda: make(UNIX, kind).bind("/nonexistent/name")
    one.close()
    other.close()


def answers(make: Any, pair: Any) -> list[tuple[str, object]]:
    told: list[tuple[str, object]] = []
    for kind in (STREAM, DGRAM):
        for steps in (lone(make, kind), paired(make, pair, kind)):
            for name, call in steps:
                try:
                    result = call()
                except OSError as error:
                    result = errno.errorcode.get(error.errno or 0, str(error))
                told.append((f"{kind}: {name}", result))
    return told


def test_the_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder, monkeypatch.context() as patched:
        patched.chdir(folder)
        there = answers(socket.socket, socket.socketpair)
    with Machine(udev=False) as machine:
        process = machine.blocking()
        process.mkdir("/tmp/folder")
        process.chdir("/tmp/folder")
        here = answers(process.socket, process.socketpair)
    assert len(here) > 200
    for mine, theirs in zip(here, there, strict=True):
        assert mine == theirs
