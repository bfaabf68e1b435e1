"""camera: requests of programs, and the frames of their streams."""

from __future__ import annotations

import itertools
import types
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.blocking.process import Blocking, BlockingClient
from simkernel.hardware import Camera
from simkernel.hardware.camera.registers import (
    BYTES_PER_PIXEL,
    CONTROL,
    FOOTER_MAGIC,
    FOOTER_SIZE,
    MODES,
    PixelFormat,
)
from simkernel.uapi import errno
from simkernel.uapi.netlink import (
    NETLINK_GENERIC,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    iterate_messages,
    message,
)
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from tests.drivers.bench import bench, check_frames, check_nothing_left, is_whole, read_frame

LINE = 1
"""Number of the interrupt line of the bus slot that the camera is in."""
LARGEST = 32768 - 320
"""Maximum bytes of a dump's datagram: SKB_WITH_OVERHEAD(32768) of netlink_recvmsg()."""


@pytest.fixture
def machine() -> Iterator[Machine]:
    with bench(Camera()) as machine:
        yield machine


@pytest.fixture
def user(machine: Machine) -> Blocking:
    return machine.blocking(uid=1000)


@pytest.fixture
def camera(user: Blocking) -> BlockingClient:
    client = user.genetlink("camera")
    client.join("frames")
    client.do("set-format", width=160, height=120, pixel_format="GREY", interval=millis(20))
    return client


def refused(number: int, client: BlockingClient, operation: str, **attributes: Any) -> str:
    with pytest.raises(OSError) as caught:
        client.do(operation, **attributes)
    assert caught.value.errno == number
    return str(caught.value)


# -- formats and controls -----------------------------------------------------


def test_every_format_that_is_listed_can_be_set(camera: BlockingClient) -> None:
    listed = camera.dump("list-formats")
    assert len(listed) == len(MODES) * len(PixelFormat)
    for each in listed:
        given = camera.do("set-format", **{key: each[key] for key in ("width", "height", "pixel-format")})
        assert given == camera.do("get-format")
        assert given["frame-bytes"] == each["frame-bytes"] == given["line-bytes"] * each["height"]
        assert given["line-bytes"] == each["width"] * BYTES_PER_PIXEL[PixelFormat[each["pixel-format"]]]
        assert given["interval"] >= each["interval"]


def test_unnamed_settings_stay(camera: BlockingClient) -> None:
    before = camera.do("get-format")
    after = camera.do("set-format", pixel_format="RGB24")
    assert after["pixel-format"] == "RGB24"
    assert (after["width"], after["height"]) == (before["width"], before["height"])


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"width": 641, "height": 480}, "no mode of 641x480: attribute 'width'"),
        ({"height": 481}, "attribute 'height'"),
    ],
)
def test_a_size_that_the_sensor_does_not_have(
    camera: BlockingClient, wanted: dict[str, int], text: str
) -> None:
    before = camera.do("get-format")
    assert text in refused(errno.EINVAL, camera, "set-format", **wanted)
    assert camera.do("get-format") == before


def test_a_size_that_no_camera_can_have(camera: BlockingClient) -> None:
    """The attribute policy in the netlink specification refuses a width of 0 before the kernel calls the
    driver.
    """
    assert "out of range: attribute 'width'" in refused(errno.ERANGE, camera, "set-format", width=0)


def test_controls_within_their_range_and_no_further(camera: BlockingClient) -> None:
    controls = camera.dump("get-control")
    assert [each["control"] for each in controls] == ["exposure", "gain", "test-pattern"]
    for each in controls:
        assert each["value"] == each["default"]
        for value in (each["minimum"], each["maximum"]):
            camera.do("set-control", control=each["control"], value=value)
            assert camera.do("get-control", control=each["control"])["value"] == value
        text = refused(
            errno.ERANGE, camera, "set-control", control=each["control"], value=each["maximum"] + 1
        )
        assert f"from {each['minimum']} to {each['maximum']}: attribute 'value'" in text
    pattern = controls[2]
    assert len(pattern["menu"]) == pattern["maximum"] + 1


def test_a_missing_part_is_named(camera: BlockingClient) -> None:
    assert "'control' is missing" in refused(errno.EINVAL, camera, "get-control")
    assert "'control' is missing" in refused(errno.EINVAL, camera, "set-control", value=1)
    assert "'value' is missing" in refused(errno.EINVAL, camera, "set-control", control="gain")


def test_a_long_exposure_lengthens_the_interval(camera: BlockingClient) -> None:
    camera.do("set-control", control="exposure", value=100_000)
    assert camera.do("get-format")["interval"] > millis(100)


