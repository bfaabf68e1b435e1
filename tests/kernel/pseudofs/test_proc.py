"""Files of /proc: their texts have the format of this host's files, and agree with the kernel's objects."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simkernel import Machine, millis
from simkernel.blocking.process import Blocking
from simkernel.hardware import Camera, Mouse
from tests.kernel.conftest import Bench

FORMS = {
    "devices": r"Character devices:\n( *\d+ \S+\n)+\nBlock devices:\n( *\d+ \S+\n)*",
    "interrupts": r" {11}(CPU\d+ {7})+\n( *\d+:( [ \d]{10})+ +\S+ [ \d]{3}-\S+ {2,}\S.*\n)+(\s*[A-Z]+:.*\n)*",
    "loadavg": r"\d+\.\d\d \d+\.\d\d \d+\.\d\d \d+/\d+ \d+\n",
    "filesystems": r"((nodev)?\t\w+\n)+",
    "uptime": r"\d+\.\d\d \d+\.\d\d\n",
    "version": r"Linux version \d+\.\d+\.\d+\S* \(.*\) .*#1 SMP.*\n",
    "self/comm": r".{1,15}\n",
    "self/stat": r"\d+ \(.{1,15}\) [RSDZX]( -?\d+){49}\n",
    "thread-self/stat": r"\d+ \(.{1,15}\) [RSDZX]( -?\d+){49}\n",
    "net/dev": r"Inter-\|   Receive {48}\|  Transmit\n"
    r" face \|bytes    packets errs drop fifo frame compressed multicast\|"
    r"bytes    packets errs drop fifo colls carrier compressed\n"
    r"( *\S+:( +\d+){16}\n)+",
    "net/unix": r"Num       RefCount Protocol Flags    Type St Inode Path\n"
    r"([0-9a-f]{16}: [0-9A-F]{8} 0{8} 000[01]0000 000[125] 0[1234] [ \d]{5,}( .+)?\n)*",
    "net/netlink": r"sk {15}Eth Pid {8}Groups   Rmem {5}Wmem {5}Dump  Locks    Drops    Inode\n"
    r"([0-9a-f]{16} [\d ]{4}[\d ]{11}[0-9a-f]{8} [\d ]{9}[\d ]{9}[\d ]{6}[\d ]{9}[\d ]{9}\d[\d ]{7}\n)+",
    "modules": r"(\w+ \d+ \d+ (-|(\w+,)*(\[permanent\],)?) (Live|Loading|Unloading) "
    r"0x[0-9a-f]{16}( \(\w+\))?\n)+",
}
"""A regular expression for the whole text of each file below /proc."""


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(cpus=2) as machine:
        machine.plug(Camera())
        machine.plug(Mouse())
        machine.run(until=millis(50))
        yield machine


@pytest.fixture
def root(machine: Machine) -> Blocking:
    return machine.blocking(uid=0)


@pytest.mark.parametrize("name", FORMS)
def test_the_text_of_a_file(name: str, root: Blocking) -> None:
    assert re.fullmatch(FORMS[name], root.read_file(f"/proc/{name}").decode())


@pytest.mark.skipif(sys.platform != "linux", reason="wants a Linux to compare with")
@pytest.mark.parametrize("name", FORMS)
def test_the_host_has_the_same_form(name: str) -> None:
    file = Path("/proc") / name
    if not file.exists():
        pytest.skip(f"this host has no {file}")
    assert re.fullmatch(FORMS[name], file.read_text())


def test_files_agree_with_the_kernel_objects(root: Blocking) -> None:
    """/proc/modules, /proc/interrupts and /proc/devices list the modules, interrupts and character devices of
    the machine.
    """
    modules = root.read_file("/proc/modules").decode().splitlines()
    assert [line.split()[0] for line in modules] == ["mouse", "input", "camera", "video", "devclass"]
    assert modules[-1].split()[2:4] == ["2", "mouse,camera,"]
    lines = root.read_file("/proc/interrupts").decode().splitlines()
    assert lines[0] == "           CPU0       CPU1       "
    assert lines[-1] == "  2:          0          0   simbus   2-level     mouse"
    assert root.read_file("/proc/devices") == (
        b"Character devices:\n  1 mem\n 13 input\n 81 video4linux\n\nBlock devices:\n"
    )


# -- files of a process: status, fd, maps and others -----------------------------------------------------


def _descriptors(world: object) -> dict[str, int]:
    """Open one descriptor of each kind with functions that both simkernel and the host have. Return the
    descriptors by name.
    """
    reading, writing = world.pipe()
    one, _ = (each.detach() for each in world.socketpair())
    made = {
        "read end": reading, "write end": writing, "unix socket": one,
        "netlink socket": world.socket(16, 3, 0).detach(), "eventfd": world.eventfd(3),
        "memory": world.memfd_create("hi"), "zero": world.open("/dev/zero", os.O_RDWR),
        "directory": world.open("/tmp", os.O_RDONLY),
    }  # fmt: skip
    for fd in (*made.values(), writing):
        world.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    return made


class _Host:
    """The host's functions, under the names of the methods of simkernel's class `Blocking`. A test can
    therefore run the same code on simkernel and on the host.
    """

    fcntl = staticmethod(fcntl.fcntl)

    def __getattr__(self, name: str) -> object:
        return getattr(os, name, None) or getattr(socket, name)

    def read_file(self, path: str) -> bytes:
        return Path(path).read_bytes()


def _seen(world: object, name: str, fd: int) -> dict[str, object]:
    """Return status and fdinfo of a descriptor, and its link in /proc/self/fd, without inode and mount
    numbers.
    """
    status = world.fstat(fd)
    info = world.read_file(f"/proc/self/fdinfo/{fd}").decode()
    link = world.lstat(f"/proc/self/fd/{fd}")
    return {
        "mode": oct(status.st_mode) if name != "directory" else "",
        "owner": (status.st_uid, status.st_gid),
        "rdev": status.st_rdev,
        "path": re.sub(r"\d+", "N", world.readlink(f"/proc/self/fd/{fd}")),
        "its inode": str(status.st_ino) in info,
        "info": re.sub(r"(mnt_id|ino|eventfd-id):\s\d+", r"\1 N", info),
        "link": (oct(link.st_mode), link.st_size),
    }


@pytest.mark.skipif(not hasattr(os, "eventfd") or os.geteuid() != 0, reason="wants a Linux, and root")
def test_open_files_look_like_the_hosts() -> None:
    host = _Host()
    with Machine() as machine:
        simulated = machine.blocking(uid=0)
        here, there = _descriptors(simulated), _descriptors(host)
        for name in here:
            assert _seen(simulated, name, here[name]) == _seen(host, name, there[name]), name
    for fd in there.values():
        os.close(fd)


def _reopened(world: object, fd: int) -> object:
    """Open, list, truncate and stat a file through the link /proc/self/fd/FD. Return the results."""
    path = f"/proc/self/fd/{fd}"
    answers = []
    for call, *arguments in (
        ("open", path, os.O_RDONLY | os.O_NONBLOCK), ("open", path, os.O_WRONLY | os.O_NONBLOCK),
        ("open", path, os.O_RDWR), ("listdir", path), ("open", path + "/x", 0), ("truncate", path, 0),
        ("stat", path),
    ):  # fmt: skip
        try:
            result = getattr(world, call)(*arguments)
        except OSError as error:
            answers.append(error.errno)
            continue
        if call == "open":
            answers.append(re.sub(r"\d+", "N", world.readlink(f"/proc/self/fd/{result}")))
            world.close(result)
        else:
            answers.append(None if result is None else oct(result.st_mode))
    return answers


@pytest.mark.skipif(not hasattr(os, "eventfd") or os.geteuid() != 0, reason="wants a Linux, and root")
def test_files_that_are_opened_again() -> None:
    host = _Host()
    with Machine(unmodelled="raise") as machine:
        simulated = machine.blocking(uid=0)
        here, there = _descriptors(simulated), _descriptors(host)
        for name in ("read end", "write end", "unix socket", "netlink socket", "eventfd", "memory", "zero"):
            assert _reopened(simulated, here[name]) == _reopened(host, there[name]), name
    for fd in there.values():
        os.close(fd)


def test_a_pipe_through_proc_is_the_same_pipe(root: Blocking) -> None:
    reading, writing = root.pipe()
    both = root.open(f"/dev/fd/{reading}", os.O_RDWR)
    root.write(both, b"hi")
    assert root.read(reading, 5) == b"hi"
    root.close(reading)
    root.close(writing)
    assert root.write(both, b"x") == 1
    assert root.read(both, 5) == b"x"


def test_an_epoll_object_reports_its_files(root: Blocking) -> None:
    reading, writing = root.pipe()
    number = root.fstat(reading).st_ino
    with root.epoll() as epoll:
        epoll.register(writing, 4)
        epoll.register(reading, 1)
        text = root.read_file(f"/proc/self/fdinfo/{epoll.fileno()}").decode()
    assert text.splitlines()[4:] == [
        f"tfd: {fd:8d} events: {events:8x} data: {fd:16x}  pos:0 ino:{number:x} sdev:f"
        for fd, events in ((writing, 0x1C), (reading, 0x19))
    ]


def test_another_process_is_not_to_be_looked_at(machine: Machine) -> None:
    """A user cannot read the descriptors of another user's process, but can read its public files."""
    one, same, other, root = (machine.blocking(uid=uid) for uid in (1000, 1000, 1001, 0))
    for process in (same, root):
        for name in ("fd", "fdinfo"):
            assert process.listdir(f"/proc/{one.getpid()}/{name}") == []
    for name in ("fd", "fdinfo"):
        with pytest.raises(PermissionError):
            other.listdir(f"/proc/{one.getpid()}/{name}")
    assert other.read_file(f"/proc/{one.getpid()}/comm") == b"blocking\n"


