"""Access, modification and change times: the times that each operation sets, and the conditions under which
relatime sets the access time.

The expected values are those of Linux 6.18 on a tmpfs that is mounted with relatime.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from simkernel import Machine, seconds
from simkernel.engine import SECOND
from tests.kernel.refused import refused

DAY = 24 * 3600
OLD = 1_000
"""Access and modification time of each file before the operation, in ns."""
TREE = ("d", "d/f", "d/p", "e", "e/g")
Operation = Callable[[Any], object]


def read(app: Any, flags: int = 0, size: int = 10) -> None:
    fd = app.open("d/f", os.O_RDONLY | flags)
    app.read(fd, size)
    app.close(fd)


def write(app: Any, data: bytes, flags: int = 0) -> None:
    fd = app.open("d/f", os.O_WRONLY | flags)
    app.write(fd, data)
    app.close(fd)


def make(app: Any, path: str) -> None:
    app.close(app.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))


def map_file(app: Any) -> None:
    fd = app.open("d/f", os.O_RDWR)
    app.mmap(fd, 3).close()
    app.close(fd)


def use_fifo(app: Any, reads: bool) -> None:
    fd = app.open("d/p", os.O_RDWR)
    app.write(fd, b"x")
    if reads:
        app.read(fd, 1)
    app.close(fd)


def list_without_atime(app: Any) -> None:
    fd = app.open("d", os.O_RDONLY | os.O_NOATIME)
    app.call("getdents64", fd, 4096)
    app.close(fd)


def truncate_open(app: Any, size: int) -> None:
    fd = app.open("d/f", os.O_WRONLY)
    app.ftruncate(fd, size)
    app.close(fd)


CHANGES: dict[str, tuple[Operation, dict[str, str]]] = {
    "stat": (lambda app: app.stat("d/f"), {}),
    "open": (lambda app: app.close(app.open("d/f", os.O_RDWR)), {}),
    "read": (read, {"d/f": "a"}),
    "read of 0 bytes": (lambda app: read(app, size=0), {"d/f": "a"}),
    "mmap": (lambda app: map_file(app), {"d/f": "a"}),
    "write to a FIFO": (lambda app: use_fifo(app, reads=False), {"d/p": "mc"}),
    "read from a FIFO": (lambda app: use_fifo(app, reads=True), {"d/p": "amc"}),
    "read with O_NOATIME": (lambda app: read(app, os.O_NOATIME), {}),
    "write": (lambda app: write(app, b"x"), {"d/f": "mc"}),
    "write of 0 bytes": (lambda app: write(app, b""), {}),
    "O_TRUNC": (lambda app: write(app, b"", os.O_TRUNC), {"d/f": "mc"}),
    "truncate to another size": (lambda app: app.truncate("d/f", 1), {"d/f": "mc"}),
    "truncate to the same size": (lambda app: app.truncate("d/f", 3), {"d/f": "mc"}),
    "ftruncate": (lambda app: truncate_open(app, 100), {"d/f": "mc"}),
    "chmod": (lambda app: app.chmod("d/f", 0o600), {"d/f": "c"}),
    "chmod to the same mode": (lambda app: app.chmod("d/f", 0o644), {"d/f": "c"}),
    "chown": (lambda app: app.chown("d/f", 5, 6), {"d/f": "c"}),
    "chown of nothing": (lambda app: app.chown("d/f", -1, -1), {"d/f": "c"}),
    "utime": (lambda app: app.utime("d/f"), {"d/f": "amc"}),
    "utime to the same times": (lambda app: app.utime("d/f", ns=(OLD, OLD)), {"d/f": "c"}),
    "link": (lambda app: app.link("d/f", "d/h"), {"d": "mc", "d/f": "c", "d/h": "c"}),
    "unlink of one of two names": (lambda app: app.unlink("d/two"), {"d": "mc", "d/f": "c"}),
    "create": (lambda app: make(app, "d/new"), {"d": "mc"}),
    "mkdir": (lambda app: app.mkdir("d/new"), {"d": "mc"}),
    "mkfifo": (lambda app: app.mkfifo("d/new"), {"d": "mc"}),
    "symlink": (lambda app: app.symlink("f", "d/new"), {"d": "mc"}),
    "unlink": (lambda app: app.unlink("e/g"), {"e": "mc"}),
    "rmdir": (lambda app: app.rmdir("d/empty"), {"d": "mc"}),
    "listdir": (lambda app: app.listdir("d"), {"d": "a"}),
    "getdents with O_NOATIME": (lambda app: list_without_atime(app), {}),
    "readlink": (lambda app: app.readlink("d/s"), {"d/s": "a"}),
    "open through a link": (lambda app: app.close(app.open("d/s", os.O_RDONLY)), {"d/s": "a"}),
    "rename in a directory": (lambda app: app.rename("d/f", "d/h"), {"d": "mc", "d/h": "c"}),
    "rename to another directory": (
        lambda app: app.rename("d/f", "e/h"), {"d": "mc", "e": "mc", "e/h": "c"}
    ),
    "rename over a file": (lambda app: app.rename("d/f", "e/g"), {"d": "mc", "e": "mc", "e/g": "c"}),
    "rename over another name": (lambda app: app.rename("d/f", "d/two"), {}),
    "rename of a directory": (lambda app: app.rename("d/empty", "e/h"), {"d": "mc", "e": "mc"}),
    "an error": (lambda app: refused(lambda: app.mkdir("d/f")), {}),
}  # fmt: skip
"""For each operation, the files whose times it sets: "a" access, "m" modification, "c" change."""


def make_tree(app: Any, pause: Callable[[], object]) -> dict[str, Any]:
    """Create files, directories, a symbolic link and a FIFO. Return the status of each path in TREE and of
    the symbolic link.
    """
    app.mkdir("d")
    app.mkdir("d/empty")
    app.mkdir("e")
    for path in ("d/f", "e/g"):
        fd = app.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
        app.write(fd, b"123")
        app.close(fd)
    app.link("d/f", "d/two")
    app.symlink("f", "d/s")
    app.mkfifo("d/p", 0o600)
    for path in TREE:
        app.utime(path, ns=(OLD, OLD))
    pause()
    return {path: app.lstat(path) for path in (*TREE, "d/s")}


def changes(app: Any, operation: Operation, pause: Callable[[], object]) -> dict[str, str]:
    """Create the files of `make_tree`, and run `operation`. Return a dict that maps the path of each changed
    file to the times that changed, for example "mc" for modification and change time.
    """
    before = {status.st_ino: status for status in make_tree(app, pause).values()}
    operation(app)
    found = {}
    for path in (*TREE, "d/s", "d/h", "e/h"):
        try:
            status = app.lstat(path)
        except OSError:
            continue
        if (old := before.get(status.st_ino)) is None:
            continue
        names = "".join(
            name
            for name in "amc"
            if getattr(status, f"st_{name}time_ns") != getattr(old, f"st_{name}time_ns")
        )
        if names:
            found[path] = names
    return found


@pytest.mark.parametrize("name", CHANGES)
def test_an_operation_sets_only_these_times(machine: Machine, name: str) -> None:
    app = machine.blocking()
    app.chdir("/tmp")
    operation, expected = CHANGES[name]
    assert changes(app, operation, lambda: app.sleep(1)) == expected


def test_a_new_file_has_one_time(machine: Machine) -> None:
    app = machine.blocking()
    app.sleep(5)
    make(app, "/tmp/f")
    status = app.stat("/tmp/f")
    assert status.st_atime_ns == status.st_mtime_ns == status.st_ctime_ns
    directory = app.stat("/tmp")
    assert directory.st_mtime_ns == directory.st_ctime_ns == status.st_ctime_ns


def test_times_are_those_of_the_realtime_clock(machine: Machine) -> None:
    app = machine.blocking()
    make(app, "/tmp/f")
    first = app.stat("/tmp/f").st_mtime_ns
    app.sleep(7)
    app.utime("/tmp/f")
    assert seconds(7) <= app.stat("/tmp/f").st_mtime_ns - first < seconds(7) + seconds(0.001)


RELATIME = [
    # atime and mtime in seconds after ctime; seconds from ctime to the read; True if the read sets atime
    (0, -10, 1, True),  # atime is not after ctime
    (10, 0, 1, False),
    (10, 9, 1, False),
    (10, 10, 1, True),  # atime is equal to mtime
    (10, 11, 1, True),
    (-5, -10, 1, True),  # atime is before ctime
    (10, 0, 10 + DAY - 2, False),
    (10, 0, 10 + DAY, True),
    (10, 20, 10 + DAY, True),
]


@pytest.mark.parametrize(("accessed", "modified", "wait", "expected"), RELATIME)
def test_relatime(machine: Machine, accessed: int, modified: int, wait: int, expected: bool) -> None:
    """A read sets atime if atime is not after mtime, or not after ctime, or at least a day old
    (`relatime_need_update()`).
    """
    app = machine.blocking()
    app.chdir("/tmp")
    make_tree(app, lambda: None)
    now = machine.kernel.fs.root.inode.superblock.now
    app.utime("d/f", ns=(now(), now()))
    changed = app.stat("d/f").st_ctime_ns
    app.utime("d/f", ns=(changed + accessed * SECOND, changed + modified * SECOND))
    before = app.stat("d/f")
    machine.run(until=machine.now + seconds(wait))
    read(app)
    after = app.stat("d/f")
    assert (after.st_atime_ns != before.st_atime_ns) is expected
    if expected:
        assert after.st_atime_ns - changed >= wait * SECOND


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda app: app.chmod("d/f", 0o600), True),
        (lambda app: app.chown("d/f", 1, -1), True),
        (lambda app: app.link("d/f", "d/h"), True),
        (lambda app: app.stat("d/f"), False),
    ],
    ids=["chmod", "chown", "link", "stat"],
)
def test_relatime_sets_atime_after_a_change_of_the_inode(
    machine: Machine, change: Operation, expected: bool
) -> None:
    """If ctime is later than atime, a read sets atime, as if mtime were later than atime."""
    app = machine.blocking()
    app.chdir("/tmp")
    make_tree(app, lambda: None)
    soon = app.stat("d/f").st_ctime_ns + 5 * SECOND
    app.utime("d/f", ns=(soon, OLD))
    app.sleep(10)
    change(app)
    read(app)
    assert (app.stat("d/f").st_atime_ns != soon) is expected


def test_relatime_compares_whole_seconds_of_a_day(machine: Machine) -> None:
    """`relatime_need_update()` compares only whole seconds (tv_sec), so a read can set atime although less
    than 24 hours have passed.
    """
    app = machine.blocking()
    app.chdir("/tmp")
    make_tree(app, lambda: None)
    second = -(-app.stat("d/f").st_ctime_ns // SECOND) + 5
    late = second * SECOND + 900_000_000
    app.utime("d/f", ns=(late, OLD))
    now = machine.kernel.fs.root.inode.superblock.now
    for wait, expected in ((DAY - 1, late), (DAY, None)):
        target = (second + wait) * SECOND + 100_000_000
        machine.run(until=machine.now + target - now())
        read(app)
        assert (app.stat("d/f").st_atime_ns == late) is (expected is not None)


def test_noatime_is_for_the_owner(machine: Machine) -> None:
    """open() with O_NOATIME fails with EPERM unless the caller owns the file or has CAP_FOWNER
    (`may_open()`).
    """
    root, owner, other = (machine.blocking(uid=uid) for uid in (0, 1000, 1001))
    capable = machine.blocking(uid=1001, capabilities=(3,))
    root.chdir("/tmp")
    make_tree(root, lambda: None)
    root.chown("d/f", 1000, 1000)
    for app in (root, owner, capable):
        app.close(app.open("/tmp/d/f", os.O_RDONLY | os.O_NOATIME))
    assert refused(lambda: other.open("/tmp/d/f", os.O_RDONLY | os.O_NOATIME)) == "EPERM"
    fd = other.open("/tmp/d/f", os.O_RDONLY)
    assert refused(lambda: other.fcntl(fd, 4, os.O_NOATIME)) == "EPERM"
    fd = owner.open("/tmp/d/f", os.O_RDONLY)
    owner.fcntl(fd, 4, os.O_NOATIME)
    before = root.stat("d/f").st_atime_ns
    root.sleep(1)
    owner.read(fd, 3)
    assert root.stat("d/f").st_atime_ns == before
    owner.fcntl(fd, 4, 0)
    owner.pread(fd, 3, 0)
    assert root.stat("d/f").st_atime_ns > before
