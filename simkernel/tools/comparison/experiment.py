"""The test that every approach runs: a netlink client, and a device that is unplugged at step 3.

    python experiment.py APPROACH            print the transcript as one line of JSON
    python experiment.py APPROACH SECONDS    count how many times the test passes in that time

The client requests nlctrl's own family, receives the uevents of the device, and accesses the device five
times. A transcript is a list of [clock, answer]. This file uses only the standard library, because guests
run it, too.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

AF_NETLINK, SOCK_RAW = 16, 3
NETLINK_ROUTE, NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC = 0, 15, 16
RTM_NEWLINK, RTM_DELLINK = 16, 17
REQUEST_ACK, CREATE_EXCL = 0x5, 0x600
CLONE_NEWUSER_NEWNET = 0x50000000
RB_POWER_OFF = 0x4321FEDC
SEEN = ["there", "there", "gone", "gone", "gone"]
"""Expected state of the device at steps 1 to 5. It is unplugged at step 3."""

Transcript = list[tuple[int, str]]
Call = Callable[[], object]
Device = tuple[str, Call, Call, Call]
"""A device: its name, and three functions that plug it in, unplug it and access it.

The last raises OSError if the device is gone.
"""


def attribute(kind: int, data: bytes) -> bytes:
    """Encode a netlink attribute with padding."""
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def message(kind: int, flags: int, payload: bytes) -> bytes:
    """Encode a netlink message with sequence number 1."""
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload


GETFAMILY = message(16, 1, struct.pack("=BBH", 3, 2, 0) + attribute(2, b"nlctrl\0"))
FAMILY_ID = attribute(1, struct.pack("=H", 16))


def client(socket: Callable[..., Any], clock: Callable[[], int], device: Device) -> Transcript:
    """Run the test and return its transcript. Any exception means failure."""
    name, plug, unplug, look = device
    transcript: Transcript = []

    def note(answer: bytes) -> bytes:
        transcript.append((clock(), answer.decode("latin-1")))
        return answer

    def hear(action: bytes) -> None:
        while b"ACTION=" + action not in (event := note(uevents.recv(8192))) or path not in event:
            pass

    path = f"/{name}\0".encode()
    generic = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
    uevents = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
    uevents.bind((0, 1))
    uevents.settimeout(10)
    generic.sendto(GETFAMILY, (0, 0))
    assert FAMILY_ID in note(generic.recv(8192))
    plug()
    hear(b"add")
    for step in range(1, 6):
        if step == 3:
            unplug()
            hear(b"remove")
        try:
            look()
            note(b"there")
        except OSError:
            note(b"gone")
    generic.close()
    uevents.close()
    assert [answer for _, answer in transcript if answer in SEEN] == SEEN
    return transcript


# -- approaches -------------------------------------------------------------------


def mocked() -> Transcript:
    """Run the test with unittest.mock, which returns the replies that the test expects."""
    from unittest import mock  # imported here, because it takes longer than the rest of this file

    family = message(16, 0, struct.pack("=BBH", 1, 2, 0) + FAMILY_ID)
    events = [b"ACTION=%s\0DEVPATH=/devices/d0\0" % action for action in (b"add", b"remove")]
    look = mock.Mock(side_effect=[None, None] + [OSError(errno.ENODEV, "")] * 3)
    with mock.patch("socket.socket") as patched:
        patched.return_value.recv.side_effect = [family, *events]
        return client(socket.socket, itertools.count().__next__, ("d0", mock.Mock(), mock.Mock(), look))


def network() -> Transcript:
    """Use a network device of the running kernel, in this network namespace.  Its kind is dummy, or veth if
    dummy is not available.
    """

    def ask(kind: int, flags: int, *attributes: bytes) -> int:
        with socket.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) as route:
            payload = bytes(16) + attribute(3, b"d0\0") + b"".join(attributes)
            route.send(message(kind, REQUEST_ACK | flags, payload))
            return int(struct.unpack_from("=i", route.recv(8192), 16)[0])

    def plug() -> None:
        for kind in (b"dummy", b"veth"):
            if (error := ask(RTM_NEWLINK, CREATE_EXCL, attribute(18, attribute(1, kind)))) == 0:
                return
        raise OSError(-error, os.strerror(-error))

    def unplug() -> None:
        assert ask(RTM_DELLINK, 0) == 0

    look = partial(socket.if_nametoindex, "d0")
    return client(socket.socket, time.monotonic_ns, ("d0", plug, unplug, look))


def namespace() -> Transcript:
    """Run `network` in a child process with a new user and network namespace."""
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0
        return []
    status = 1
    try:
        if ctypes.CDLL(None).unshare(CLONE_NEWUSER_NEWNET) == 0 and network():
            status = 0
    finally:
        os._exit(status)


def umockdev() -> Transcript:
    """Use umockdev's preloaded library for sysfs and uevents, and the host's kernel for the rest."""
    bed = import_module("gi.repository.UMockdev").Testbed.new()

    def unplug() -> None:
        bed.uevent("/sys/devices/d0", "remove")
        bed.remove_device("/sys/devices/d0")

    def plug() -> None:
        bed.add_device("simbus", "d0", None, [], [])

    return client(socket.socket, time.monotonic_ns, ("d0", plug, unplug, Path("/sys/devices/d0").stat))


def main(approach: Callable[[], Transcript], seconds: float) -> None:
    """Run an approach and print its transcript.

    With `seconds`, also count how many times per second it passes.
    """
    transcript = approach()
    count, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < seconds:
        approach()
        count += 1
    print(json.dumps({"transcript": transcript, "rate": count / elapsed if seconds else 0}), flush=True)


if __name__ == "__main__":
    main(globals()[sys.argv[1]], float(sys.argv[2]) if sys.argv[2:] else 0)
    if os.getpid() == 1:  # this process is the init of a virtual machine: power it off
        ctypes.CDLL(None).reboot(RB_POWER_OFF)
