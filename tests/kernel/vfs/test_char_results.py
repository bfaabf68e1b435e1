"""If a file operation of a driver returns a wrong type, its module has an oops. No InternalError occurs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine
from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.poll import POLLERR

DRIVER = """
from simkernel.driverapi.fs import FileOperations, cdev_add, cdev_init, register_chrdev_region
from simkernel.driverapi.module import Module

MODULE = Module(license="GPL")
RESULT


def init(this):
    register_chrdev_region(this, (240, 0), 1, "odd")
    cdev_add(cdev_init(this, FileOperations(NAME=operation)), (240, 0))
"""
CALLS: dict[str, Callable[[Any, int], Any]] = {
    "read": lambda app, fd: app.read(fd, 10),
    "write": lambda app, fd: app.write(fd, b"12345"),
    "ioctl": lambda app, fd: app.ioctl(fd, 1, 0),
    "llseek": lambda app, fd: app.lseek(fd, 0, 0),
    "mmap": lambda app, fd: app.mmap(fd, 4096),
    "poll": lambda app, fd: app.poll([(fd, 1)], 0),
}
RIGHT = {"read": "b'5'", "write": "5", "ioctl": "5", "llseek": "5", "mmap": "None", "poll": "1"}
VALUES = ("'5'", "b'5'", "5.0", "None", "5", "object()")
PLAIN = "def operation(*_): return "
ASYNC = "async def operation(*_): return "
WRONG = [
    (name, how + value)
    for name in CALLS
    for how in ((PLAIN, ASYNC) if name in ("read", "write", "ioctl", "mmap") else (PLAIN,))
    for value in VALUES
    if value[0] != RIGHT[name][0] and not (RIGHT[name].isdigit() and value == "5")
]


def result_of(name: str, code: str, folder: Path) -> tuple[Any, str]:
    (folder / "odd.py").write_text(DRIVER.replace("RESULT", code).replace("NAME", name))
    with Machine(udev=False, module_path=[folder]) as machine:
        app = machine.blocking()
        app.insmod("odd")
        app.mknod("/dev/odd", 0o020666, 240 << 8)
        fd = app.open("/dev/odd", O_RDWR)
        try:
            result = CALLS[name](app, fd)
        except OSError:
            result = "oops"
        app.close(fd)
        return result, "\n".join(machine.log.lines())


@pytest.mark.parametrize(("name", "code"), WRONG)
def test_wrong_type_is_an_oops_of_the_module(name: str, code: str, tmp_path: Path) -> None:
    result, log = result_of(name, code, tmp_path)
    assert result in ("oops", [(3, POLLERR)])
    assert "BUG: unhandled exception in odd: TypeError" in log
    assert f"in {name} of 240:0" in log


@pytest.mark.parametrize("how", [PLAIN, ASYNC], ids=["plain", "async"])
@pytest.mark.parametrize("name", ["read", "write", "ioctl"])
def test_right_type_reaches_the_program(name: str, how: str, tmp_path: Path) -> None:
    result, log = result_of(name, how + RIGHT[name], tmp_path)
    assert repr(result) == RIGHT[name]
    assert "BUG" not in log
