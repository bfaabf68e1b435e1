"""What programs may ask of a camera: the operations of camera.yaml."""

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
    """The handlers of one load of the module.

    `find` finds the camera that a request means, `cameras` gives all of them.
    """

    def __init__(self, find: Callable[[GenlInfo], Camera], cameras: Callable[[], list[Camera]]) -> None:
        self._find = find
        self._cameras = cameras

    def register(self, this: ThisModule) -> GenlFamily:
        """Let the family be there.  From now on programs may ask."""
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
        """Tell every size and pixel format."""
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
        """Tell what is set."""
        camera = self._find(info)
        async with camera.mutex:
            camera.check_present()
            return format_of(camera)

    async def set_format(self, info: GenlInfo) -> Reply:
        """Set what is named, and tell what is set then."""
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
        """Tell of one control."""
        return describe_control(self._find(info), info.required("control"))

    def dump_controls(self, info: GenlInfo) -> Iterator[Reply]:
        """Tell of every control."""
        camera = self._find(info)
        return (describe_control(camera, name) for name in CONTROLS)

    def set_control(self, info: GenlInfo) -> Awaitable[None] | None:
        """Adjust a control; the device takes it with the next frame."""
        camera = self._find(info)
        name = info.required("control")
        control = CONTROLS[name]
        value = info.required("value")
        if not control.minimum <= value <= control.maximum:
            info.fail(ERANGE, f"from {control.minimum} to {control.maximum}", attribute="value")
        return mutex_guarded(camera.mutex, set_control, camera, name, value)

    # -- frames ---------------------------------------------------------------

    async def stream_on(self, info: GenlInfo) -> None:
        """The socket that asks wants frames."""
        await stream_on(self._find(info), info.sender)

    async def stream_off(self, info: GenlInfo) -> None:
        """The socket that asks wants no more frames."""
        await stream_off(self._find(info), info.sender)

    def socket_closed(self, sender: Hashable) -> None:
        """A socket is gone and wants no more frames.  Ending a stream sleeps, so a worker does it."""
        for camera in self._cameras():
            with camera.lock:  # `remove` forgets all users, and cancels the work afterwards
                if remove_user(camera, sender):
                    schedule_work(camera.stop_work)

    def read_frame(self, info: GenlInfo) -> Iterator[Reply]:
        """Find the frame, and give it out in parts."""
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
        """Tell what became of the frames."""
        camera = self._find(info)
        async with camera.mutex:
            camera.check_present()
            return statistics(camera)


def describe(camera: Camera) -> Reply:
    """What get-device says of a camera."""
    reply = {"device": camera.name, "parent": camera.device.name, "buffers": camera.buffers}
    streaming = READ_ONCE(camera.ring) is not None  # true of some instant while the request is served
    return reply | {"streaming": True} if streaming else reply


def format_of(camera: Camera) -> Reply:
    """What get-format says of a camera.  ENODEV."""
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
    """The sensor mode of the size that is asked for; what is not named stays.  EINVAL, ENODEV."""
    present = hw.MODES[camera.read(hw.MODE)]
    width = info.attributes.get("width", present.width)
    height = info.attributes.get("height", present.height)
    if (width, height) not in hw.SIZES:
        at_fault = "width" if "width" in info.attributes else "height"
        info.fail(EINVAL, f"the sensor has no mode of {width}x{height}", attribute=at_fault)
    return hw.SIZES.index((width, height))


def describe_control(camera: Camera, name: str) -> Reply:
    """What get-control says of a control.  ENODEV."""
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
    """A frame in parts, each as large as the datagram lets it be.

    The reader takes one datagram after the other, at his own pace, and meanwhile the buffer may be
    given to another frame: then the dump ends there, and he is told.
    """
    overhead = len(info.encode({"sequence": 0, "offset": 0, "data": b""}))
    offset = 0
    info.generation = 1
    while offset < len(frame.pixels):
        with camera.lock:
            if not frame.kept:
                break
            data = bytes(frame.pixels[offset : offset + info.room - overhead])
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
    """What get-statistics says of a camera, all of it true at one instant.  ENODEV."""
    totals = camera.totals
    frames = lost = overwritten = in_flight = 0
    if camera.ring is not None:
        # The device goes on while its counters are read one after the other: read on till none has moved.
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