def test_gain_shows_in_the_picture(camera: BlockingClient) -> None:
    def brightness(gain: int) -> int:
        camera.do("set-control", control="gain", value=gain)
        camera.do("stream-on")
        frame = read_frame(camera, sequence=next(camera.events("frame-ready"))["sequence"])
        camera.do("stream-off")
        return sum(frame)

    assert brightness(8) < brightness(16) < brightness(32)


# -- frames ---------------------------------------------------------------------


def test_frames_come_whole_and_in_order(camera: BlockingClient) -> None:
    size = camera.do("get-format")["frame-bytes"]
    camera.do("stream-on")
    events = camera.events("frame-ready")
    for expected in range(5):
        event = next(events)
        frame = read_frame(camera, sequence=event["sequence"])
        assert event["sequence"] == expected
        assert len(frame) == event["bytes"] == size
        assert is_whole(frame)
        assert int.from_bytes(frame[-4:], "little") == event["checksum"]
        footer = frame[-FOOTER_SIZE:]
        assert footer.startswith(FOOTER_MAGIC)
        assert int.from_bytes(footer[4:8], "little") == expected


def test_a_frame_passes_its_stations_in_order(machine: Machine, camera: BlockingClient) -> None:
    camera.do("stream-on")
    event = next(camera.events("frame-ready"))
    times = event["times"]
    stations = ["exposure-start", "readout-end", "dma-done", "interrupt", "announced"]
    assert list(times) == stations
    assert sorted(times.values()) == list(times.values())
    assert times["announced"] < machine.now


def test_any_number_of_programs_read_a_frame(machine: Machine, camera: BlockingClient) -> None:
    other = machine.blocking(uid=1001).genetlink("camera")
    camera.do("stream-on")
    sequence = next(camera.events("frame-ready"))["sequence"]
    assert read_frame(camera, sequence=sequence) == read_frame(other, sequence=sequence)
    assert read_frame(other) == read_frame(camera, sequence=sequence)  # the latest frame
    assert camera.do("get-statistics")["frames-delivered"] == 1


@pytest.mark.parametrize("room", [4096, 5001, 20000, 65536])
def test_the_parts_of_a_dump_have_the_size_of_reads(
    user: Blocking, camera: BlockingClient, room: int
) -> None:
    camera.do("stream-on")
    next(camera.events("frame-ready"))
    read = user.genetlink("camera").family.encode("read-frame", "dump", {})
    sock = user.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
    sock.sendto(message(camera.family.id, read, flags=NLM_F_REQUEST | NLM_F_DUMP), (0, 0))
    sizes, frame = [], b""
    while True:
        datagram = sock.recv(room)
        sizes.append(len(datagram))
        for header, payload in iterate_messages(datagram):
            if header.type == NLMSG_DONE:
                assert is_whole(frame)
                assert all(size > min(room, LARGEST) - 16 for size in sizes[2:-1])
                return
            frame += camera.family.decode("read-frame", "dump", payload)["data"]


def test_a_frame_that_is_not_kept(camera: BlockingClient) -> None:
    def missing(**which: int) -> str:
        with pytest.raises(FileNotFoundError) as caught:
            camera.dump("read-frame", **which)
        return str(caught.value)

    assert "there is no frame" in missing()
    camera.do("stream-on")
    assert "there is no frame" in missing()
    for _ in range(6):
        event = next(camera.events("frame-ready"))
    assert "frame 0 is not kept" in missing(sequence=0)
    assert read_frame(camera, sequence=event["sequence"])
    assert "frame 99 is not kept" in missing(sequence=99)


def test_a_reader_gets_an_error_if_its_frame_is_overwritten(user: Blocking, camera: BlockingClient) -> None:
    """The reader takes one part of a frame, waits until the buffer is reused, and takes the other parts."""
    camera.do("set-format", width=640, height=480)
    camera.do("stream-on")
    events = camera.events("frame-ready")
    sequence = next(events)["sequence"]

    @types.coroutine
    def dawdle() -> Generator[Any, Any, None]:
        steps = camera.wrapped.dump("read-frame", sequence=sequence).__await__()
        call = steps.send(None)
        for taken in itertools.count():
            if taken == 3:
                yield from user.app.sleep(0.2).__await__()
            call = steps.send((yield call))

    async def read() -> None:
        await dawdle()

    with pytest.raises(InterruptedError):
        user.run(read())
    counters = camera.do("get-statistics")
    check_frames(counters)
    assert counters["frames-delivered"] == 0
    assert counters["overwritten"] > 0


