"""Planted bugs of netlink clients, run on the host's kernel in a network namespace. The output shows which of
the bugs occur within a minute.

    python -m tests.planted.netns [SECONDS [BUG ...]]

A client and a process that changes the links run concurrently, with random pauses, until the client's
result is wrong or the time is over. Only clients that need no device and no driver can run like this, with
links instead.

    python -m tests.planted.netns mock

Run the clients with `unittest.mock` in place of the kernel: it answers as the author of the test expects.
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

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 20, 24, 25, 26
RTMGRP_LINK, RTMGRP_IPV4_ROUTE = 1, 0x40
NLMSG_ERROR, NLMSG_DONE, NLM_F_DUMP_INTR = 2, 3, 0x10
IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_INFO_KIND = 3, 4, 18, 1
IFA_LOCAL = 2
NEW = 0x600
"""NLM_F_CREATE and NLM_F_EXCL, the flags of a request that creates an object."""
LINKS = 40


def ifinfo(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, change)


IFINFO = ifinfo()


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def message(kind: int, flags: int, payload: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload


def route_socket(groups: int = 0) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    sock.bind((0, groups))
    return sock


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield type, flags and payload of each message in a datagram."""
    while data:
        length, kind, flags = struct.unpack_from("=IHH", data)
        yield kind, flags, data[16:length]
        data = data[(length + 3) & ~3 :]


def find(payload: bytes, wanted: int) -> bytes:
    """Return an attribute of a link message."""
    at = len(IFINFO)
    while at < len(payload):
        length, kind = struct.unpack_from("=HH", payload, at)
        if kind == wanted:
            return payload[at + 4 : at + length]
        at += (length + 3) & ~3
    raise AssertionError(f"a link message without the attribute {wanted}")


def name_of(payload: bytes) -> str:
    """Return the name in a link message."""
    return find(payload, IFLA_IFNAME).rstrip(b"\0").decode()


def index_of(payload: bytes) -> int:
    """Return the index in a link message."""
    return int.from_bytes(payload[4:8], sys.byteorder)


def named(name: str) -> bytes:
    return attribute(IFLA_IFNAME, name.encode() + b"\0")


def request(sock: socket.socket, kind: int, payload: bytes, flags: int = 0) -> None:
    """Send a request and wait for its acknowledgement. Raise OSError if the kernel refuses the request."""
    sock.send(message(kind, 0x5 | flags, payload))
    error = struct.unpack_from("=i", sock.recv(8192), 16)[0]
    if error:
        raise OSError(-error, os.strerror(-error))


def change(sock: socket.socket, kind: int, name: str, index: int = 0) -> None:
    """Create or delete a link."""
    payload = ifinfo(index) + named(name)
    if kind == RTM_NEWLINK:
        payload += attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, b"bridge\0"))
    request(sock, kind, payload, NEW if kind == RTM_NEWLINK else 0)


def link(name: str) -> bytes:
    """Return the payload of the RTM_NEWLINK message for a link. Raise OSError if the link does not exist."""
    with route_socket() as sock:
        sock.send(message(RTM_GETLINK, 1, IFINFO + named(name)))
        kind, _, payload = next(messages(sock.recv(8192)))
    if kind == NLMSG_ERROR:
        raise OSError("no such link")
    return payload


def dump(kind: int, header: bytes, buffer: int = 32768) -> list[bytes]:
    """Return the messages of a dump. Repeat the dump if it was interrupted."""
    with route_socket() as sock:
        while True:
            sock.send(message(kind, 0x301, header))
            found: list[bytes] = []
            interrupted = done = False
            while not done:
                for type, flags, payload in messages(sock.recv(buffer)):
                    interrupted |= bool(flags & NLM_F_DUMP_INTR)
                    done |= type == NLMSG_DONE
                    found += [payload] if type != NLMSG_DONE else []
            if not interrupted:
                return found


def listed(sound: bool = True) -> set[str]:
    """Return the names of all links. If `sound` is true, repeat a dump that was interrupted. Otherwise ignore
    NLM_F_DUMP_INTR, as the faulty client does.
    """
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


def follow(
    sock: socket.socket, apply: Callable[[int, bytes], object], other: beside, on_overrun: Callable[[], None]
) -> None:
    """Receive notifications and pass their messages to `apply`. Return after the process that `other` started
    has ended and no notification is queued. If a receive fails, call `on_overrun`.
    """
    while not other.ended() or select.select([sock], [], [], 0)[0]:
        if not select.select([sock], [], [], 0.001)[0]:
            continue
        try:
            data = sock.recv(65536)
        except OSError:
            on_overrun()
            continue
        for kind, _, payload in messages(data):
            apply(kind, payload)


