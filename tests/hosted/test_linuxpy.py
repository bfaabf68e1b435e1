"""The unmodified package linuxpy, a client of V4L2 and evdev, finds and uses the camera and the mouse."""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera, Mouse
from simkernel.hosted import hosted

if sys.platform != "linux":
    pytest.skip("hosted programs need Python on Linux", allow_module_level=True)
pytest.importorskip("linuxpy", reason="linuxpy is not installed")

FRAMES = 30
CHECKSUM = 4
"""Size in bytes of the checksum at the end of each frame."""


@pytest.fixture
def mouse() -> Mouse:
    """A mouse without motion."""
    return Mouse()


@pytest.fixture
def machine(mouse: Mouse) -> Iterator[Machine]:
    """A machine with a camera and the mouse, on which linuxpy runs as root."""
    with Machine(seed=7) as machine:
        machine.plug(Camera())
        machine.plug(mouse)
        machine.run(until=millis(100))
        with hosted(machine, "linuxpy"):
            yield machine


@pytest.fixture
def camera(machine: Machine) -> Iterator[Any]:
    """The camera, opened as a device of linuxpy."""
    from linuxpy.video.device import Device  # type: ignore[import-not-found]

    with Device.from_id(0) as camera:
        yield camera


def test_the_camera_is_found_with_its_formats_and_controls(machine: Machine, camera: Any) -> None:
    from linuxpy.video.device import iter_video_capture_devices

    assert [str(device.filename) for device in iter_video_capture_devices()] == ["/dev/video0"]
    assert (camera.info.driver, camera.info.card) == ("camera", "Virtual camera")
    assert camera.info.version == machine.blocking().uname().release.partition("-")[0]
    formats = {str(each.pixel_format.name) for each in camera.info.formats}
    assert formats == {"YUYV", "GREY", "RGB24"}
    sizes = {(each.info.width, each.info.height) for each in camera.info.frame_sizes()}
    assert (640, 480) in sizes
    controls = {control.name: control for control in camera.controls.values()}
    gain = next(control for name, control in controls.items() if "ain" in name)
    gain.value = 40
    assert gain.value == 40


def test_thirty_frames_have_valid_checksums(machine: Machine, camera: Any) -> None:
    from linuxpy.video.device import VideoCapture

    capture = VideoCapture(camera)
    capture.set_format(640, 480, "YUYV")
    with capture:
        frames = []
        for frame in capture:
            data = bytes(frame)
            assert zlib.crc32(data[:-CHECKSUM]) == int.from_bytes(data[-CHECKSUM:], "little")
            frames.append((frame.frame_nb, data))
            if len(frames) == FRAMES:
                break
    assert [number for number, _ in frames] == [*range(FRAMES)]
    assert len({data for _, data in frames}) == FRAMES


def test_asyncio_viewer_receives_frames(machine: Machine, camera: Any) -> None:
    from linuxpy.video.device import VideoCapture

    async def capture() -> list[int]:
        numbers = []
        with VideoCapture(camera) as frames:
            async for frame in frames:
                numbers.append(frame.frame_nb)
                if len(numbers) == 5:
                    break
        return numbers

    assert asyncio.run(capture()) == [0, 1, 2, 3, 4]


def test_the_mouse_is_found_and_its_moves_are_read(machine: Machine, mouse: Mouse) -> None:
    from linuxpy.input.device import event_batch_stream, find_mouse

    with find_mouse() as device:
        assert device.name == "Virtual mouse"
        for number in range(3):
            machine.at(machine.now + millis(20 * (number + 1)), mouse.move, number + 1, -number)
        moves = []
        for packet in event_batch_stream(device.fileno()):
            moves.append({event.code.name: event.value for event in packet})
            if len(moves) == 3:
                break
    assert moves == [{"X": 1}, {"X": 2, "Y": -1}, {"X": 3, "Y": -2}]
