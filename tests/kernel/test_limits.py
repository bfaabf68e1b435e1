"""Limits of the kernel that programs and drivers rarely reach: the largest accepted value, and the next."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, micros, millis
from simkernel.kernel.module.awaiting import Calls
from simkernel.kernel.sched.wait import sleep_on
from simkernel.kernel.vfs.file import makedev
from simkernel.kernel.workqueue import Work
from simkernel.uapi.socket import AF_UNIX, SOCK_DGRAM
from simkernel.uapi.uevent import Uevent
from tests.kernel.conftest import Bench
from tests.kernel.refused import refused


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


# -- processes --------------------------------------------------------------------------------


def test_groups_of_a_process(machine: Machine) -> None:
    """A process can have NGROUPS_MAX supplementary groups. A group id of -1 fails with EINVAL
    (`groups_from_user()`).
    """
    root = machine.blocking(uid=0)
    setgroups = lambda groups: root.run(root.app.call("setgroups", groups))  # noqa: E731
    top = (1 << 32) - 1
    for groups in ([], [0], [top - 1], list(range(65536)), [5] * 65536):
        setgroups(groups)
        assert root.getgroups() == sorted(set(groups))
    for groups in ([top], [0, top], [-1], list(range(65537)), [5] * 65537):
        assert refused(lambda groups=groups: setgroups(groups)) == "EINVAL"
    assert root.getgroups() == [5]


def test_capabilities_are_only_dropped(machine: Machine) -> None:
    root = machine.blocking(uid=0)
    every = range(41)
    root.capset(every)
    root.capset([0, 5])
    root.capset([0, 5])
    for more in ([0, 5, 6], [1], every):
        assert refused(lambda more=more: root.capset(more)) == "EPERM"
    root.capset([5])
    assert f"CapEff:\t{1 << 5:016x}".encode() in root.read_file("/proc/self/status")


@pytest.mark.parametrize("length", [14, 15, 16, 40])
def test_names_of_tasks_are_cut(machine: Machine, length: int) -> None:
    root = machine.blocking(uid=0)
    root.run(root.app.call("prctl_comm", "n" * length))
    assert root.read_file("/proc/self/comm") == b"n" * min(length, 15) + b"\n"
    pid = machine.spawn(lambda app: app.sleep(1), name="m" * length).pid
    assert root.read_file(f"/proc/{pid}/comm") == b"m" * min(length, 15) + b"\n"


def test_process_ids_wrap(machine: Machine) -> None:
    """After process id 4194303, the kernel assigns the free ids from 300 on."""
    processes = machine.kernel.processes
    processes._last_pid = 4_194_301
    found = [machine.blocking().getpid() for _ in range(3)]
    assert found == [4_194_302, 4_194_303, 300]
    processes._last_pid = 4_194_303
    assert machine.blocking().getpid() == 301


# -- files --------------------------------------------------------------------------------------


def test_devices_of_files_without_a_path(machine: Machine) -> None:
    app = machine.blocking()
    sock = app.socket(AF_UNIX, SOCK_DGRAM)
    kinds = {
        "pipe": (app.pipe()[0], 15, stat.S_IFIFO | 0o600), "eventfd": (app.eventfd(0), 16, 0o600),
        "socket": (sock.descriptor, 9, stat.S_IFSOCK | 0o777),
    }  # fmt: skip
    for name, (fd, minor, mode) in kinds.items():
        status = app.fstat(fd)
        assert (name, status.st_dev, status.st_mode) == (name, makedev(0, minor), mode)
        assert (status.st_nlink, status.st_size, status.st_blksize, status.st_blocks) == (1, 0, 4096, 0)
    assert app.fstat(kinds["pipe"][0]).st_ino != app.fstat(kinds["socket"][0]).st_ino


def test_sizes_of_a_directory(machine: Machine) -> None:
    """Each entry of a tmpfs directory adds 20 bytes. `.` and `..` count too."""
    app = machine.blocking()
    app.mkdir("/tmp/d")
    for count in range(3):
        status = app.stat("/tmp/d")
        assert (status.st_size, status.st_nlink) == (20 * (2 + count), 2 + count)
        app.mkdir(f"/tmp/d/{count}")
    fd = app.open("/tmp/d", os.O_RDONLY)
    for size in (0, 1, 23):
        assert refused(lambda size=size: app.run(app.app.call("getdents64", fd, size))) == "EINVAL"
    read: list[bytes] = []
    while data := app.run(app.app.call("getdents64", fd, 24)):
        read.append(data)
    assert [data[19:].split(b"\0")[0] for data in read] == [b".", b"..", b"2", b"1", b"0"]
    app.lseek(fd, 0, 0)
    assert app.run(app.app.call("getdents64", fd, 3 * 24 + 23)) == b"".join(read[:3])
    for number, entry in enumerate(read, start=1):  # lseek(2) to d_off continues after the entry
        app.lseek(fd, int.from_bytes(entry[8:16], "little"), os.SEEK_SET)
        assert app.run(app.app.call("getdents64", fd, 4096)) == b"".join(read[number:])


# -- devices and modules ---------------------------------------------------------------------------


def test_variables_of_a_uevent(machine: Machine) -> None:
    """A uevent has at most 64 variables, with at most 2048 bytes in total (`add_uevent_var()`)."""
    seen: list[Uevent] = []
    uevents = machine.kernel.uevents
    uevents.broadcast = lambda event, net: seen.append(event)
    sequence = uevents.sequence
    fixed = len(f"ACTION=add\0DEVPATH=/d\0SUBSYSTEM=s\0SEQNUM={sequence + 1}\0")
    for count, sent in ((60, True), (61, False)):
        uevents.send("add", "/d", "s", {f"V{number}": "" for number in range(count)})
        assert bool(seen) == sent
        assert uevents.sequence == sequence + 1
        seen.clear()
    uevents.sequence = sequence
    for length, sent in ((2048, True), (2049, False)):
        uevents.send("add", "/d", "s", {"V": "x" * (length - fixed - len("V=\0"))})
        assert bool(seen) == sent
        seen.clear()
    assert [record.text for record in machine.log.records] == [
        "WARNING: add_uevent_var: too many keys, or buffer size too small (/d)"
    ] * 2


def test_dynamic_majors_are_taken_from_above(machine: Machine) -> None:
    """Dynamic major numbers go from 254 down to 234, then from 511 down to 384 (`find_dynamic_major()`)."""
    devices = machine.kernel.char_devices
    found = [devices.register_region(None, 0, 0, 1, "x").major for _ in range(149)]
    assert found == [*range(254, 233, -1), *range(511, 383, -1)]
    assert refused(lambda: devices.register_region(None, 0, 0, 1, "x")) == "EBUSY"


@pytest.mark.parametrize(("limit", "queue"), [(256, "default"), (1, "ordered")])
def test_items_of_a_workqueue_that_run_at_once(machine: Machine, limit: int, queue: str) -> None:
    queues = machine.kernel.work_queues
    made = queues.allocate(None, "w") if queue == "default" else queues.allocate(None, "w", 1)
    running, most = [0], [0]

    async def run(work: Work) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await sleep_on(deadline=machine.engine.time() + millis(10))
        running[0] -= 1

    before = queues.executed
    for _ in range(limit + 3):
        made.add(Work(None, "item", run))
    machine.run(until=machine.now + millis(9))
    assert most == [limit]
    machine.run(until=machine.now + millis(60))
    assert (running, queues.executed) == ([0], before + limit + 3)
    for number in range(2):
        machine.kernel.processes.kthread("destroyer", queues.destroy(made))
        machine.run(until=machine.now + micros(900))
        assert queues.executed == before + limit + 3, number
    other = queues.allocate(None, "o")
    other.add(Work(None, "item", run))
    machine.run(until=machine.now + millis(20))
    machine.kernel.processes.kthread("destroyer", queues.destroy(other))
    machine.run(until=machine.now + millis(1))
    assert queues.executed == before + limit + 4


@pytest.mark.parametrize(("length", "error"), [(1024, 0), (1025, errno.ENOSPC)])
def test_length_of_a_text_parameter(bench: Bench, length: int, error: int) -> None:
    bench.write(
        "m.py",
        "from simkernel.driverapi.module import *\n"
        "MODULE = Module(license='GPL', parameters=(ModuleParameter('text', str, ''),))\n"
        "def init(this): return this\n",
    )
    try:
        bench.root.insmod("m", text="x" * length)
        found = 0
    except OSError as raised:
        found = raised.errno or 0
    assert found == error
    if error:
        assert bench.log[-1].startswith(f"m: `{'x' * 1000}")


def test_calls_that_are_remembered() -> None:
    """The 64 newest calls of a module are checked for a forgotten await."""
    import sys

    async def call() -> None:
        pass

    calls = Calls()
    made: list[Any] = [call() for _ in range(70)]
    names = {"__simkernel_module__": ("m", "m.py"), "calls": calls, "made": made, "frame": sys._getframe}
    exec("for number, each in enumerate(made):\n    calls.remember(each, f'f{number}', frame(0))", names)
    lost = calls.take_lost("m")
    assert lost == [f"f{number} at m.py:2" for number in range(6, 70)]
    assert calls.take_lost("m") == []
    for each in made:
        each.close()
    exec("for each in made[:2]:\n    calls.remember(each, 'closed', frame(0))", names)
    assert calls.take_lost("m") == []
