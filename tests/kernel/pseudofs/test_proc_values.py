"""/proc: exact texts, modes and owners of the files of a small machine (fs/proc/array.c, base.c)."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, millis, seconds
from simkernel.blocking.process import Blocking
from simkernel.kernel.irq.descriptor import IRQF_SHARED
from tests.kernel.conftest import Bench
from tests.kernel.refused import refused


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


# -- modes and owners ------------------------------------------------------------------

MODES = {
    "": "dr-xr-xr-x", "fd": "dr-x------", "fdinfo": "dr-xr-xr-x", "net": "dr-xr-xr-x", "ns": "dr-x--x--x",
    "task": "dr-xr-xr-x", "cmdline": "-r--r--r--", "comm": "-rw-r--r--", "status": "-r--r--r--",
    "stat": "-r--r--r--", "mounts": "-r--r--r--", "net/dev": "-r--r--r--", "cwd": "lrwxrwxrwx",
    "root": "lrwxrwxrwx", "exe": "lrwxrwxrwx", "ns/net": "lrwxrwxrwx", "fd/3": "lr-x------",
    "fdinfo/3": "-r--r--r--", "net/netlink": "-r--r--r--", "net/unix": "-r--r--r--",
}  # fmt: skip
"""The mode of each file of a process, as `ls -l /proc/self/` shows it on Linux 6.18."""
GLOBAL = {
    "": "dr-xr-xr-x", "devices": "-r--r--r--", "filesystems": "-r--r--r--", "interrupts": "-r--r--r--",
    "kmsg": "-r--------", "loadavg": "-r--r--r--", "mounts": "lrwxrwxrwx", "net": "lrwxrwxrwx",
    "self": "lrwxrwxrwx", "thread-self": "lrwxrwxrwx", "sys": "dr-xr-xr-x", "sys/kernel": "dr-xr-xr-x",
    "sys/kernel/printk": "-rw-r--r--", "sys/kernel/dmesg_restrict": "-rw-r--r--", "uptime": "-r--r--r--",
    "version": "-r--r--r--", "modules": "-r--r--r--",
}  # fmt: skip


def test_modes_and_owners(machine: Machine) -> None:
    """The files of a process belong to its user, all others to root."""
    user, root = machine.blocking(uid=1000), machine.blocking(uid=0)
    assert user.open("/dev/null", os.O_RDONLY) == 3
    pid = user.getpid()
    for folder in (f"/proc/{pid}", f"/proc/{pid}/task/{pid}"):
        for name, mode in MODES.items():
            if "task" in folder and name == "task":
                continue
            found = root.lstat(f"{folder}/{name}".rstrip("/"))
            assert (name, stat.filemode(found.st_mode)) == (name, mode)
            assert (name, found.st_uid, found.st_gid) == (name, 1000, 1000)
    for name, mode in GLOBAL.items():
        found = root.lstat(f"/proc/{name}".rstrip("/"))
        assert (name, stat.filemode(found.st_mode)) == (name, mode)
        assert (name, found.st_uid, found.st_gid, found.st_size) == (name, 0, 0, 0)


def test_a_mode_of_a_file_in_proc_cannot_be_changed(machine: Machine) -> None:
    """chmod(2) of a file of a process or in /proc/sys fails with EPERM, even if it changes nothing
    (`proc_setattr()`, `proc_sys_setattr()`). For other files, a chmod or chown that changes nothing succeeds.
    """
    root = machine.blocking(uid=0)
    pid = root.getpid()
    for name in (f"{pid}/comm", f"{pid}/task", "sys/kernel", "version"):
        path = f"/proc/{name}"
        mode = stat.S_IMODE(root.stat(path).st_mode)
        if name == "version":
            root.chmod(path, mode)
        else:
            assert refused(lambda path=path, mode=mode: root.chmod(path, mode)) == "EPERM"
        root.chown(path, 0, 0)
        root.chown(path, -1, -1)
        assert refused(lambda path=path, mode=mode: root.chmod(path, mode ^ 1)) == "EPERM"
        assert bool(machine.log.records) == (name == "version")
    for uid, gid in ((1, 0), (0, 1), (1, -1), (-1, 1)):
        assert refused(lambda uid=uid, gid=gid: root.chown("/proc/uptime", uid, gid)) == "EPERM"


# -- stat and status ----------------------------------------------------------------------


def texts(root: Blocking, pid: int) -> list[str]:
    return [root.read_file(f"/proc/{pid}/{name}").decode() for name in ("stat", "status")]


def expected_stat(pid: int, comm: str, state: str, fields: dict[int, int]) -> str:
    """Return the text of /proc/PID/stat. `fields` maps the field numbers of proc_pid_stat(5) to values. Each
    other field has its usual value, mostly 0.
    """
    usual = {8: -1, 18: 20, 20: 1, 25: 2**64 - 1, 33: 1 << signal.SIGPIPE - 1, 38: 17}
    numbers = usual | fields
    rest = " ".join(str(numbers.get(number, 0)) for number in range(4, 53))
    return f"{pid} ({comm}) {state} {rest}\n"


def test_stat_and_status_of_each_state(machine: Machine) -> None:
    root = machine.blocking(uid=0)
    root.setgroups([300, 7, 20])
    pids: dict[str, int] = {}

    async def sleeper(app: Any) -> None:
        await app.umask(0o27)
        await app.thread(lambda app: app.sleep(9), name="second")
        await app.sleep(9)

    async def ends(app: Any) -> None:
        await app.exit(3)

    async def parent(app: Any) -> None:
        pids["zombie"] = await app.spawn(ends, name="ends")
        await app.signal(signal.SIGUSR2, signal.SIG_IGN)
        await app.signal(signal.SIGTERM, lambda number: None)
        await app.signal(40, lambda number: None)
        await app.setgid(100)
        await app.setuid(1000)
        await app.sleep(9)

    pids["sleeper"] = machine.spawn(sleeper, name="sleeper", uid=5).pid
    pids["parent"] = machine.spawn(parent, name="par\\ent").pid
    machine.run(until=millis(10))
    pid, sleeping, zombie = pids["parent"], pids["sleeper"], pids["zombie"]
    found, status = texts(root, pid)
    ppid = int(found.split()[3])
    capabilities = f"{(1 << 41) - 1:016x}"
    ignored = 1 << signal.SIGPIPE - 1  # Python ignores SIGPIPE
    masks = {33: ignored | 1 << signal.SIGUSR2 - 1, 34: 1 << signal.SIGTERM - 1}
    assert found == expected_stat(pid, "par\\ent", "S", {4: ppid} | masks)
    assert status == (
        f"Name:\tpar\\\\ent\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t{pid}\nPid:\t{pid}\nPPid:\t{ppid}\n"
        f"Uid:\t1000\t1000\t1000\t1000\nGid:\t100\t100\t100\t100\nGroups:\t \nThreads:\t1\n"
        f"CapEff:\t{0:016x}\n"
    )
    found, status = texts(root, sleeping)
    assert found == expected_stat(sleeping, "sleeper", "S", {4: ppid, 20: 2})
    assert status.split("\n")[1] == "Umask:\t0027"
    assert status.split("\n")[6:10] == [
        "Uid:\t5\t5\t5\t5", "Gid:\t5\t5\t5\t5", "Groups:\t ", "Threads:\t2",
    ]  # fmt: skip
    found, status = texts(root, zombie)
    assert found == expected_stat(zombie, "ends", "Z", {4: pid})
    assert status.split("\n")[2] == "State:\tZ (zombie)"
    found, status = texts(root, root.getpid())
    assert found == expected_stat(root.getpid(), "blocking", "R", {4: root.getppid()})
    assert status.split("\n")[2:] == [
        "State:\tR (running)", f"Tgid:\t{root.getpid()}", f"Pid:\t{root.getpid()}",
        f"PPid:\t{root.getppid()}", "Uid:\t0\t0\t0\t0", "Gid:\t0\t0\t0\t0", "Groups:\t7 20 300 ",
        "Threads:\t1", f"CapEff:\t{capabilities}", "",
    ]  # fmt: skip
    for thread, name, state in ((3, "irq/0-hotplug", "S"), (4, "kworker/events", "I")):
        found, status = texts(root, thread)
        assert found == expected_stat(thread, name, state, {4: 2, 9: 0x200000, 33: 0})
        assert status.split("\n")[2] == f"State:\t{'S (sleeping)' if state == 'S' else 'I (idle)'}"
    for pid, name in ((1, "init"), (2, "kthreadd")):
        stat_text, status = texts(root, pid)
        assert stat_text.split()[:2] + stat_text.split()[3:4] == [str(pid), f"({name})", "0"]
        assert "PPid:\t0\n" in status
    fd = root.memfd_create("m")
    root.ftruncate(fd, 10_000)
    mapping = root.mmap(fd, 10_000)
    assert texts(root, root.getpid())[0].split()[21:25] == ["0", "12288", "0", str(2**64 - 1)]
    del mapping
    assert root.read_file("/proc/2/cmdline") == b""
    assert root.read_file(f"/proc/{sleeping}/cmdline") == b"sleeper\0"
    assert refused(lambda: root.readlink(f"/proc/{zombie}/exe")) == "ENOENT"


def test_pending_signals_and_mapped_memory_in_stat(machine: Machine) -> None:
    """/proc/PID/stat does not show signals above 31."""
    root = machine.blocking(uid=0)

    async def program(app: Any) -> None:
        for number in (signal.SIGUSR1, signal.SIGALRM, 32, 33, 35):
            await app.signal(number, lambda number: None)
        await app.compute(seconds(1))

    pid = machine.spawn(program).pid
    machine.run(until=millis(5))
    for number in (signal.SIGUSR1, signal.SIGALRM, 32, 33, 35):
        root.kill(pid, number)
    stat_fields = texts(root, pid)[0].split()
    assert stat_fields[2] == "R"
    mask = 1 << signal.SIGUSR1 - 1 | 1 << signal.SIGALRM - 1
    assert (stat_fields[30], stat_fields[33]) == (str(mask), str(mask))


def test_files_of_a_process_that_is_gone(machine: Machine) -> None:
    """If a process has been reaped, a read of its /proc file that was opened earlier fails with ESRCH."""
    root = machine.blocking(uid=0)
    process = machine.spawn(lambda app: app.sleep(0.01))
    fds = [root.open(f"/proc/{process.pid}/{name}", os.O_RDONLY) for name in ("stat", "status", "comm")]
    task = root.open(f"/proc/{process.pid}/cmdline", os.O_RDONLY)
    machine.run(until=millis(50))
    for fd in (*fds, task):
        assert refused(lambda fd=fd: root.read(fd, 100)) == "ESRCH"


# -- loadavg -----------------------------------------------------------------------------


def load(machine: Machine) -> str:
    return machine.blocking(uid=0).read_file("/proc/loadavg").decode()


def test_loadavg_counts_running_and_uninterruptible_tasks(tmp_path: Any) -> None:
    """The fourth field of /proc/loadavg counts the running tasks, including the reader of the file. The
    averages count the other running tasks and the processes in uninterruptible sleep. Kernel threads in
    uninterruptible sleep do not count.
    """
    bench = Bench(tmp_path)
    bench.module(
        "slow",
        """
        async def init(this):
            await msleep(this, 60_000)

        def exit(this, state):
            pass
    """,
    )
    machine = bench.machine
    try:
        averages = lambda active: f"{active}.00 {active}.00 {active}.00"  # noqa: E731
        text = load(machine)
        assert text.split()[:4] == ["0.00", "0.00", "0.00", f"1/{len(machine.kernel.processes)}"]
        machine.run(until=seconds(20_000))
        machine.spawn(lambda app: app.sleep(1_000_000), name="sleeper")
        for _ in range(3):
            machine.spawn(lambda app: app.compute(seconds(9)), name="busy")
        machine.run(until=seconds(20_000) + millis(1))
        text = load(machine)
        assert text.startswith(averages(3))
        last = machine.blocking(uid=0)
        assert text.split()[3] == f"4/{len(machine.kernel.processes) - 1}"
        assert text.split()[4] == str(last.getpid() - 1)

        async def insmod(app: Any) -> None:
            await app.insmod("slow")

        machine.spawn(insmod, name="insmod")
        machine.run(until=machine.now + seconds(6))
        text = load(machine)
        assert text.split()[0] == "3.08"
        assert text.split()[3].split("/")[0] == "4"
    finally:
        bench.close()


# -- interrupts and modules ---------------------------------------------------------------


def test_interrupts_lists_each_line_with_its_handlers() -> None:
    """Interrupts are counted for CPU 0. The row of a shared interrupt lists all handlers."""
    with Machine(udev=False, cpus=3) as machine:
        interrupts = machine.kernel.interrupts
        for name in ("one", "two"):
            interrupts.request(None, 9, lambda irq, cookie: 1, name, name, flags=IRQF_SHARED)
        interrupts.request(None, 4, lambda irq, cookie: 1, "other")
        interrupts.lines[9].count = 12_345
        assert machine.blocking(uid=0).read_file("/proc/interrupts").decode() == (
            "           CPU0       CPU1       CPU2       \n"
            "  0:          0          0          0   simbus   0-level     hotplug\n"
            "  4:          0          0          0   simbus   4-level     other\n"
            "  9:      12345          0          0   simbus   9-level     one, two\n"
        )


def test_modules_lists_users_states_and_taints(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    give = "def give(this):\n    return 1\n\ndef init(this):\n    pass\n"
    bench.module("base", give, exports=("give",))
    body = "def init(this):\n    pass\n"
    bench.module("closed", body, license="Proprietary", imports=("give",))
    bench.module("kept", body, imports=("give",))
    try:
        for name in ("base", "closed", "kept"):
            bench.load(name)
        lines = [line.split() for line in bench.root.read_file("/proc/modules").decode().splitlines()]
        address = "0x0000000000000000"
        sizes = {line[0]: line[1] for line in lines}
        assert lines == [
            ["kept", sizes["kept"], "0", "[permanent],", "Live", address, "(O)"],
            ["closed", sizes["closed"], "0", "[permanent],", "Live", address, "(PO)"],
            ["base", sizes["base"], "2", "kept,closed,[permanent],", "Live", address, "(O)"],
        ]
    finally:
        bench.close()
