"""devclass: device names, selection of a device by the attribute `device`, and uevents of child devices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.hardware import Camera, Mouse
from simkernel.uapi import errno
from tests.drivers.bench import bench


def test_a_device_need_not_be_named_while_there_is_only_one() -> None:
    with bench(Camera(), Mouse()) as machine:
        process = machine.blocking(uid=1000)
        assert process.genetlink("camera").do("get-device")["device"] == "camera0"
        assert process.genetlink("mouse").do("get-device")["device"] == "mouse0"


def test_of_several_devices_one_has_to_be_named() -> None:
    with bench(Camera(), Camera()) as machine:
        camera = machine.blocking(uid=1000).genetlink("camera")
        with pytest.raises(
            OSError, match="there are 2 devices: name one: attribute 'device' is missing"
        ) as e:
            camera.do("get-device")
        assert e.value.errno == errno.EINVAL
        assert camera.do("get-device", device="camera1")["parent"] == "0:2"
        assert [each["device"] for each in camera.dump("get-device")] == ["camera0", "camera1"]


def test_a_name_that_no_device_has() -> None:
    with bench(Camera()) as machine:
        camera = machine.blocking(uid=1000).genetlink("camera")
        with pytest.raises(OSError, match="there is no camera7: attribute 'device'") as e:
            camera.do("get-device", device="camera7")
        assert e.value.errno == errno.ENODEV


def test_no_device_at_all() -> None:
    with bench() as machine:
        # The family name makes the kernel load the driver.
        camera = machine.blocking(uid=1000).genetlink("camera")
        assert camera.dump("get-device") == []
        with pytest.raises(OSError) as e:
            camera.do("get-device")
        assert e.value.errno == errno.ENODEV


def test_children_are_announced_below_their_parent_and_go_before_it() -> None:
    camera = Camera()
    with bench() as machine:
        monitor = machine.blocking().uevents()
        machine.plug(camera)
        seen = [next(monitor) for _ in range(9)]
        machine.unplug(camera)
        seen += [next(monitor) for _ in range(5)]
    told = [(event.action, event.devpath) for event in seen if "simbus0" in event.devpath]
    parent, child = "/devices/simbus0/0:1", "/devices/simbus0/0:1/camera/camera0"
    node = "/devices/simbus0/0:1/video4linux/video0"
    assert told == [
        ("add", parent),
        ("add", child),
        ("add", node),
        ("bind", parent),
        ("remove", child),
        ("remove", node),
        ("unbind", parent),
        ("remove", parent),
    ]
    assert [e.variables["SUBSYSTEM"] for e in seen if e.devpath == child] == ["camera", "camera"]


@given(st.lists(st.integers(0, 3), max_size=12))
def test_a_device_gets_the_lowest_number_that_is_free(toggled: list[int]) -> None:
    mice = [Mouse() for _ in range(4)]
    with bench(udev=False) as machine:
        root = machine.blocking()
        root.modprobe("mouse")
        client = root.genetlink("mouse")
        for number in toggled:
            before = {each["device"] for each in client.dump("get-device")}
            if mice[number].slot is None:
                machine.plug(mice[number])
            else:
                machine.unplug(mice[number])
            root.sleep(0.001)
            after = [each["device"] for each in client.dump("get-device")]
            assert len(after) == sum(mouse.slot is not None for mouse in mice)
            for new in set(after) - before:
                lowest = next(n for n in range(5) if f"mouse{n}" not in before)
                assert new == f"mouse{lowest}"