def to_names(table: set[str]) -> Callable[[int, bytes], object]:
    """Return a function that applies a notification to a set of link names."""
    return lambda kind, payload: (table.add if kind == RTM_NEWLINK else table.discard)(name_of(payload))


def drain(sock: socket.socket) -> None:
    while select.select([sock], [], [], 0)[0]:
        with suppress(OSError):
            sock.recv(65536)


def dump_interrupted(sound: bool) -> bool:
    """Return True if a dump lacks a link that existed during the whole dump."""
    with beside(lambda sock: [change(sock, RTM_DELLINK, "d0"), change(sock, RTM_NEWLINK, "d0")]):
        names = listed(sound)
    return not {f"d{number}" for number in range(1, LINKS)} <= names


def listed_before_subscribed(sound: bool) -> bool:
    """A client dumps the links and subscribes to notifications only afterwards. Return True if its table is
    wrong at the end.
    """
    with beside(lambda sock: change(sock, RTM_NEWLINK, "x")) as other:
        table = set() if sound else listed()
        sock = route_socket(RTMGRP_LINK)
        table |= listed() if sound else set()
        follow(sock, to_names(table), other, table.clear)
        sock.close()
    wrong = table != listed()
    with route_socket() as sock:
        change(sock, RTM_DELLINK, "x")
    return wrong


def resync_drops_events(sound: bool) -> bool:
    """A client drains its socket after its second dump, and so loses notifications. Return True if its table
    is wrong at the end.
    """
    sock = route_socket(RTMGRP_LINK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    table = listed()

    def resync() -> None:
        if sound:
            drain(sock)
        table.clear()
        table.update(listed())
        if not sound:
            drain(sock)

    def burst(link: socket.socket) -> None:
        for _ in range(3):
            change(link, RTM_DELLINK, "d1")
            change(link, RTM_NEWLINK, "d1")
        change(link, RTM_NEWLINK, "x")

    with beside(burst) as other:
        follow(sock, to_names(table), other, resync)
    sock.close()
    wrong = table != listed()
    with route_socket() as link:
        change(link, RTM_DELLINK, "x")
    return wrong


def link_renamed_in_dump(sound: bool) -> bool:
    """A client maps names to links, and a link is renamed during its dump. Return True if the client loses
    this link.
    """
    names: dict[int, str] = {}
    by_name: dict[str, int] = {}

    def apply(_: int, payload: bytes) -> None:
        index, name = index_of(payload), name_of(payload)
        old = names.get(index, "")
        if old != name:
            if not sound or by_name.get(old) == index:
                by_name.pop(old, None)
            names[index], by_name[name] = name, index

    def rename(sock: socket.socket, *pairs: tuple[str, str]) -> None:
        for old, new in pairs:
            request(sock, RTM_SETLINK, ifinfo(index_of(link(old))) + named(new))

    last = f"d{LINKS - 1}"
    sock = route_socket(RTMGRP_LINK)
    with beside(lambda other: rename(other, ("d0", "old"), (last, "d0"))) as other:
        for payload in dump(RTM_GETLINK, IFINFO, 4096):
            apply(RTM_NEWLINK, payload)
        follow(sock, apply, other, by_name.clear)
    wrong = by_name.keys() != listed()
    with route_socket() as changer:
        rename(changer, ("d0", last), ("old", "d0"))
    sock.close()
    return wrong


def link_index_reused(sound: bool) -> bool:
    """A link is deleted, and a new link gets its index. Return True if the client has configured the new link
    by mistake.
    """
    with route_socket() as sock:
        change(sock, RTM_NEWLINK, "wan", 1000)

        def replace(other: socket.socket) -> None:
            change(other, RTM_DELLINK, "wan")
            change(other, RTM_NEWLINK, "lan", 1000)

        with beside(replace), suppress(OSError):
            mtu = attribute(IFLA_MTU, struct.pack("=I", 1400))
            where = IFINFO + named("wan") if sound else ifinfo(index_of(link("wan")))
            request(sock, RTM_SETLINK, where + mtu)
        wrong = find(link("lan"), IFLA_MTU) == struct.pack("=I", 1400)
        change(sock, RTM_DELLINK, "lan")
    return wrong


def links_merged_after_overrun(sound: bool) -> bool:
    """A daemon gets ENOBUFS and adds a new dump to its old table. Return True if its table is wrong at the
    end.
    """
    sock = route_socket(RTMGRP_LINK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    table = listed()

    def resync() -> None:
        drain(sock)
        if sound:
            table.clear()
        table.update(listed())

    def burst(other: socket.socket) -> None:
        for kind in (RTM_NEWLINK, RTM_DELLINK):
            for number in range(4):
                change(other, kind, f"x{number}")

    with beside(burst) as other:
        follow(sock, to_names(table), other, resync)
    sock.close()
    return table != listed()


def routes_removed_with_link(sound: bool) -> bool:
    """A client waits for RTM_DELROUTE, which the kernel does not send. Return True if the client keeps routes
    of a link that is down.
    """
    header = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)

    def routes() -> set[bytes]:
        return set(dump(RTM_GETROUTE, header))

    with route_socket() as changer:
        change(changer, RTM_NEWLINK, "wan")
        index = index_of(link("wan"))
        address = struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, index)
        request(changer, RTM_NEWADDR, address + attribute(IFA_LOCAL, bytes((10, 0, 0, 1))), NEW)
        request(changer, RTM_SETLINK, ifinfo(index, 1, 1))
        sock = route_socket(RTMGRP_LINK | RTMGRP_IPV4_ROUTE)
        with beside(lambda other: request(other, RTM_SETLINK, ifinfo(index, 0, 1))) as other:
            table = routes()

            def apply(kind: int, payload: bytes) -> None:
                if kind in (RTM_NEWROUTE, RTM_DELROUTE):
                    (table.add if kind == RTM_NEWROUTE else table.discard)(payload)
                elif sound and index_of(payload) == index and not payload[8] & 1:
                    table.clear()
                    table.update(routes())

            follow(sock, apply, other, table.clear)
        wrong = table != routes()
        sock.close()
        change(changer, RTM_DELLINK, "wan")
    return wrong


