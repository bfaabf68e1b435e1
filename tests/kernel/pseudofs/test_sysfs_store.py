"""If a driver's store function returns neither an int nor None, its module has an oops and the machine
continues.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from simkernel import Machine
from simkernel.hardware import Mouse
from simkernel.uapi.errno import EFAULT
from simkernel.uapi.fcntl import O_WRONLY

DRIVER = """
from simkernel.driverapi.module import Module
from simkernel.driverapi.simbus import SimbusDeviceId, module_simbus_driver
from simkernel.driverapi.sysfs import DeviceAttribute, devm_device_create_file
from simkernel.hardware.mouse import registers as hw

DEVICES = (SimbusDeviceId(hw.VENDOR, hw.DEVICE),)
MODULE = Module(license="GPL", devices=DEVICES)


class Later:
    def __await__(self):
        return 3
        yield

STORE

class SensorDriver:
    def __init__(self, this, undo):
        pass

    def probe(self, device):
        devm_device_create_file(device, DeviceAttribute("value", store=store))

    def remove(self, device):
        pass


init, exit = module_simbus_driver(DEVICES, SensorDriver)
"""
PLAIN = "def store(device, data): return "
ASYNC = "async def store(device, data): return "


def written(folder: Path, store: str) -> tuple[int | str, str]:
    (folder / "odd.py").write_text(DRIVER.replace("STORE", store))
    with Machine(udev=False, module_path=[folder]) as machine:
        machine.plug(Mouse())
        app = machine.blocking()
        app.insmod("odd")
        machine.run()
        fd = app.open("/sys/bus/simbus/devices/0:1/value", O_WRONLY)
        try:
            result: int | str = app.write(fd, b"12345")
        except OSError as error:
            assert error.errno == EFAULT
            result = "oops"
        return result, "\n".join(machine.log.lines())


@pytest.mark.parametrize("how", [PLAIN, ASYNC], ids=["plain", "async"])
@pytest.mark.parametrize("value", ["'5'", "b'5'", "5.0", "[5]", "object"])
def test_result_of_another_type_is_an_oops(tmp_path: Path, how: str, value: str) -> None:
    result, log = written(tmp_path, how + value)
    assert result == "oops"
    assert "BUG: unhandled exception in odd: TypeError" in log
    assert "Oops: [#1] in attribute value of 0:1" in log


@pytest.mark.parametrize("how", [PLAIN, ASYNC], ids=["plain", "async"])
@pytest.mark.parametrize(("value", "expected"), [("None", 5), ("3", 3), ("len(data)", 5)])
def test_result_is_a_number_of_bytes_or_all(tmp_path: Path, how: str, value: str, expected: int) -> None:
    assert written(tmp_path, how + value)[0] == expected


def test_store_is_awaited_once(tmp_path: Path) -> None:
    assert written(tmp_path, PLAIN + "Later()")[0] == 3
    assert written(tmp_path, ASYNC + "Later()")[0] == "oops"
