"""/sys/class/net and uevents of links that are created, changed and deleted, as on Linux 6.18."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from simkernel import Machine
from simkernel.uapi import if_link as il
from simkernel.uapi.netlink import NETLINK_KOBJECT_UEVENT, attribute
from simkernel.uapi.sched import CLONE_NEWNET
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from simkernel.uapi.structure import U32
from tests.kernel.host import expect_as_on_this_host, only_6_18
from tests.kernel.links import (
    add,
    add_veth,
    attempt,
    change,
    delete,
    down,
    drain,
    number,
    rename,
    settle,
    up,
)

NET = "/sys/class/net"
NOT_SERVED = re.compile(r"/power\b|/bridge$|/br(port|forward|if)$")
ADDRESS = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


def listener(world: Any) -> Any:
    sock = world.socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
    sock.bind((0, 1))
    return sock


def uevents(sock: Any) -> list[list[str]]:
    """Return the uevents of network devices, without sequence numbers."""
    found = [data.decode().rstrip("\0").split("\0") for data in drain(sock)]
    return [event[:-1] for event in found if "/net/" in event[0]]


def tree(world: Any, top: str) -> dict[str, list[object]]:
    """Return the mode of each file below a directory, and its text, errno or link target.

    The host's links have sent packets, so the values of their counters are left out.
    """
    found: dict[str, list[object]] = {}

    def look(path: str) -> None:
        for each in sorted(world.listdir(path)):
            file = f"{path}/{each}"
            mode = world.lstat(file).st_mode
            if NOT_SERVED.search(file):
                continue
            if mode & 0o170000 == 0o120000:
                found[file] = [oct(mode), world.readlink(file)]
            elif mode & 0o170000 == 0o040000:
                look(file)
            else:
                try:
                    text = ADDRESS.sub(
                        lambda match: "address" if any(match[0].replace(":", "").strip("f0")) else match[0],
                        world.read_file(file).decode(),
                    )
                    found[file] = [oct(mode), "" if "/statistics/" in file else text]
                except OSError as error:
                    found[file] = [oct(mode), errno.errorcode[error.errno or 0]]

    look(top)
    return found


def trees(world: Any) -> list[object]:
    """Return the files of a bridge and of both ends of a veth pair after each of several changes of these
    links.
    """
    seen: list[object] = [add_veth(world, "va", "vb"), add(world, "br0", "bridge")]
    for wait, step in (
        (1.1, lambda: "0"),
        (0.05, lambda: up(world, "va")),
        (0.05, lambda: up(world, "vb")),
        (0.05, lambda: change(world, "va", number(il.IFLA_MASTER, 4))),
        (1.1, lambda: up(world, "br0")),
        (1.1, lambda: down(world, "va")),
    ):
        seen.append(step())
        settle(world, wait)
        seen += [sorted(world.listdir(NET)), *(tree(world, f"{NET}/{each}") for each in ("va", "vb", "br0"))]
    return seen


@pytest.mark.long
@only_6_18
def test_files_of_links_are_those_of_this_host() -> None:
    expect_as_on_this_host(trees)


VALUES = (
    b"1400", b"1400\n", b"0x500", b" 1400", b"1400 ", b"-1", b"", b"\n", b"99999", b"65535", b"0", b"67",
    b"68", b"1", b"010", b"+70", b"4294967296", b"4294967295", b"2147483648", b"18446744073709551616", b"abc",
    b"1\0", b"12\n\n", b"0x1003", b"0x1002", b"0x", b"0x1103", b"0x2",
)  # fmt: skip
ALIASES = (b"hello", b"hello\n", b"a\nb", b"", b"\n", b"x" * 255, b"x" * 256, b"y\0z", b" sp ")
EVENTS = (
    b"change", b"CHANGE", b"change\n", b"add ", b"bogus", b"", b"change x", b"offline", b"1",
    b"change 11111111-2222-3333-4444-555555555555 A=B", b"change 11111111-2222-3333-4444-555555555555 A",
)  # fmt: skip
NUMBERS = ("va/mtu", "va/tx_queue_len", "va/netdev_group", "va/flags", "lo/mtu", "lo/flags")
READ_ONLY = ("va/address", "va/ifindex", "va/statistics/rx_bytes", "va/operstate", "va/speed")
WRITES = [
    *((file, value) for file in NUMBERS for value in VALUES),
    *((file, value) for file in ("va/carrier", "va/proto_down", "va/threaded") for value in VALUES[:9]),
    *(("va/ifalias", value) for value in ALIASES),
    *(("va/uevent", value) for value in EVENTS),
    *((file, b"1") for file in READ_ONLY),
]


def write(world: Any, file: str, value: bytes) -> object:
    fd = attempt(world.open, f"{NET}/{file}", os.O_WRONLY)
    if isinstance(fd, str):
        return fd
    result = attempt(world.write, fd, value)
    world.close(fd)
    return result


def writes(world: Any) -> list[object]:
    """Write to the sysfs files of network links. For each write, return the result, the new text of the file
    and the uevents.
    """
    add_veth(world, "va", "vb")
    up(world, "vb")
    settle(world, 1.1)
    sock = listener(world)
    seen: list[object] = []
    for file, value in WRITES:
        done: list[object] = [file, value.decode(), write(world, file, value)]
        if isinstance(done[2], int):
            with suppress(OSError):
                done.append(world.read_file(f"{NET}/{file}").decode())
        seen += [done, uevents(sock)]
    opened = [world.open(f"{NET}/va/{name}", os.O_WRONLY) for name in ("mtu", "ifalias", "carrier", "uevent")]
    world.setgid(65534)
    world.setuid(65534)
    seen += [attempt(world.write, fd, b"bad") for fd in opened]
    seen += [write(world, file, b"bad") for file in ("va/mtu", "va/uevent")]
    return seen


@only_6_18
def test_writes_have_the_results_of_this_host() -> None:
    expect_as_on_this_host(writes)


def comings(world: Any) -> list[object]:
    """Create, rename, move and delete links of two network namespaces. Return the uevents of both."""
    first = world.open("/proc/self/ns/net", os.O_RDONLY)
    here = listener(world)
    world.unshare(CLONE_NEWNET)
    second = world.open("/proc/self/ns/net", os.O_RDONLY)
    there = listener(world)
    world.setns(first)
    to_second = number(il.IFLA_NET_NS_FD, second)
    several = number(il.IFLA_NUM_TX_QUEUES, 2) + number(il.IFLA_NUM_RX_QUEUES, 2)
    seen: list[object] = []
    steps: list[Callable[[], str]] = [
        lambda: add_veth(world, "va", "vb"),
        lambda: rename(world, 3, "vc"),
        lambda: up(world, "vc"),
        lambda: change(world, "vc", attribute(il.IFLA_MTU, U32.pack(1400))),
        lambda: change(world, "vc", attribute(il.IFLA_IFALIAS, b"alias")),
        lambda: change(world, "vc", to_second + attribute(il.IFLA_IFNAME, b"vd\0")),
        lambda: change(world, "vc", to_second),
        lambda: add(world, "br0", "bridge"),
        lambda: change(world, "vb", number(il.IFLA_MASTER, 4)),
        lambda: add_veth(world, "lo", "ve"),
        lambda: add_veth(world, "ve", "ve"),
        lambda: add_veth(world, "vf", "vg", peer_more=to_second),
        lambda: add_veth(world, "v%d", "w%d", several, several),
        lambda: delete(world, "vb"),
        lambda: delete(world, "v0"),
        lambda: delete(world, "br0"),
    ]
    for step in steps:
        seen += [step(), uevents(here), uevents(there)]
    for sock in (here, there):
        sock.setsockopt(1, 33, 1 << 22)
    there.close()
    world.close(second)
    settle(world, 0.5)
    seen += [uevents(here), sorted(world.listdir(NET))]
    return seen


@only_6_18
def test_uevents_are_those_of_this_host() -> None:
    expect_as_on_this_host(comings)


def test_an_open_file_of_a_link_that_has_gone_is_enodev(machine: Machine) -> None:
    root = machine.blocking(uid=0)
    assert add_veth(root, "va", "vb") == "0"
    fd = root.open(f"{NET}/va/mtu", os.O_RDWR)
    assert delete(root, "vb") == "0"
    for call in (lambda: root.read(fd, 10), lambda: root.write(fd, b"1400")):
        with pytest.raises(OSError, match="No such device"):
            call()
    assert root.listdir(NET) == ["lo"]