class beside:
    """Context manager that forks a process. After a random pause, the process calls `act`, while the body of
    the `with` statement runs. At the end of the body, wait until the process has ended.
    """

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


BUGS = (
    dump_interrupted,
    listed_before_subscribed,
    resync_drops_events,
    link_renamed_in_dump,
    link_index_reused,
    links_merged_after_overrun,
    routes_removed_with_link,
)


def inside(seconds: float, names: list[str]) -> None:
    """Run the faulty and the fixed client of each bug in `names`, or of all bugs if `names` is empty. Repeat
    each client until its result is wrong or the time limit `seconds` has passed.
    """
    with route_socket() as sock:
        for number in range(LINKS):
            change(sock, RTM_NEWLINK, f"d{number}")
    for bug in [bug for bug in BUGS if not names or bug.__name__ in names]:
        for sound in (False, True):
            start, runs, wrong = time.monotonic(), 0, False
            while not wrong and time.monotonic() - start < seconds:
                wrong = bug(sound)
                runs += 1
            took = time.monotonic() - start
            client, result = ("sound", "faulty")[not sound], ("holds", "is wrong")[wrong]
            print(f"{bug.__name__}: the {client} client {result} in {runs} runs, {took:.1f} s", flush=True)


def mocked(sound: bool) -> list[bool]:
    """Run the client program of each planted bug once with mock sockets, which reply with a dump of all links
    and send no notification. Return one boolean for each bug: True if the client's result is wrong.
    """
    mtu = attribute(IFLA_MTU, struct.pack("=I", 1500))
    links = [ifinfo(number) + named(f"d{number}") + mtu for number in range(LINKS)]
    entries = [message(RTM_NEWLINK, 2, each) for each in links]
    sock = Mock(recv=Mock(side_effect=repeat(b"".join(entries) + message(NLMSG_DONE, 2, bytes(4)))))
    sock.__enter__ = Mock(return_value=sock)
    sock.__exit__ = Mock(return_value=None)
    names = {
        "route_socket": Mock(return_value=sock),
        "beside": MagicMock(),
        "change": Mock(),
        "request": Mock(),
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
        inside(float(sys.argv[1]), sys.argv[2:-1])
    else:
        arguments = sys.argv[1:] or ["60"]
        command = ["unshare", "-rn", sys.executable, "-m", "tests.planted.netns", *arguments, "--inside"]
        sys.exit(subprocess.run(command).returncode)