def test_a_name_is_changed_by_the_process_itself(machine: Machine) -> None:
    one, root = machine.blocking(uid=1000), machine.blocking(uid=0)
    path = f"/proc/{one.getpid()}/comm"
    fd = one.open("/proc/self/comm", os.O_WRONLY)
    assert one.write(fd, b"a name of more than fifteen\n") == 28
    assert root.read_file(path) == b"a name of more \n"
    fd = root.open(path, os.O_WRONLY)
    with pytest.raises(OSError) as refused:
        root.write(fd, b"other")
    assert refused.value.errno == 22


def test_a_question_that_takes_time_is_held_by_the_kernels_socket(bench: Bench) -> None:
    """While the kernel handles a slow request, /proc/net/netlink shows the memory of this request in the
    receive queue of the kernel's socket.
    """
    bench.module(
        "slow",
        """
        def init(this):
            return netlink_kernel_create(this, 20, lambda skb: msleep(this, 5))
        def exit(this, sock):
            netlink_kernel_release(sock)
    """,
    )
    bench.load("slow")

    async def asker(app):
        sock = await app.socket(16, 3, 20)
        await sock.send(bytes(200))

    def held() -> str:
        text = bench.root.read_file("/proc/net/netlink").decode()
        return next(line for line in text.splitlines() if line.split()[1:3] == ["20", "0"]).split()[4]

    bench.machine.spawn(asker)
    bench.pass_time(millis(1))
    assert held() == "832"
    bench.pass_time(millis(10))
    assert held() == "0"


