"""The netlink commands of the camera driver, as specified in camera.yaml."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterator

from simkernel.driverapi.compiler import READ_ONCE
from simkernel.driverapi.genetlink import GenlFamily, GenlInfo, Reply, genl_register_family
from simkernel.driverapi.module import ThisModule
from simkernel.driverapi.mutex import mutex_guarded
from simkernel.driverapi.workqueue import schedule_work
from simkernel.hardware.camera import registers as hw
from simkernel.uapi.errno import EBUSY, EINVAL, ENOENT, ERANGE

from .controls import CONTROLS, set_control
from .device import Camera
from .ring import Frame
from .stream import remove_user, stream_off, stream_on


class Commands:
    """The handlers of the camera driver's netlink commands.

    `find` returns the camera that a request names; `cameras` returns all bound cameras.
    """

    def __init__(self, find: Callable[[GenlInfo], Camera], cameras: Callable[[], list[Camera]]) -> None:
        self._find = find
        self._cameras = cameras

    def register(self, this: ThisModule) -> GenlFamily:
        """Register the netlink family.  From now on programs can send requests."""
        return genl_register_family(
            this,
            do={
                "get-device": lambda info: describe(self._find(info)),
                "get-format": self.get_format,
                "set-format": self.set_format,
                "get-control": self.get_control,
                "set-control": self.set_control,
                "stream-on": self.stream_on,
                "stream-off": self.stream_off,
                "get-statistics": self.get_statistics,
            },
            dump={
                "get-device": lambda info: map(describe, self._cameras()),
                "list-formats": self.list_formats,
                "get-control": self.dump_controls,
                "read-frame": self.read_frame,
            },
            on_release=self.socket_closed,
        )

    # -- the format -----------------------------------------------------------

    def list_formats(self, info: GenlInfo) -> Iterator[Reply]:
        """Yield each combination of frame size and pixel format."""
        camera = self._find(info)
        for mode in hw.MODES:
            for pixel_format in hw.PixelFormat:
                yield {
                    "device": camera.name,
                    "width": mode.width,
                    "height": mode.height,
                    "pixel-format": pixel_format.name,
                    "interval": mode.interval_ns,
                    "frame-bytes": mode.width * mode.height * hw.BYTES_PER_PIXEL[pixel_format],
                }

    async def get_format(self, info: GenlInfo) -> Reply:
        """Return a camera's current frame size, pixel format and frame interval."""
        camera = self._find(info)
        async with camera.mutex:
            camera.check_present()
            return format_of(camera)

    async def set_format(self, info: GenlInfo) -> Reply:
        """Set the parts of the format that the request contains, and return the resulting format."""
        camera = self._find(info)
        async with camera.mutex:
            camera.check_present()
            if camera.ring is not None:
                info.fail(EBUSY, "the format cannot be changed while a stream runs")
            if camera.video.queue.busy:
                info.fail(EBUSY, f"a program has buffers of {camera.video.node.name} for the present format")
            if "width" in info.attributes or "height" in info.attributes:
                camera.write(find_mode(camera, info), hw.MODE)
            if "pixel-format" in info.attributes:
                camera.write(hw.PixelFormat[info.attributes["pixel-format"]], hw.FORMAT)
            if "interval" in info.attributes:
                camera.write(info.attributes["interval"], hw.INTERVAL)
            return format_of(camera)

    # -- controls -------------------------------------------------------------

    def get_control(self, info: GenlInfo) -> Reply:
        """Return the value and the range of one control."""
        return describe_control(self._find(info), info.required("control"))

    def dump_controls(self, info: GenlInfo) -> Iterator[Reply]:
        """Return the values and the ranges of all controls."""
        camera = self._find(info)
        return (describe_control(camera, name) for name in CONTROLS)

    def set_control(self, info: GenlInfo) -> Awaitable[None] | None:
        """Set a control.  It takes effect with the next frame."""
        camera = self._find(info)
        name = info.required("control")
        control = CONTROLS[name]
        value = info.required("value")
        if not control.minimum <= value <= control.maximum:
            info.fail(ERANGE, f"from {control.minimum} to {control.maximum}", attribute="value")
        return mutex_guarded(camera.mutex, set_control, camera, name, value)

    # -- frames ---------------------------------------------------------------

    async def stream_on(self, info: GenlInfo) -> None:
        """Add the sender's socket to the users of the stream. Start the stream if it is not running."""
        await stream_on(self._find(info), info.sender)

    async def stream_off(self, info: GenlInfo) -> None:
        """Remove the sender's socket from the users of the stream. Stop the stream if no users are left."""
        await stream_off(self._find(info), info.sender)

    def socket_closed(self, sender: Hashable) -> None:
        """Remove a closed socket from the users of all streams.

        Stopping a stream sleeps, which is not allowed here, so a work item does it.
        """
        for camera in self._cameras():
            # Schedule the work item under `lock`, because the driver's remove() clears `users` under `lock`.
            # After remove() has cancelled the work item, no closed socket can schedule the work item again.
            with camera.lock:
                if remove_user(camera, sender):
                    schedule_work(camera.stop_work)

    def read_frame(self, info: GenlInfo) -> Iterator[Reply]:
        """Return the parts of the frame with the requested number, or of the latest frame."""
        camera = self._find(info)
        sequence = info.attributes.get("sequence")
        with camera.lock:
            frame = None
            if camera.ring is not None:
                frame = camera.ring.latest if sequence is None else camera.ring.find(sequence)
        if frame is None:
            info.fail(ENOENT, "there is no frame" if sequence is None else f"frame {sequence} is not kept")
        return parts(camera, frame, info)

    async def get_statistics(self, info: GenlInfo) -> Reply:
        """Return the frame counters of a camera."""
        camera = self._find(info)
        async with camera.mutex:
            camera.check_present()
            return statistics(camera)


