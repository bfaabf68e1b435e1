"""Nodes below /dev: names, numbers, modes and the behaviour of the memory devices (drivers/char/mem.c)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

import pytest

from simkernel import Machine
from simkernel.blocking.process import Blocking
from simkernel.kernel.device.core import DriverCore
from tests.kernel.conftest import Bench
from tests.kernel.refused import refused

NODES = {
    "null": ("crw-rw-rw-", 3), "zero": ("crw-rw-rw-", 5), "full": ("crw-rw-rw-", 7),
    "random": ("crw-rw-rw-", 8), "urandom": ("crw-rw-rw-", 9), "kmsg": ("crw-r--r--", 11),
}  # fmt: skip
"""The mode and the minor number of each node, as `ls -l /dev` shows them on Linux 6.18."""


@pytest.fixture(scope="module")
def root() -> Iterator[Blocking]:
    with Machine(udev=False) as machine:
        yield machine.blocking(uid=0)


def test_nodes_of_the_memory_devices(root: Blocking) -> None:
    for name, (mode, minor) in NODES.items():
        found = root.lstat(f"/dev/{name}")
        assert (name, stat.filemode(found.st_mode), found.st_rdev) == (name, mode, os.makedev(1, minor))
        assert (found.st_uid, found.st_gid, found.st_nlink, found.st_size) == (0, 0, 1, 0)
        assert root.readlink(f"/sys/dev/char/1:{minor}").endswith(f"/mem/{name}")
        assert root.read_file(f"/sys/class/mem/{name}/dev") == f"1:{minor}\n".encode()
    links = {name: root.readlink(f"/dev/{name}") for name in ("fd", "stdin", "stdout", "stderr")}
    assert links == {
        "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
        "stderr": "/proc/self/fd/2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "written", "events"),
    [("null", b"", 3, 5), ("zero", bytes(3), 3, 5), ("full", bytes(3), "ENOSPC", 5),
     ("random", None, 3, 1), ("urandom", None, 3, 5)],
)  # fmt: skip
def test_calls_on_the_memory_devices(
    root: Blocking, name: str, data: bytes | None, written: int | str, events: int
) -> None:
    fd = root.open(f"/dev/{name}", os.O_RDWR)
    read = root.read(fd, 3)
    assert len(read) == 3 if data is None else read == data
    if isinstance(written, str):
        assert refused(lambda: root.write(fd, b"abc")) == written
    else:
        assert root.write(fd, b"abc") == written
    for offset, whence in ((7, 0), (-1, 1), (5, 2)):
        assert root.lseek(fd, offset, whence) == 0
    assert dict(root.poll([(fd, 5)], 0)).get(fd) == events
    if data is None:
        assert root.read(fd, 100) != root.read(fd, 100)


def test_zero_maps_zeros(root: Blocking) -> None:
    fd = root.open("/dev/zero", os.O_RDWR)
    mapping = root.mmap(fd, 5000)
    assert mapping[:] == bytes(5000)
    mapping[4999] = 1
    assert root.read(fd, 3) == bytes(3)
    for name in ("null", "full", "random"):
        other = root.open(f"/dev/{name}", os.O_RDWR)
        assert refused(lambda other=other: root.mmap(other, 4096)) == "ENODEV"


def test_nodes_of_a_driver(bench: Bench) -> None:
    """A node has mode 0600 by default. A directory that is made for a node has mode 0755, and is removed with
    its last node.
    """
    bench.module(
        "m",
        """
        def access(device):
            return {"a": NodeAccess(0o640, uid=5, gid=6), "b": NodeAccess(uid=7)}.get(
                device.name, NodeAccess()
            )

        def init(this):
            alloc = alloc_chrdev_region(this, 0, 8, "m")
            kind = class_register(this, "m", devnode=access)
            make = lambda name, node, minor: device_create(
                this, kind, None, name, node=node, number=(alloc[0], minor)
            )
            return [make("a", "x/y/a", 0), make("b", "x/b", 1), make("c", "", 2), make("d", "x/b", 3)]
    """,
    )
    devices = bench.load("m")
    root = bench.root
    for path, mode, uid, gid in (
        ("x", "drwxr-xr-x", 0, 0), ("x/y", "drwxr-xr-x", 0, 0), ("x/y/a", "crw-r-----", 5, 6),
        ("x/b", "crw-------", 7, 0), ("c", "crw-------", 0, 0),
    ):  # fmt: skip
        found = root.stat(f"/dev/{path}")
        assert (path, stat.filemode(found.st_mode), found.st_uid, found.st_gid) == (path, mode, uid, gid)
    assert root.stat("/dev/x/b").st_rdev == root.stat("/dev/x/y/a").st_rdev + 1
    core: DriverCore = bench.machine.kernel.devices
    core.device_unregister(devices[3])
    assert root.listdir("/dev/x") == ["y", "b"] or sorted(root.listdir("/dev/x")) == ["b", "y"]
    root.close(root.open("/dev/x/y/own", os.O_CREAT))
    core.device_unregister(devices[0])
    assert root.listdir("/dev/x/y") == ["own"]
    core.device_unregister(devices[1])
    assert root.listdir("/dev/x") == ["y"]
    core.device_unregister(devices[2])
    assert "c" not in root.listdir("/dev")


def test_a_node_that_a_program_has_removed_is_not_missed(bench: Bench) -> None:
    """A driver can remove a device after a program has removed the device's node and its directories. If the
    program has put another file in the place of the node, this file stays.
    """
    bench.module(
        "m",
        """
        def init(this):
            major, _ = alloc_chrdev_region(this, 0, 8, "m")
            kind = class_register(this, "m")
            return [
                device_create(this, kind, None, node, node=f"x/y/{node}", number=(major, minor))
                for minor, node in enumerate("abc")
            ]
    """,
    )
    devices = bench.load("m")
    root, core = bench.root, bench.machine.kernel.devices
    for name in "abc":
        root.unlink(f"/dev/x/y/{name}")
    root.close(root.open("/dev/x/y/b", os.O_CREAT))
    core.device_unregister(devices[1])
    assert root.listdir("/dev/x/y") == ["b"]
    root.unlink("/dev/x/y/b")
    core.device_unregister(devices[0])
    root.rmdir("/dev/x/y")
    root.rmdir("/dev/x")
    core.device_unregister(devices[2])
    assert "x" not in root.listdir("/dev")
