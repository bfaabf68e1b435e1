"""Requests and files that simkernel lacks are reported once, unless Linux also lacks them."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from simkernel import Machine, NotModelled, millis
from simkernel.blocking.process import Blocking
from simkernel.hardware import Camera, Mouse
from simkernel.kernel.lib import known
from simkernel.kernel.lib.known import known_file, known_ioctls, read_table, refusal
from simkernel.kernel.lib.log import LogRecord
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, SOCK_RAW, SOCK_STREAM
from simkernel.uapi.video import ioctls as video

TABLES = Path(known.__file__).parent
FILES = sorted(
    f"{directory}/{name}"
    for directories, *names in read_table(TABLES / "files.txt")
    for directory in directories
    for name in names
)
KINDS: dict[str, Callable[[Blocking], int]] = {
    "netlink": lambda root: root.socket(AF_NETLINK, SOCK_RAW, 0).detach(),
    "unix": lambda root: root.socket(AF_UNIX, SOCK_STREAM, 0).detach(),
    "pipe": lambda root: root.pipe()[0],
    "epoll": lambda root: root.epoll().fileno(),
    "rootfs": lambda root: root.open("/file", os.O_CREAT | os.O_RDWR),
    "tmpfs": lambda root: root.open("/tmp/file", os.O_CREAT | os.O_RDWR),
    "devtmpfs": lambda root: root.open("/dev", os.O_RDONLY),
    "proc": lambda root: root.open("/proc/version", os.O_RDONLY),
    "sysfs": lambda root: root.open("/sys/kernel/uevent_seqnum", os.O_RDONLY),
    "1:3": lambda root: root.open("/dev/null", os.O_RDONLY),
    "1:8": lambda root: root.open("/dev/random", os.O_RDONLY),
    "1:9": lambda root: root.open("/dev/urandom", os.O_RDONLY),
    "13:64": lambda root: root.open("/dev/input/event0", os.O_RDONLY),
    "81:0": lambda root: root.open("/dev/video0", os.O_RDWR),
    "": lambda root: root.eventfd(0),
}
"""Functions that open a file of each kind."""
LO = b"lo".ljust(512, b"\0")
"""Argument of each ioctl(2) request: a buffer. For a request of sockets, it is a `struct ifreq` with the link
`lo`.
"""


def boot(unmodelled: str = "errno") -> Machine:
    """Return a machine with a camera and a mouse."""
    machine = Machine(unmodelled=unmodelled)
    machine.plug(Camera())
    machine.plug(Mouse())
    machine.run(until=millis(50))
    return machine


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with boot() as machine:
        yield machine


@pytest.fixture(scope="module")
def root(machine: Machine) -> Blocking:
    return machine.blocking(uid=0)


# -- requests of ioctl(2) --------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_lacking_request_is_reported_once(kind: str) -> None:
    with boot() as machine:
        root = machine.blocking(uid=0)
        fd = KINDS[kind](root)
        for number, (name, *words) in known_ioctls(kind).items():
            if "handled" in words:
                continue
            before = machine.log.written
            for _ in range(2):
                with pytest.raises(OSError) as refused:
                    root.ioctl(fd, number, bytearray(LO))
            lines = [each.text for each in since(machine, before)]
            if refusal(words) is None:
                (line,) = lines
                assert f"ioctl {name} of" in line and "is not modelled" in line
            else:
                assert not lines
                assert refused.value.errno == refusal(words)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lacking_request_raises_in_a_test_world(kind: str) -> None:
    with boot("raise") as machine:
        root = machine.blocking(uid=0)
        fd = KINDS[kind](root)
        for number, (name, *words) in known_ioctls(kind).items():
            if "handled" not in words and refusal(words) is None:
                with pytest.raises(NotModelled, match=f"ioctl {name} of"):
                    root.ioctl(fd, number, bytearray(LO))


@given(st.data(), st.sampled_from(sorted(KINDS)))
def test_a_number_that_linux_does_not_know_is_not_reported(
    machine: Machine, root: Blocking, data: st.DataObject, kind: str
) -> None:
    others = sorted({number for each in KINDS for number in known_ioctls(each)})
    number = data.draw(st.integers(0, 0xFFFFFFFF) | st.sampled_from(others))
    assume(number not in known_ioctls(kind))
    before = machine.log.written
    fd = KINDS[kind](root)
    with suppress(OSError):
        root.ioctl(fd, number, bytearray(LO))
    root.close(fd)
    assert machine.log.written == before


def test_the_numbers_of_the_table_are_those_of_the_headers() -> None:
    for number, (name, *_) in known_ioctls("81:0").items():
        if name.startswith("VIDIOC_"):
            assert number == getattr(video, name)


# -- files -------------------------------------------------------------------------------


def instances(root: Blocking, path: str) -> Iterator[str]:
    """Yield the paths that a pattern with `/*` matches. Skip directories that do not exist."""
    head, star, tail = path.partition("/*")
    if not star:
        yield path
        return
    try:
        names = root.listdir(head)
    except OSError:
        return
    for name in names:
        if S_ISDIR(root.lstat(f"{head}/{name}").st_mode):
            yield from instances(root, f"{head}/{name}{tail}")


def since(machine: Machine, before: int) -> list[LogRecord]:
    """Return the log records from sequence number `before` to the last one."""
    return [machine.log.at(number) for number in range(before, machine.log.written)]


def test_each_lacking_file_is_reported_once() -> None:
    with boot() as machine:
        root = machine.blocking(uid=0)
        for pattern in FILES:
            path = next(instances(root, pattern), None)
            assert path is not None, f"no directory for {pattern}"
            before = machine.log.written
            for _ in range(2):
                with pytest.raises(FileNotFoundError):
                    root.stat(path)
            (line,) = [each.text for each in since(machine, before)]
            assert line == f"simkernel: {pattern} is not modelled: ENOENT"


def test_no_file_is_both_served_and_lacking(root: Blocking) -> None:
    def look(directory: str) -> None:
        for name in root.listdir(directory):
            path = f"{directory}/{name}"
            assert known_file(directory, [name]) is None, path
            if name not in ("fd", "fdinfo") and S_ISDIR(root.lstat(path).st_mode):
                look(path)

    for top in ("/proc", "/sys"):
        look(top)


def test_a_lacking_file_raises_in_a_test_world() -> None:
    with boot("raise") as machine, pytest.raises(NotModelled, match="/proc/meminfo is not modelled"):
        machine.blocking().open("/proc/meminfo", os.O_RDONLY)


WAYS: dict[str, Callable[[Blocking, str], object]] = {
    "open": lambda root, path: root.open(path, os.O_RDONLY),
    "create": lambda root, path: root.open(path, os.O_RDWR | os.O_CREAT),
    "exclusive": lambda root, path: root.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL),
    "stat": lambda root, path: root.stat(path),
    "lstat": lambda root, path: root.lstat(path),
    "access": lambda root, path: root.run(root.app.call("faccessat", -100, path, 0, 0)),
    "readlink": lambda root, path: root.readlink(path),
    "listdir": lambda root, path: root.listdir(path),
    "chdir": lambda root, path: root.chdir(path),
    "chmod": lambda root, path: root.chmod(path, 0o600),
    "truncate": lambda root, path: root.truncate(path, 0),
    "mkdir": lambda root, path: root.mkdir(path),
    "unlink": lambda root, path: root.unlink(path),
    "rmdir": lambda root, path: root.rmdir(path),
    "rename": lambda root, path: root.rename(path, "/proc/version"),
    "rename to": lambda root, path: root.rename("/proc/version", path),
    "link": lambda root, path: root.link(path, "/tmp/link"),
    "symlink": lambda root, path: root.symlink("target", path),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_call_with_a_path_reports(way: str) -> None:
    for path in ("/proc/meminfo", "/proc/sys/kernel/hostname", "/proc/self/maps"):
        with boot() as machine:
            root = machine.blocking(uid=0)
            before = machine.log.written
            with pytest.raises(OSError):
                WAYS[way](root, path)
            assert ["not modelled" in each.text for each in since(machine, before)] == [True]


def test_every_spelling_of_a_path_reports() -> None:
    with boot() as other:
        root = other.blocking(uid=0)
        root.chdir("/proc")
        root.symlink("/proc/sys", "/tmp/sys")
        root.symlink("self", "/tmp/self")
        root.symlink("/proc", "/tmp/proc")
        expected = set()
        for path, pattern in {
            "sys/kernel/hostname": "/proc/sys/kernel/hostname",
            "../proc/./sys/kernel/ostype": "/proc/sys/kernel/ostype",
            "net/tcp": "/proc/*/net/tcp",
            "/tmp/sys/net/core/somaxconn": "/proc/sys/net/core/somaxconn",
            "/tmp/proc/sys/vm/swappiness": "/proc/sys/vm/swappiness",
            "thread-self/children": "/proc/*/task/*/children",
            "/sys/class/net/lo/power": "/sys/devices/virtual/*/*/power",
        }.items():
            with pytest.raises(FileNotFoundError):
                root.stat(path)
            expected.add(f"simkernel: {pattern} is not modelled: ENOENT")
        assert {each.text for each in other.log.records if "not modelled" in each.text} == expected


LAST_NAMES = {path.rpartition("/")[2] for path in FILES}
NAMES = st.text("abcz019_-.:", min_size=1, max_size=6).filter(lambda name: name not in LAST_NAMES)
TOPS = (
    "/proc",
    "/proc/self",
    "/proc/self/net",
    "/proc/sys/kernel",
    "/sys",
    "/sys/class",
    "/sys/class/net/lo",
)


@given(st.sampled_from(TOPS), st.lists(NAMES, min_size=1, max_size=3))
@example("/proc", ["99999", "maps"])
@example("/proc/sys", ["kernel", "nothing"])
@example("/proc/sys/net/ipv4/conf", ["eth7", "forwarding"])
@example("/proc/self", ["fd", "99"])
@example("/proc/self", ["task", "1", "maps"])
@example("/sys/class", ["camera"])
@example("/sys/class", ["input", "event99"])
@example("/sys/module", ["nothing", "sections"])
@example("/sys/devices", ["nothing", "power"])
@example("/proc/meminfo", ["below", "a", "file"])
@example("/tmp", ["meminfo"])
def test_a_path_that_no_linux_has_is_not_reported(
    machine: Machine, root: Blocking, top: str, names: list[str]
) -> None:
    before = machine.log.written
    with suppress(OSError):
        root.stat("/".join((top, *names)))
    assert machine.log.written == before


@pytest.mark.skipif(
    not platform.release().startswith("6.18"),
    reason="the table is that of Linux 6.18, which this host is not",
)
def test_every_file_of_a_process_of_the_host_is_known() -> None:
    with boot() as machine:
        served = set(machine.blocking().listdir("/proc/self"))
    unknown = [name for name in set(os.listdir("/proc/self")) - served if not known_file("/proc/1", [name])]
    assert not unknown
