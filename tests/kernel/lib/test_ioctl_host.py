"""ioctl(2) with any number on any kind of file has the host's result, or is reported as not modelled.

Both sides run unprivileged, so that no request changes the host.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from simkernel import Machine
from simkernel.kernel.lib import known
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM
from tests.conformance.privilege import become_nobody
from tests.conformance.real import enter_new_namespace

NAMES = {int(row[1], 16): row[2] for row in known.read_table(Path(known.__file__).with_name("ioctls.txt"))}
ARGUMENTS = (b"lo".ljust(512, b"\0"), bytes(512), 0, 1)
"""Arguments of ioctl(2): two buffers, and two addresses that are not mapped."""
VFS = (
    *(0x1, 0x2, 0x5460, 0x40049409, 0x4020940D, 0xC0189436, 0xC020660B, 0xC0045877, 0xC0045878),
    *(0x80086601, 0x40086602, 0x801C581F, 0x401C5820, 0x80111500, 0x80811501, 0x40305828, 0x40305839),
)
"""Request numbers that `do_vfs_ioctl()` and `file_ioctl()` handle."""
LETTERS = b"TVEfXRWS\x89\x8a\x94\x15\x12"
Opener = Callable[[Any, str], int]


def _closed(file: Any, fd: int) -> int:
    file.close()
    return fd


def _pipe(os: Any, _: str) -> int:
    reading, writing = os.pipe()
    os.close(writing)
    return reading


def _epoll(os: Any, _: str) -> int:
    epoll = os.epoll()
    return _closed(epoll, os.dup(epoll.fileno()))


KINDS: dict[str, Opener] = {
    "netlink": lambda os, _: os.socket(AF_NETLINK, SOCK_RAW, 0).detach(),
    "stream": lambda os, _: os.socket(AF_UNIX, SOCK_STREAM, 0).detach(),
    "datagram": lambda os, _: os.socket(AF_UNIX, SOCK_DGRAM, 0).detach(),
    "pipe": _pipe,
    "epoll": _epoll,
    "eventfd": lambda os, _: os.eventfd(0),
    "memfd": lambda os, _: os.memfd_create("memfd"),
    "file": lambda os, folder: os.open(f"{folder}/file", 0o102, 0o600),
    "directory": lambda os, folder: os.open(folder, 0),
    "proc": lambda os, _: os.open("/proc/version", 0),
    "sysfs": lambda os, _: os.open("/sys/kernel/uevent_seqnum", 0),
    "null": lambda os, _: os.open("/dev/null", 0),
    "random": lambda os, _: os.open("/dev/random", 0),
}
"""Functions that open a file of each kind, on the host and in the machine."""


class Host:
    """A replacement for simkernel's class `Blocking`. Its methods make the system calls on the host."""

    epoll = staticmethod(select.epoll) if hasattr(select, "epoll") else None
    ioctl = staticmethod(fcntl.ioctl)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name, None) or getattr(socket, name)


def calls(seed: int, count: int) -> Iterator[tuple[int, str, int]]:
    """Yield ioctl requests as (number, kind of file, index in ARGUMENTS). The numbers are those of
    ioctls.txt, of VFS and of sockets, and then `count` random ones.
    """
    random = Random(seed)
    sockets = range(0x8900, 0x8A00)
    numbers = [*NAMES, *VFS, *sockets]
    for _ in range(count):
        shape = random.randrange(1 << 32) & 0xC0FF0000 | random.choice(LETTERS) << 8 | random.randrange(256)
        numbers.append(random.choice((random.randrange(1 << 32), random.randrange(1 << 16), shape)))
    for number in numbers:
        for kind in KINDS:
            if number not in sockets or number in NAMES or kind in ("netlink", "stream", "datagram"):
                yield number, kind, random.randrange(len(ARGUMENTS))


def outcome(world: Any, folder: str, number: int, kind: str, argument: int) -> str | int:
    """Make an ioctl request on a new file. If it fails, return the errno. Otherwise return the changed buffer
    in hexadecimal, or the returned int if `argument` selects no buffer.
    """
    fd = KINDS[kind](world, folder)
    try:
        result = world.ioctl(fd, number, ARGUMENTS[argument])
    except OSError as error:
        return error.errno or 0
    finally:
        world.close(fd)
    return result.hex() if isinstance(result, bytes) else f"int {result}"


def host_outcomes(seed: int, count: int) -> None:
    """Make the requests of `calls` on this host, in an unprivileged process in a new network namespace. Print
    their outcomes.
    """
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Path(folder).chmod(0o777)
        enter_new_namespace()
        child = os.fork()
        if child:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        become_nobody()
        print(json.dumps([outcome(Host(), folder, *call) for call in calls(seed, count)]), flush=True)
        os._exit(0)


def compare(seed: int, count: int) -> None:
    command = f"from tests.kernel.lib.test_ioctl_host import *; host_outcomes({seed}, {count})"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.skip(f"no host to compare with: {done.stderr.strip().splitlines()[-1]}")
    with Machine(udev=False) as machine:
        root, world = machine.blocking(uid=0), machine.blocking(uid=65534)
        root.mkdir("/tmp/folder")
        root.chmod("/tmp/folder", 0o777)
        tables = {kind: _table(world, kind) for kind in KINDS}
        for (number, kind, argument), expected in zip(
            calls(seed, count), json.loads(done.stdout), strict=True
        ):
            here = outcome(world, "/tmp/folder", number, kind, argument)
            if here != expected:
                name = NAMES.get(number, "")
                reported = f"simkernel: ioctl {name} of {tables[kind]} is not modelled"
                lines = [record.text for record in machine.log.records]
                assert any(line.startswith(reported) for line in lines), (hex(number), kind, argument)


def _table(world: Any, kind: str) -> str:
    """Return the name of the table of known ioctl requests for a kind of file."""
    fd = KINDS[kind](world, "/tmp/folder")
    table = world.task.files.get(fd).object.ioctl_table
    world.close(fd)
    return table or "a file"


needs_host = pytest.mark.skipif(
    not platform.release().startswith("6.18"),
    reason="the tables are those of Linux 6.18, which this host is not",
)


@pytest.mark.long
@needs_host
def test_requests_in_the_tables_have_the_hosts_results() -> None:
    compare(0, 20)


@needs_host
@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 3))
def test_random_requests_have_the_hosts_results(seed: int) -> None:
    compare(seed, 2000)