def describe(camera: Camera) -> Reply:
    """Return the reply to the netlink command get-device for a camera."""
    reply = {"device": camera.name, "parent": camera.device.name, "buffers": camera.buffers}
    # Read `camera.ring` once: no lock is held, so a stream can start or stop at the same time.
    streaming = READ_ONCE(camera.ring) is not None
    return reply | {"streaming": True} if streaming else reply


def format_of(camera: Camera) -> Reply:
    """Return the reply to the netlink command get-format. Raise ENODEV if the camera is unplugged."""
    mode = hw.MODES[camera.read(hw.MODE)]
    return {
        "device": camera.name,
        "width": mode.width,
        "height": mode.height,
        "pixel-format": hw.PixelFormat(camera.read(hw.FORMAT)).name,
        "interval": camera.read(hw.FRAME_INTERVAL),
        "line-bytes": camera.read(hw.LINE_BYTES),
        "frame-bytes": camera.read(hw.FRAME_BYTES),
    }


def find_mode(camera: Camera, info: GenlInfo) -> int:
    """Return the index of the sensor mode with the requested size.

    A width or height that the request omits stays as it is.  Raise EINVAL if the sensor lacks the size,
    ENODEV if the camera is unplugged.
    """
    present = hw.MODES[camera.read(hw.MODE)]
    width = info.attributes.get("width", present.width)
    height = info.attributes.get("height", present.height)
    if (width, height) not in hw.SIZES:
        at_fault = "width" if "width" in info.attributes else "height"
        info.fail(EINVAL, f"the sensor has no mode of {width}x{height}", attribute=at_fault)
    return hw.SIZES.index((width, height))


def describe_control(camera: Camera, name: str) -> Reply:
    """Return the reply to the netlink command get-control. Raise ENODEV if the camera is unplugged."""
    control = CONTROLS[name]
    return {
        "device": camera.name,
        "control": name,
        "value": camera.read(control.register),
        "minimum": control.minimum,
        "maximum": control.maximum,
        "default": control.default,
        "menu": control.menu,
    }


def parts(camera: Camera, frame: Frame, info: GenlInfo) -> Iterator[Reply]:
    """Yield the parts of a frame. Each part is as large as the free space in a netlink datagram permits.

    The reader receives one datagram after the other, at its own speed.  If the buffer is meanwhile reused
    for another frame, the dump ends, and a change of `generation` tells the reader that it is incomplete
    (NLM_F_DUMP_INTR).
    """
    overhead = len(info.encode({"sequence": 0, "offset": 0, "data": b""}))
    offset = 0
    info.generation = 1
    while offset < len(frame.pixels):
        with camera.lock:
            if not frame.kept:
                break
            data = bytes(frame.pixels[offset : offset + info.tailroom - overhead])
        yield {"sequence": frame.sequence, "offset": offset, "data": data}
        offset += len(data)
    with camera.lock:
        if not frame.kept:
            info.generation += 1
        elif not frame.delivered:
            frame.delivered = True
            camera.totals.delivered += 1
            camera.totals.bytes_delivered += offset


def statistics(camera: Camera) -> Reply:
    """Return the reply to the netlink command get-statistics: a consistent snapshot of a camera's counters.

    Raise ENODEV if it is unplugged.
    """
    totals = camera.totals
    frames = lost = overwritten = in_flight = 0
    if camera.ring is not None:
        # If the device counts a frame between two register reads, read both counters again.
        while True:
            frames, lost = camera.read(hw.FRAMES), camera.read(hw.DROPPED)
            if camera.read(hw.FRAMES) == frames:
                break
    with camera.lock:
        if camera.ring is not None:
            overwritten = camera.ring.overwritten
            in_flight = camera.ring.unread + camera.ring.uncollected()
        return {
            "device": camera.name,
            "frames-produced": totals.produced + frames + lost,
            "frames-delivered": totals.delivered,
            "frames-dropped": totals.lost + lost + totals.overwritten + overwritten + totals.discarded,
            "frames-in-flight": in_flight,
            "lost": totals.lost + lost,
            "overwritten": totals.overwritten + overwritten,
            "discarded": totals.discarded,
            "bytes-delivered": totals.bytes_delivered,
            "interrupts": totals.interrupts,
        }
