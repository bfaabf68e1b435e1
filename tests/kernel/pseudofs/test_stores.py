"""Writes to files below /sys and /proc/sys, and numbers that such files accept (lib/kstrtox.c)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pytest

from simkernel import Machine
from simkernel.blocking.process import Blocking
from simkernel.kernel.lib.kstrtox import kstrtoint, kstrtoul
from simkernel.uapi.uevent import Uevent
from tests.kernel.conftest import Bench
from tests.kernel.refused import refused


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@pytest.fixture
def root(machine: Machine) -> Blocking:
    return machine.blocking(uid=0)


NUMBERS: list[tuple[bytes, int | str]] = [
    (b"0", 0), (b"7", 7), (b"7\n", 7), (b"7\n\n", "EINVAL"), (b"+7", 7), (b"-7", "EINVAL"), (b"-0", "EINVAL"),
    (b"0x1F", 31), (b"0X1f\n", 31), (b"017", 15), (b"08", "EINVAL"), (b"0x", "EINVAL"), (b"", "EINVAL"),
    (b"\n", "EINVAL"), (b" 7", "EINVAL"), (b"7 ", "EINVAL"), (b"1_0", "EINVAL"), (b"7\0rest", 7),
    (b"18446744073709551615", 2**64 - 1), (b"18446744073709551616", "ERANGE"),
    (b"0xffffffffffffffff", 2**64 - 1), (b"0x10000000000000000", "ERANGE"), (b"\xb2", "EINVAL"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), NUMBERS)
def test_unsigned_numbers(data: bytes, expected: int | str) -> None:
    if isinstance(expected, str):
        assert refused(lambda: kstrtoul(data)) == expected
    else:
        assert kstrtoul(data) == expected


def test_signed_numbers() -> None:
    for text, value in (("-7", -7), ("-0x10", -16), ("-010", -8), ("+3", 3), ("-0", 0), ("0", 0)):
        assert kstrtoint(text) == value
    for text in ("--1", "- 1", "1-", "9a", "0x-1"):
        assert refused(lambda text=text: kstrtoint(text)) == "EINVAL"


# -- network devices ----------------------------------------------------------------------------------

LINK = "/sys/class/net/lo/"


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("mtu", b"1500\n", b"1500\n"), ("mtu", b"0xffffffff", "EINVAL"), ("mtu", b"4294967297", b"1\n"),
        ("mtu", b"x", "EINVAL"), ("mtu", b"65536", b"65536\n"), ("flags", b"0x9", b"0x9\n"),
        ("flags", b"0x100000008", b"0x8\n"), ("netdev_group", b"5", b"5\n"),
        ("netdev_group", b"0x1fffffffe", b"-2\n"), ("netdev_group", b"0", b"0\n"),
        ("ifalias", b"name\n", b"name\n"), ("ifalias", b"a" * 255, b"a" * 255 + b"\n"),
        ("ifalias", b"a" * 256, "EINVAL"), ("ifalias", b"a\0b", b"a\n"), ("ifalias", b"", b"a\n"),
        ("proto_down", b"1", "ENOTSUP"), ("threaded", b"1", "ENOTSUP"), ("carrier", b"1", "ENOTSUP"),
        ("tx_queue_len", b"7", b"7\n"), ("ifindex", b"7", "EACCES"),
    ],
)  # fmt: skip
def test_writes_to_files_of_a_network_device(
    root: Blocking, name: str, data: bytes, expected: bytes | str
) -> None:
    def write() -> int:
        fd = root.open(LINK + name, os.O_WRONLY)
        try:
            written: int = root.write(fd, data)
        finally:
            root.close(fd)
        return written

    if isinstance(expected, str):
        assert refused(write).replace("ENOTSUP", "ENOTSUP") in (
            expected,
            "EACCES" if name == "ifindex" else "",
        )
    else:
        assert write() == len(data)
        assert root.read_file(LINK + name) == expected


def test_a_user_cannot_set_a_network_device(machine: Machine, root: Blocking) -> None:
    user = machine.blocking(uid=0)
    fd = user.open(LINK + "mtu", os.O_WRONLY)
    user.capset([])
    for data in (b"1400", b"x"):
        assert refused(lambda data=data: user.write(fd, data)) == "EPERM"
    assert root.read_file(LINK + "mtu") != b"1400\n"


def test_a_mode_of_a_file_in_sys_cannot_be_changed(machine: Machine, root: Blocking) -> None:
    for path, mode in ((LINK + "mtu", 0o644), (LINK, 0o755), ("/sys/class", 0o755)):
        root.chmod(path, mode)
        root.chown(path, 0, -1)
        assert refused(lambda path=path: root.chmod(path, 0o600)) == "EPERM"
        for uid, gid in ((1, -1), (-1, 1), (0, 1)):
            assert refused(lambda path=path, uid=uid, gid=gid: root.chown(path, uid, gid)) == "EPERM"
    assert any("mode or owner of a file in /sys" in record.text for record in machine.log.records)


# -- uptime and settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ns", "text"),
    [(9_999_999, b"0.00"), (10_000_000, b"0.01"), (990_000_000, b"0.99"), (999_999_999, b"0.99"),
     (1_000_000_000, b"1.00"), (61_050_000_000, b"61.05")],
)  # fmt: skip
def test_uptime_is_cut_to_hundredths(ns: int, text: bytes) -> None:
    with Machine(udev=False) as machine:
        root = machine.blocking(uid=0)
        fd = root.open("/proc/uptime", os.O_RDONLY)
        shown = []
        for at in (ns - 5000, ns + 4000):
            machine.run(until=at)
            shown.append(root.pread(fd, 100, 0))
        assert text + b" 0.00\n" in shown


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"1", b"1\t4\t1\t7\n"), (b"1 2 3 4", b"1\t2\t3\t4\n"), (b"1 2 3 4 5", b"1\t2\t3\t4\n"),
        (b"-1\t0x10\n", b"-1\t16\t1\t7\n"), (b"", b"7\t4\t1\t7\n"), (b" \n", "EINVAL"), (b"1 x", "EINVAL"),
        (b"2147483647", b"2147483647\t4\t1\t7\n"), (b"2147483648", "EINVAL"),
        (b"-2147483648", b"-2147483648\t4\t1\t7\n"), (b"-2147483649", "EINVAL"),
    ],
)  # fmt: skip
def test_integers_of_a_setting(machine: Machine, root: Blocking, data: bytes, expected: bytes | str) -> None:
    path = "/proc/sys/kernel/printk"
    machine.kernel.syslog.levels[:] = [7, 4, 1, 7]
    fd = root.open(path, os.O_WRONLY)
    if isinstance(expected, str):
        assert refused(lambda: root.write(fd, data)) == expected
        assert root.read_file(path) == b"7\t4\t1\t7\n"
    else:
        assert root.write(fd, data) == len(data)
        assert root.read_file(path) == expected


def test_a_switch_needs_privilege(machine: Machine, root: Blocking) -> None:
    path = "/proc/sys/kernel/dmesg_restrict"
    user = machine.blocking(uid=0)
    fds = [each.open(path, os.O_WRONLY) for each in (root, user)]
    user.capset([])
    assert refused(lambda: user.write(fds[1], b"0")) == "EPERM"
    for data, shown in ((b"0", b"0\n"), (b"1", b"1\n")):
        assert root.write(fds[0], data) == 1
        assert root.read_file(path) == shown
    for data in (b"2", b"-1"):
        assert refused(lambda data=data: root.write(fds[0], data)) == "EINVAL"
    assert root.read_file("/proc/sys/kernel/tainted") == b"0\n"


# -- other texts of the log -----------------------------------------------------------------------------


def test_dev_lists_character_devices_by_number(root: Blocking) -> None:
    """/sys/dev/char does not list a device without a number."""
    assert root.listdir("/sys/dev/block") == []
    assert sorted(root.listdir("/sys/dev/char")) == ["1:11", "1:3", "1:5", "1:7", "1:8", "1:9"]


PARAMETERS = """
from simkernel.driverapi.module import *
MODULE = Module(license='GPL', parameters=(
    ModuleParameter('number', int, 1, minimum=1, maximum=9), ModuleParameter('least', int, 3, minimum=3),
    ModuleParameter('most', int, 0, maximum=3), ModuleParameter('flag', bool, False),
    ModuleParameter('text', str, ''), ModuleParameter('list', int, (), array=2),
))
def init(this): return this
"""


@pytest.mark.parametrize(
    ("line", "number", "text"),
    [
        ("number=x", errno.EINVAL, "`x' invalid for parameter `number' (expected an int from 1 to 9)"),
        ("number=10", errno.EINVAL, "`10' invalid for parameter `number' (expected an int from 1 to 9)"),
        ("least=2", errno.EINVAL, "`2' invalid for parameter `least' (expected an int of at least 3)"),
        ("most=4", errno.EINVAL, "`4' invalid for parameter `most' (expected an int of at most 3)"),
        ("flag=x", errno.EINVAL, "`x' invalid for parameter `flag' (expected y or n)"),
        ("list=1,2,3", errno.EINVAL, "`1,2,3' invalid for parameter `list' (expected up to 2 of: an int)"),
        ("list=1,x", errno.EINVAL, "`1,x' invalid for parameter `list' (expected up to 2 of: an int)"),
        ("number", errno.EINVAL, "`' invalid for parameter `number' (expected an int from 1 to 9)"),
        ("number=99999999999", errno.ERANGE,
         "`99999999999' invalid for parameter `number' (expected an int from 1 to 9)"),
        ("other=1", 0, "unknown parameter 'other' ignored"),
        ("flag=ox", errno.EINVAL, "`ox' invalid for parameter `flag' (expected y or n)"),
        ("flag=of", 0, ""), ("flag=oN", 0, ""), ("list=1,2", 0, ""), ("number=9 most=3 least=3", 0, ""),
        ("text=" + "y" * 600 + "é" * 213, errno.ENOSPC, "too large"),
    ],
)  # fmt: skip
def test_parameters_of_a_module(bench: Bench, line: str, number: int, text: str) -> None:
    bench.write("m.py", PARAMETERS)
    root = bench.root
    try:
        root.run(root.app.call("finit_module", "m", line))
        found = 0
    except OSError as raised:
        found = raised.errno or 0
    assert found == number
    if text == "too large":
        assert bench.log[-1].startswith("m: `yyy")
    elif text:
        assert f"m: {text}" in bench.log


# -- synthetic uevents -------------------------------------------------------------------------------------

UUID = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("path", "devpath", "subsystem"),
    [
        ("/sys/class/net/lo", "/devices/virtual/net/lo", "net"),
        ("/sys/bus/simbus", "/bus/simbus", "bus"),
        ("/sys/class/mem/null", "/devices/virtual/mem/null", "mem"),
        ("/sys/devices/virtual/mem/zero", "/devices/virtual/mem/zero", "mem"),
    ],
)  # fmt: skip
def test_a_written_uevent_is_sent(
    machine: Machine, root: Blocking, monkeypatch: pytest.MonkeyPatch, path: str, devpath: str, subsystem: str
) -> None:
    """A text written to a `uevent` file has an action, a UUID and arguments (`kobject_synth_uevent()`)."""
    seen: list[Uevent] = []
    monkeypatch.setattr(machine.kernel.uevents, "broadcast", lambda event, net: seen.append(event))
    fd = root.open(f"{path}/uevent", os.O_WRONLY)
    for text, action, extra in (
        ("add", "add", {"SYNTH_UUID": "0"}), ("remove\n", "remove", {"SYNTH_UUID": "0"}),
        (f"change {UUID}", "change", {"SYNTH_UUID": UUID}),
        (f"online {UUID} A=1 b2=C\n", "online",
         {"SYNTH_UUID": UUID, "SYNTH_ARG_A": "1", "SYNTH_ARG_b2": "C"}),
    ):  # fmt: skip
        assert root.write(fd, text.encode()) == len(text)
        event = seen.pop()
        assert (seen, event.action, event.devpath) == ([], action, devpath)
        found = {key: value for key, value in event.variables.items() if key.startswith("SYNTH")}
        assert found == extra
        assert event.variables["SUBSYSTEM"] == subsystem
    for text in (
        "\n", "Add", "add ", "add x", f"add {UUID[:-1]}", f"add {UUID} a", f"add {UUID} a=",
        f"add {UUID} =1", f"add {UUID} a=1 b=-", "add  x",
    ):  # fmt: skip
        assert refused(lambda text=text: root.write(fd, text.encode())) == "EINVAL"
    assert seen == []
