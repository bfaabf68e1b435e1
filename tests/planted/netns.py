"""Planted bugs of netlink clients on the host's kernel, in a network namespace: how many show in a minute?

    python -m tests.planted.netns [SECONDS]

A client and a process that changes the links run side by side, with random pauses, until the client is wrong
or the time is over.  Only clients that need no device and no driver can be run like this, with links instead.

    python -m tests.planted.netns mock

The same clients with `unittest.mock` in place of the kernel: it answers as the author of the test expects.
"""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import repeat
from unittest.mock import MagicMock, Mock, patch

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTMGRP_LINK = 1
NLMSG_DONE, NLM_F_DUMP_INTR = 3, 0x10
IFLA_IFNAME, IFLA_LINKINFO, IFLA_INFO_KIND = 3, 18, 1
IFINFO = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
LINKS = 40


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def message(kind: int, flags: int, payload: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload


def route_socket(groups: int = 0) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    sock.bind((0, groups))
    return sock


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, flags and payload of each message."""
    while data:
        length, kind, flags = struct.unpack_from("=IHH", data)
        yield kind, flags, data[16:length]
        data = data[(length + 3) & ~3 :]


def name_of(payload: bytes) -> str:
    """The name of a link, from its message."""
    at = len(IFINFO)
    while at < len(payload):
        length, kind = struct.unpack_from("=HH", payload, at)
        if kind == IFLA_IFNAME:
            return payload[at + 4 : at + length].rstrip(b"\0").decode()
        at += (length + 3) & ~3
    raise AssertionError("a link without a name")


def change(sock: socket.socket, kind: int, name: str) -> None:
    """Create or remove a link, and wait for the acknowledgement."""
    payload = IFINFO + attribute(IFLA_IFNAME, name.encode() + b"\0")
    flags = 0x5
    if kind == RTM_NEWLINK:
        payload += attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, b"bridge\0"))
        flags |= 0x600
    sock.send(message(kind, flags, payload))
    error = struct.unpack_from("=i", sock.recv(8192), 16)[0]
    if error:
        raise OSError(-error, os.strerror(-error))


def listed(sound: bool = True) -> set[str]:
    """The names of all links.  A client that is not sound ignores NLM_F_DUMP_INTR."""
    with route_socket() as sock:
        while True:
            sock.send(message(RTM_GETLINK, 0x301, IFINFO))
            names: set[str] = set()
            interrupted = done = False
            while not done:
                for kind, flags, payload in messages(sock.recv(32768)):
                    interrupted |= bool(flags & NLM_F_DUMP_INTR)
                    done |= kind == NLMSG_DONE
                    if kind == RTM_NEWLINK:
                        names.add(name_of(payload))
            if not (sound and interrupted):
                return names


def follow(sock: socket.socket, table: set[str], other: beside, on_overrun: Callable[[], None]) -> None:
    """Apply notifications to a table until the other process has ended and none is left."""
    while not other.ended() or select.select([sock], [], [], 0)[0]:
        if not select.select([sock], [], [], 0.001)[0]:
            continue
        try:
            data = sock.recv(65536)
        except OSError:
            on_overrun()
            continue
        for kind, _, payload in messages(data):
            (table.add if kind == RTM_NEWLINK else table.discard)(name_of(payload))


def dump_interrupted(sound: bool) -> bool:
    """Return True if a dump lacks a link that was there all the time."""
    with beside(lambda sock: [change(sock, RTM_DELLINK, "d0"), change(sock, RTM_NEWLINK, "d0")]):
        names = listed(sound)
    return not {f"d{number}" for number in range(1, LINKS)} <= names


def listed_before_subscribed(sound: bool) -> bool:
    """Return True if the table of a client that lists before it subscribes is wrong."""
    with beside(lambda sock: change(sock, RTM_NEWLINK, "x")) as other:
        table = set() if sound else listed()
        sock = route_socket(RTMGRP_LINK)
        table |= listed() if sound else set()
        follow(sock, table, other, table.clear)
        sock.close()
    wrong = table != listed()
    with route_socket() as sock:
        change(sock, RTM_DELLINK, "x")
    return wrong


def resync_drops_events(sound: bool) -> bool:
    """Return True if the table of a client that empties its socket after it has listed again is wrong."""
    sock = route_socket(RTMGRP_LINK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    table = listed()

    def drain() -> None:
        while select.select([sock], [], [], 0)[0]:
            with suppress(OSError):
                sock.recv(65536)

    def resync() -> None:
        if sound:
            drain()
        table.clear()
        table.update(listed())
        if not sound:
            drain()

    def burst(link: socket.socket) -> None:
        for _ in range(3):
            change(link, RTM_DELLINK, "d1")
            change(link, RTM_NEWLINK, "d1")
        change(link, RTM_NEWLINK, "x")

    with beside(burst) as other:
        follow(sock, table, other, resync)
    sock.close()
    wrong = table != listed()
    with route_socket() as link:
        change(link, RTM_DELLINK, "x")
    return wrong


class beside:
    """A process that acts after a random pause, while the block runs; it has ended when the block has."""

    def __init__(self, act: Callable[[socket.socket], object]) -> None:
        self._act = act

    def __enter__(self) -> beside:
        self._ended = False
        self._pid = os.fork()
        if not self._pid:
            with route_socket() as sock:
                time.sleep(random.uniform(0, 0.002))
                self._act(sock)
            os._exit(0)
        return self

    def ended(self) -> bool:
        """Return True if the process has ended."""
        self._ended = self._ended or os.waitpid(self._pid, os.WNOHANG)[0] != 0
        return self._ended

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            os.waitpid(self._pid, 0)


BUGS = (dump_interrupted, listed_before_subscribed, resync_drops_events)


def inside(seconds: float) -> None:
    """Run every bug for so long."""
    with route_socket() as sock:
        for number in range(LINKS):
            change(sock, RTM_NEWLINK, f"d{number}")
    for bug in BUGS:
        for sound in (False, True):
            start, runs, wrong = time.monotonic(), 0, False
            while not wrong and time.monotonic() - start < seconds:
                wrong = bug(sound)
                runs += 1
            took = time.monotonic() - start
            client, result = ("twin", "faulty")[not sound], ("holds", "is wrong")[wrong]
            print(f"{bug.__name__}: the {client} client {result} in {runs} runs, {took:.1f} s", flush=True)


def mocked(sound: bool) -> list[bool]:
    """Run every bug once with scripted answers: a dump of all links, then no notification."""
    links = [b"d%d" % number for number in range(LINKS)]
    dump = b"".join(message(RTM_NEWLINK, 2, IFINFO + attribute(IFLA_IFNAME, each + b"\0")) for each in links)
    sock = Mock(recv=Mock(side_effect=repeat(dump + message(NLMSG_DONE, 2, bytes(4)))))
    sock.__enter__ = Mock(return_value=sock)
    sock.__exit__ = Mock(return_value=None)
    names = {
        "route_socket": Mock(return_value=sock),
        "beside": MagicMock(),
        "change": Mock(),
        "follow": Mock(),
    }
    with patch.multiple(sys.modules[__name__], **names), patch("select.select", return_value=[[]]):
        return [bug(sound) for bug in BUGS]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if "mock" in sys.argv:
        for sound in (False, True):
            print(
                "sound clients:" if sound else "faulty clients:", sum(mocked(sound)), "of", len(BUGS), "wrong"
            )
    elif "--inside" in sys.argv:
        inside(float(sys.argv[1]))
    else:
        seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
        command = ["unshare", "-rn", sys.executable, "-m", "tests.planted.netns", seconds, "--inside"]
        sys.exit(subprocess.run(command).returncode)