# -- files of a process: stat, task, exe -----------------------------------------------------------------


def fields(text: bytes) -> list[str]:
    """Split /proc/PID/stat into fields. The field `comm` may contain parentheses, so it ends at the last
    closing parenthesis of the text.
    """
    before, _, after = text.decode("utf-8", "surrogateescape").rpartition(")")
    number, _, comm = before.partition(" (")
    return [number, comm, *after.split()]


COMM = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0/"), min_size=1, max_size=15)


@given(COMM)
@example("a) R 1 (b")
@example("new\nline \\ back")
@example(" ")
def test_stat_has_52_fields_whatever_the_name(comm: str) -> None:
    with Machine(udev=False) as machine:
        process = machine.blocking(uid=0)
        process.run(process.app.call("prctl_comm", comm))
        name = process.read_file("/proc/self/comm").decode()[:-1]
        found = fields(process.read_file("/proc/self/stat"))
        assert len(found) == 52
        assert found[:4] == [str(process.getpid()), name, "R", str(process.getppid())]
        status = process.read_file("/proc/self/status").decode()
        escaped = name.replace("\\", r"\\").replace("\n", r"\n")
        assert status.partition("\nUmask:")[0] == f"Name:\t{escaped}"


def test_stat_shows_signals_and_threads(machine: Machine) -> None:
    seen: dict[str, list[str]] = {}

    async def thread(app):
        await app.sleep(1)

    async def program(app):
        await app.signal(signal.SIGUSR1, lambda number: None)
        await app.signal(signal.SIGHUP, signal.SIG_IGN)
        tid = await app.thread(thread, name="thread (1)")
        await app.sleep(0.1)
        for path in ("/proc/self/stat", f"/proc/self/task/{tid}/stat"):
            fd = await app.open(path, os.O_RDONLY)
            seen[path.split("/")[3]] = fields(await app.read(fd, 4096))
        seen["tasks"] = await app.listdir("/proc/self/task")
        seen["tid"] = [str(tid)]
        seen["exe"] = [await app.readlink(f"/proc/self/task/{tid}/exe"), await app.readlink("/proc/self/exe")]

    pid = machine.spawn(program, name="a program").pid
    machine.run()
    leader, other = seen["stat"], seen["task"]
    assert leader[19] == other[19] == "2"
    assert (leader[37], other[37]) == (str(int(signal.SIGCHLD)), "-1")
    assert int(leader[33]) >> signal.SIGUSR1 - 1 & 1
    assert int(leader[32]) >> signal.SIGHUP - 1 & 1
    assert (other[0], other[1], other[2]) == (seen["tid"][0], "thread (1)", "S")
    assert seen["tasks"] == [str(pid), *seen["tid"]]
    assert seen["exe"] == ["/memfd:a program (deleted)"] * 2


def test_exe_is_a_deleted_memfd(machine: Machine) -> None:
    one, other, root = (machine.blocking(uid=uid) for uid in (1000, 1001, 0))
    path = f"/proc/{one.getpid()}/exe"
    assert one.readlink(path) == root.readlink(path) == "/memfd:blocking (deleted)"
    for name in ("exe", "cwd", "root"):
        with pytest.raises(PermissionError):
            other.readlink(f"/proc/{one.getpid()}/{name}")
    with pytest.raises(FileNotFoundError):
        root.readlink("/proc/2/exe")  # a kernel thread has no executable file
    with pytest.raises(FileNotFoundError):
        one.open(path, os.O_RDONLY)
    assert machine.log.records[-1].text.startswith("simkernel: the file of a program")


def test_a_unix_socket_is_shown_by_its_path(root: Blocking) -> None:
    with root.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0) as sock:
        sock.bind("/tmp/a socket")
        inode = root.fstat(sock.descriptor).st_ino
        line = root.read_file("/proc/net/unix").decode().splitlines()[-1]
    assert line == f"{'0' * 16}: 00000002 00000000 00000000 0001 01 {inode:5d} /tmp/a socket"
    assert len(root.read_file("/proc/net/unix").decode().splitlines()) == 1
