"""/sys agrees with the kernel's objects, and programs read and write its files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from simkernel import Machine, millis
from simkernel.blocking.process import Blocking
from simkernel.hardware import Camera
from tests.kernel.conftest import Bench
from tests.kernel.device.test_simbus import Lamp
from tests.kernel.refused import refused

BUS = "/sys/bus/simbus"
DRIVER = f"{BUS}/drivers/camera"


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine() as machine:
        machine.plug(Camera())
        machine.run(until=millis(20))
        yield machine


@pytest.fixture
def root(machine: Machine) -> Blocking:
    return machine.blocking(uid=0)


def write(root: Blocking, path: str, text: bytes) -> int:
    """Write `text` to the file, like echo TEXT > PATH."""
    fd = root.open(path, os.O_WRONLY)
    try:
        return root.write(fd, text)
    finally:
        root.close(fd)


def test_a_program_unbinds_and_binds(root: Blocking) -> None:
    assert root.readlink(f"{DRIVER}/0:1") == "../../../../devices/simbus0/0:1"
    assert write(root, f"{DRIVER}/unbind", b"0:1\n") == 4
    assert "0:1" not in root.listdir(DRIVER)
    assert "video0" not in root.listdir("/dev")
    assert root.listdir("/sys/class/video4linux") == []
    assert refused(lambda: write(root, f"{DRIVER}/unbind", b"0:1")) == "ENODEV"
    assert write(root, f"{DRIVER}/bind", b"0:1") == 3
    assert "video0" in root.listdir("/dev")
    assert refused(lambda: write(root, f"{DRIVER}/bind", b"0:1")) == "EBUSY"
    assert refused(lambda: write(root, f"{DRIVER}/bind", b"0:9")) == "ENODEV"


def test_a_probe_that_fails_is_the_writers_error(bench: Bench) -> None:
    bench.module(
        "moody",
        """
        ID = SimbusDeviceId(0x51B5, 0x1A3B)
        async def init(this):
            errors = []
            def probe(device):
                if errors:
                    raise os_error(errors[0])
            driver = await simbus_register_driver(this, (ID,), probe, lambda device: None)
            return errors, driver
        async def exit(this, data):
            await simbus_unregister_driver(data[1])
    """,
    )
    bench.machine.plug(Lamp())
    bench.pass_time(millis(1))
    errors, _ = bench.load("moody")
    driver = f"{BUS}/drivers/moody"
    write(bench.root, f"{driver}/unbind", b"0:1")
    for number, name in ((5, "EIO"), (19, "ENODEV"), (517, "EAGAIN")):  # 517 is EPROBE_DEFER
        errors[:] = [number]
        assert refused(lambda: write(bench.root, f"{driver}/bind", b"0:1")) == name
    errors.clear()
    write(bench.root, f"{driver}/bind", b"0:1")
    assert "0:1" in bench.root.listdir(driver)


def test_nothing_is_bound_unasked_where_that_is_switched_off(machine: Machine, root: Blocking) -> None:
    assert root.read_file(f"{BUS}/drivers_autoprobe") == b"1\n"
    write(root, f"{BUS}/drivers_autoprobe", b"0\n")
    machine.plug(Camera())
    machine.run(until=machine.now + millis(20))
    assert root.listdir(DRIVER).count("0:2") == 0
    assert refused(lambda: write(root, f"{BUS}/drivers_probe", b"0:7")) == "ENODEV"
    write(root, f"{BUS}/drivers_probe", b"0:2")
    assert "0:2" in root.listdir(DRIVER)


def test_only_root_may(machine: Machine) -> None:
    user = machine.blocking(uid=1000)
    for path in (f"{DRIVER}/unbind", f"{BUS}/drivers_autoprobe", "/sys/devices/simbus0/0:1/uevent"):
        assert refused(lambda path=path: write(user, path, b"0:1")) == "EACCES"


REFUSED = [
    ("EPERM", "mkdir", "/sys/new"),
    ("EACCES", "open", "/sys/class/new", os.O_CREAT | os.O_WRONLY),
    ("EPERM", "unlink", "/sys/class/mem/null"),
    ("EPERM", "unlink", "/sys/devices/virtual/mem/null/uevent"),
    ("EPERM", "rename", "/sys/class", "/sys/other"),
    ("EPERM", "rename", "/sys/class", "/sys/devices"),
    ("EPERM", "rmdir", "/sys/class"),
    ("EPERM", "symlink", "a", "/sys/new"),
    ("EACCES", "mknod", "/sys/new"),
    ("EPERM", "link", "/sys/kernel/uevent_seqnum", "/sys/new"),
    ("EACCES", "open", "/sys/kernel/uevent_seqnum", os.O_WRONLY),
    ("ENOENT", "mkdir", "/proc/new"),
    ("ENOENT", "open", "/proc/new", os.O_CREAT),
    ("EPERM", "unlink", "/proc/uptime"),
    ("ENOENT", "symlink", "a", "/proc/new"),
    ("ENOENT", "rename", "/proc/uptime", "/proc/new"),
    ("EPERM", "rename", "/proc/uptime", "/proc/version"),
    ("EPERM", "chmod", "/proc/self/comm", 0o600),
    ("ENOENT", "link", "/proc/uptime", "/proc/new"),
    ("ENOENT", "mknod", "/proc/new"),
    ("EPERM", "rmdir", "/proc/self/fd"),
]
"""Operations in /sys and /proc that fail even for root: the error, the call and its arguments."""


def test_nothing_is_made_or_taken_away(root: Blocking) -> None:
    assert root.listdir("/sys")
    for name, call, *arguments in REFUSED:
        assert refused(lambda call=call, arguments=arguments: getattr(root, call)(*arguments)) == name, call


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="wants a Linux, and root")
def test_nor_on_this_host() -> None:
    for name, call, *arguments in REFUSED:
        assert refused(lambda call=call, arguments=arguments: getattr(os, call)(*arguments)) == name, call


def test_an_attribute_of_a_device_that_goes(machine: Machine, root: Blocking) -> None:
    fd = root.open("/sys/class/video4linux/video0/name", os.O_RDONLY)
    assert root.read(fd, 100) == b"Virtual camera\n"
    write(root, f"{DRIVER}/unbind", b"0:1")
    root.lseek(fd, 0, os.SEEK_SET)
    assert refused(lambda: root.read(fd, 100)) == "ENODEV"


def test_reads_of_an_open_directory_show_the_current_entries(machine: Machine, root: Blocking) -> None:
    """If a directory changes while a program reads it, the program gets the entries that exist at the time of
    each read.
    """
    fd = root.open("/sys/class/video4linux", os.O_RDONLY)
    assert root.listdir(fd) == ["video0"]
    write(root, f"{DRIVER}/unbind", b"0:1")
    assert root.listdir(fd) == []


def test_one_source(machine: Machine, root: Blocking) -> None:
    """/sys, /proc and /dev agree, because they read the same objects."""
    modules = {
        line.split()[0]: line.split()[2] for line in root.read_file("/proc/modules").decode().splitlines()
    }
    assert set(root.listdir("/sys/module")) == set(modules)
    for name, references in modules.items():
        assert root.read_file(f"/sys/module/{name}/refcnt").decode().strip() == references
    for number in root.listdir("/sys/dev/char"):
        text = root.read_file(f"/sys/dev/char/{number}/uevent").decode()
        node = next(
            line.removeprefix("DEVNAME=") for line in text.splitlines() if line.startswith("DEVNAME=")
        )
        status = root.stat(f"/dev/{node}")
        assert f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" == number