def test_a_device_without_buffers_drops_frames_and_says_so(machine: Machine, camera: BlockingClient) -> None:
    """The driver returns no buffers while its interrupt is held back."""
    camera.do("stream-on")
    next(camera.events("frame-ready"))
    machine.kernel.interrupts.disable(LINE)
    machine.run(until=machine.now + millis(400))
    machine.kernel.interrupts.enable(LINE)
    overrun = next(camera.events("overrun"))
    counters = camera.do("get-statistics")
    assert overrun["lost"] > 10
    assert counters["lost"] >= overrun["lost"]
    check_frames(counters)
    after = next(camera.events("frame-ready"))
    assert after["sequence"] > overrun["lost"]


# -- streams ----------------------------------------------------------------------


def test_the_format_is_fixed_while_a_stream_runs(camera: BlockingClient) -> None:
    camera.do("stream-on")
    assert "a stream runs" in refused(errno.EBUSY, camera, "set-format", pixel_format="RGB24")
    camera.do("set-control", control="gain", value=32)
    camera.do("stream-off")
    camera.do("set-format", pixel_format="RGB24")


def test_a_stream_ends_with_its_last_user(machine: Machine, camera: BlockingClient) -> None:
    other = machine.blocking(uid=1001).genetlink("camera")
    camera.do("stream-on")
    camera.do("stream-on")  # a second stream-on has no effect
    other.do("stream-on")
    camera.do("stream-off")
    assert camera.do("get-device")["streaming"]
    other.do("stream-off")
    assert "streaming" not in camera.do("get-device")
    ended = next(camera.events("stream-ended"))
    assert ended["reason"] == "stopped"
    camera.do("stream-off")  # no stream to end


def test_a_closed_socket_wants_no_frames(machine: Machine, camera: BlockingClient) -> None:
    other = machine.blocking(uid=1001)
    other.genetlink("camera").do("stream-on")
    assert camera.do("get-device")["streaming"]
    other.exit()
    machine.run(until=machine.now + millis(1))
    assert "streaming" not in camera.do("get-device")


def test_every_stream_counts_from_0(camera: BlockingClient) -> None:
    for _ in range(2):
        camera.do("stream-on")
        assert next(camera.events("frame-ready"))["sequence"] == 0
        camera.do("stream-off")
    counters = camera.do("get-statistics")
    check_frames(counters)
    assert counters["frames-produced"] == counters["discarded"] == 2


def test_a_stream_keeps_the_module(machine: Machine, camera: BlockingClient) -> None:
    root = machine.blocking()
    camera.do("stream-on")
    with pytest.raises(OSError) as caught:
        root.rmmod("camera")
    assert caught.value.errno == errno.EBUSY
    camera.do("stream-off")
    root.rmmod("camera")
    with pytest.raises(FileNotFoundError):
        camera.do("get-device")  # rmmod has unregistered the family
    root.modprobe("camera")
    assert root.genetlink("camera").do("get-device")["device"] == "camera0"
    check_nothing_left(machine, root)


def test_memory_is_there_only_while_a_stream_runs(machine: Machine, camera: BlockingClient) -> None:
    def allotted() -> int:
        return int(machine.statistics["dma"]["allotted"])

    size = camera.do("get-format")["frame-bytes"]
    assert allotted() == 0
    camera.do("stream-on")
    assert allotted() > 4 * size
    camera.do("stream-off")
    assert allotted() == 0


@pytest.mark.parametrize("buffers", [3, 4, 7])
def test_the_module_says_how_many_buffers(buffers: int) -> None:
    with bench(udev=False) as machine:
        root = machine.blocking()
        root.modprobe("camera", buffers=buffers)
        machine.plug(Camera())
        root.sleep(0.001)
        camera = root.genetlink("camera")
        camera.join("frames")
        camera.do("stream-on")
        for _ in range(10):
            next(camera.events("frame-ready"))
        kept = buffers - 2
        assert camera.do("get-device")["buffers"] == buffers
        assert camera.do("get-statistics")["frames-in-flight"] == kept


def test_two_buffers_are_too_few() -> None:
    with bench(udev=False) as machine, pytest.raises(OSError):
        machine.blocking().modprobe("camera", buffers=2)


def test_no_memory_for_a_stream(machine: Machine, camera: BlockingClient) -> None:
    """If memory is missing, `stream-on` fails with ENOMEM. The driver then frees the memory that it has, and
    switches the power off.
    """
    memory = machine.bus.memory
    plenty, memory.size = memory.size, 1_000_000
    camera.do("set-format", width=640, height=480)
    refused(errno.ENOMEM, camera, "stream-on")
    assert machine.statistics["dma"]["allotted"] == 0
    assert "streaming" not in camera.do("get-device")
    assert machine.bus.readl(machine.bus.slots[1].address + CONTROL) == 0
    memory.size = plenty
    camera.do("stream-on")
