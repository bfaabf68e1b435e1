"""An input device below /sys: its attributes, and the inhibition of its events."""

from __future__ import annotations

import pytest

from simkernel.blocking.process import Blocking
from simkernel.hardware import Mouse
from simkernel.hardware.mouse.registers import BUTTON_LEFT
from simkernel.uapi import errno
from simkernel.uapi.fcntl import O_RDONLY, O_WRONLY
from simkernel.uapi.input_event_codes import BTN_LEFT, EV_KEY, EV_REL, EV_SYN, REL_X, SYN_REPORT
from tests.drivers.bench import bench
from tests.drivers.evdev import REPORT, Reader, fails, settle

FOLDER = "/sys/class/input/input0"


def read(process: Blocking, path: str) -> str:
    fd = process.open(path, O_RDONLY)
    data = process.read(fd, 4096)
    process.close(fd)
    return data.decode()


def write(process: Blocking, path: str, data: bytes) -> int:
    fd = process.open(path, O_WRONLY)
    try:
        return int(process.write(fd, data))
    finally:
        process.close(fd)


def test_shown_attributes() -> None:
    with bench(Mouse()) as machine:
        process = machine.blocking(uid=1000)
        shown = {
            name: read(process, f"{FOLDER}/{name}")
            for name in ("name", "phys", "properties", "inhibited", "id/bustype", "id/vendor", "id/version")
        }
        assert shown == {
            "name": "Virtual mouse\n",
            "phys": "simbus-0:1/input0\n",
            "properties": "0\n",
            "inhibited": "0\n",
            "id/bustype": "0019\n",
            "id/vendor": "51b5\n",
            "id/version": "0001\n",
        }
        assert sorted(process.listdir(f"{FOLDER}/capabilities")) == [
            *("abs", "ev", "ff", "key", "led", "msc", "rel", "snd", "sw")
        ]
        assert read(process, f"{FOLDER}/capabilities/key") == "1f0000 0 0 0 0\n"
        assert read(process, f"{FOLDER}/capabilities/rel") == "103\n"
        assert f"MODALIAS={read(process, f'{FOLDER}/modalias')}" in read(process, f"{FOLDER}/uevent")
        assert read(process, "/sys/class/input/event0/dev") == "13:64\n"
        assert "name" not in process.listdir(f"{FOLDER}/event0")


def test_files_are_there_when_the_device_is_announced() -> None:
    with bench() as machine:
        process = machine.blocking()
        monitor = process.uevents()
        machine.plug(Mouse())
        for event in monitor:
            if event.devpath.endswith("/input0"):
                assert read(process, f"/sys{event.devpath}/id/product") == "0020\n"
                break


def test_a_device_that_is_inhibited_is_silent() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        reader, root = Reader.of(machine), machine.blocking()
        mouse.move(1, buttons=BUTTON_LEFT)
        settle(machine)
        reader.take()
        assert write(root, f"{FOLDER}/inhibited", b"yes\n") == 4
        assert read(root, f"{FOLDER}/inhibited") == "1\n"
        assert reader.take() == [(EV_KEY, BTN_LEFT, 0), (EV_SYN, SYN_REPORT, 1)]
        mouse.move(2)
        settle(machine)
        assert reader.take() == []
        write(root, f"{FOLDER}/inhibited", b"off")
        mouse.move(3)
        settle(machine)
        assert reader.take() == [(EV_KEY, BTN_LEFT, 1), (EV_REL, REL_X, 3), REPORT]
        for nonsense in (b"o", b"maybe", b"2"):
            with fails(errno.EINVAL):
                write(root, f"{FOLDER}/inhibited", nonsense)
        with pytest.raises(PermissionError):
            write(machine.blocking(uid=1000), f"{FOLDER}/inhibited", b"1")
