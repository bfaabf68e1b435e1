"""System calls whose results depend on rare states: mounts, namespaces, the kernel log, and SIGPIPE."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, millis, seconds
from simkernel.uapi.mount import MNT_DETACH, MS_BIND
from tests.kernel.refused import refused


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


def call(process: Any, name: str, *arguments: Any) -> Any:
    return process.run(process.app.call(name, *arguments))


def test_mounts_need_the_same_kind_of_file(machine: Machine) -> None:
    root = machine.blocking(uid=0)
    for folder in ("a", "b"):
        root.mkdir(f"/tmp/{folder}")
        root.close(root.open(f"/tmp/{folder}/f", os.O_CREAT))
    mount = lambda source, target: call(root, "mount", source, target, "none", MS_BIND)  # noqa: E731
    assert refused(lambda: mount("/tmp/a", "/tmp/b/f")) == "ENOTDIR"
    assert refused(lambda: mount("/tmp/a/f", "/tmp/b")) == "ENOTDIR"
    root.symlink("/tmp/b", "/tmp/link")
    mount("/tmp/a", "/tmp/link")
    root.close(root.open("/tmp/a/new", os.O_CREAT))
    assert root.listdir("/tmp/b") == root.listdir("/tmp/a")
    mounts = root.read_file("/proc/self/mounts").count(b"\n")
    umount = lambda path, flags=MNT_DETACH: call(root, "umount2", path, flags)  # noqa: E731
    assert refused(lambda: umount("/tmp/link", MNT_DETACH | 8)) == "EINVAL", "UMOUNT_NOFOLLOW: no mount"
    assert refused(lambda: umount("/tmp/b", 0)) == "EBUSY", "not modelled"
    assert refused(lambda: umount("/tmp/b", 16)) == "EINVAL"
    user = machine.blocking(uid=1000)
    assert refused(lambda: call(user, "umount2", "/tmp/b", MNT_DETACH)) == "EPERM"
    umount("/tmp/link")
    assert root.listdir("/tmp/b") == ["f"]
    assert refused(lambda: umount("/tmp/b")) == "EINVAL"
    assert root.read_file("/proc/self/mounts").count(b"\n") == mounts - 1


def test_requests_of_a_namespace(machine: Machine) -> None:
    root = machine.blocking(uid=0)
    fd = root.open("/proc/self/ns/net", os.O_RDONLY)
    assert call(root, "ioctl", fd, 0xB703, 0) == 0x40000000
    assert refused(lambda: call(root, "ioctl", fd, 0x1234, 0)) == "ENOTTY"


def test_memory_counters_of_a_socket(machine: Machine) -> None:
    """SO_MEMINFO returns receive memory, receive buffer size, send memory, send buffer size, and five
    counters that are 0 in this test.
    """
    root = machine.blocking()
    one, other = root.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.send(b"x" * 100)
    found = [struct.unpack("<9I", each.getsockopt(1, 55, 36)) for each in (one, other)]
    size = found[0][2]
    assert size >= 100
    assert found == [(0, 212992, size, 212992, 0, 0, 0, 0, 0), (0, 212992, 0, 212992, 0, 0, 0, 0, 0)]


def test_options_with_one_value(machine: Machine) -> None:
    """SO_PEEK_OFF, SO_PASSPIDFD and SO_PASSRIGHTS accept only their default value. Any other value fails with
    ENOTSUP, because simkernel does not model it.
    """
    process = machine.blocking()
    one, _ = process.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for option, value in ((42, -1), (76, 0), (83, 1)):
        raw = struct.pack("<i", value)
        for length in range(6):
            assert call(process, "getsockopt", one.descriptor, 1, option, length) == raw[:length]
        assert (
            refused(lambda option=option: call(process, "getsockopt", one.descriptor, 1, option, -1))
            == "EINVAL"
        )
        one.setsockopt(1, option, raw)
        one.setsockopt(1, option, raw + b"more")
        assert refused(lambda option=option: one.setsockopt(1, option, b"\0\0")) == "EINVAL"
        wrong = struct.pack("<i", value + 1)
        assert refused(lambda option=option, wrong=wrong: one.setsockopt(1, option, wrong)) == "ENOTSUP"


def test_a_suppressed_line_of_dev_kmsg_names_its_writer(machine: Machine) -> None:
    async def writer(app: Any) -> None:
        fd = await app.open("/dev/kmsg", os.O_WRONLY)
        for number in range(14):
            await app.write(fd, b"line %d" % number)
        await app.close(fd)

    machine.spawn(writer, name="logger", uid=0)
    machine.run(until=millis(10))
    assert machine.log.records[-1].text == "logger: 4 output lines suppressed due to ratelimiting"


def test_reads_of_the_whole_log(machine: Machine) -> None:
    """A blocking read of 0 bytes from /proc/kmsg returns no bytes and does not wait. If all records are read,
    a non-blocking read fails with EAGAIN, even for 0 bytes.
    """
    root = machine.blocking(uid=0)
    machine.log.info("first")
    assert call(root, "syslog", 3, 0) == b""
    assert call(root, "syslog", 3, 1000).endswith(b"first\n")
    fd = root.open("/proc/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    assert root.read(fd, 1000).endswith(b"first\n")
    for size in (0, 10):
        assert refused(lambda size=size: root.read(fd, size)) == "EAGAIN"
    for offset, whence, expected in ((5, 0, 5), (3, 1, 8), (0, 2, 0)):
        assert root.lseek(fd, offset, whence) == expected
    waits = root.open("/proc/kmsg", os.O_RDONLY)
    assert root.read(waits, 0) == b""
    assert root.poll([(fd, 1)], 0) == []
    machine.log.info("second")
    assert root.poll([(fd, 1)], 0) == [(fd, 1)]
    assert root.read(waits, 1000).endswith(b"second\n")


@pytest.mark.parametrize("flags", [0, socket.MSG_NOSIGNAL])
def test_a_blocked_send_ends_when_the_receiver_closes(machine: Machine, flags: int) -> None:
    """The wait ends with EPIPE, and with SIGPIPE unless MSG_NOSIGNAL is set."""
    seen: list[Any] = []

    async def program(app: Any) -> None:
        await app.signal(signal.SIGPIPE, lambda number: seen.append("SIGPIPE"))
        one, other = await app.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

        async def close(app: Any) -> None:
            await app.sleep(0.01)
            await app.close(other.fileno())

        await app.thread(close)
        for _ in range(2):
            try:
                await one.send(bytes(1_000_000), flags)
                seen.append("sent")
            except BrokenPipeError:
                seen.append("EPIPE")

    machine.spawn(program)
    machine.run(until=seconds(1))
    assert seen == ["sent", *["SIGPIPE"] * (not flags), "EPIPE"] or seen == [
        *["SIGPIPE"] * (not flags), "EPIPE", *["SIGPIPE"] * (not flags), "EPIPE",
    ]  # fmt: skip


def test_a_mapping_that_would_need_two_pieces_is_not_modelled(machine: Machine) -> None:
    app = machine.blocking()
    fd = app.open("/tmp/f", os.O_RDWR | os.O_CREAT)
    app.ftruncate(fd, 4096)
    first = app.mmap(fd, 4096)
    app.ftruncate(fd, 3 * 4096)
    second = app.mmap(fd, 4096, offset=8192)
    assert refused(lambda: app.mmap(fd, 3 * 4096)) == "ENOMEM"
    assert "mmap of file pages that were allocated" in machine.log.records[-1].text
    del first, second


@pytest.mark.parametrize(("timeout", "expected"), [(-1, "EINVAL"), (0, "ETIMEDOUT"), (1, "ETIMEDOUT")])
def test_timeouts_of_a_futex(machine: Machine, timeout: int, expected: str) -> None:
    from simkernel.kernel.syscall.futex import FutexWord

    app = machine.blocking()
    word = FutexWord()
    word.value = 3
    assert refused(lambda: call(app, "futex", word, 128, 3, timeout)) == expected


def test_paths_and_nodes(machine: Machine) -> None:
    root = machine.blocking(uid=0)
    root.symlink("target", "/tmp/link")
    for size, expected in ((1, "t"), (5, "targe"), (6, "target"), (7, "target")):
        assert call(root, "readlinkat", -100, "/tmp/link", size) == expected
    root.symlink("ä", "/tmp/two")
    assert call(root, "readlinkat", -100, "/tmp/two", 1) == "\udcc3"
    for size in (0, -1):
        assert refused(lambda size=size: call(root, "readlinkat", -100, "/tmp/link", size)) == "EINVAL"
    assert refused(lambda: root.link("", "/tmp/new")) == "ENOENT"
    for kind, device in (("p", 0), ("c", 0x105), ("-", 0), ("s", 0)):
        mode = {"p": 0o010644, "c": 0o020644, "-": 0o100644, "s": 0o140644}[kind]
        root.mknod(f"/tmp/node-{kind}", mode, 0x105)
        assert root.stat(f"/tmp/node-{kind}").st_rdev == device
    fd = root.open("/proc/self/ns/net", os.O_RDONLY)
    assert (root.fstat(fd).st_mode, root.fstat(fd).st_nlink) == (0o100444, 1)


@pytest.mark.parametrize(("length", "works"), [(106, True), (107, True), (108, False)])
def test_length_of_an_abstract_name(machine: Machine, length: int, works: bool) -> None:
    """An abstract name has at most 107 bytes after its NUL byte, because a sockaddr_un has 110 bytes."""
    sock = machine.blocking().socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = b"\0" + b"n" * length
    if works:
        sock.bind(name)
        assert sock.getsockname() == name
    else:
        with pytest.raises(OSError):
            sock.bind(name)
