"""The V4L2 operations of a camera (drivers/video/format_ioctls.py lists them).

Sizes and pixel formats are those of the sensor.  The frame interval is continuous: from the shortest
interval of the mode to one second.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from simkernel.hardware.camera import registers as hw
from simkernel.uapi.errno import EBUSY, EINVAL, os_error
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2

from .capture import TIMESTAMPS, Capture
from .controls import make_controls
from .device import Camera

CARD: Final = "Virtual camera"
FORMATS: Final = {
    v4l2.V4L2_PIX_FMT_GREY: hw.PixelFormat.GREY,
    v4l2.V4L2_PIX_FMT_YUYV: hw.PixelFormat.YUYV,
    v4l2.V4L2_PIX_FMT_RGB24: hw.PixelFormat.RGB24,
}
FOURCC: Final = {pixel_format: fourcc for fourcc, pixel_format in FORMATS.items()}
SECOND: Final = 1_000_000_000
MAX_INTERVAL: Final = SECOND
"""The longest frame interval that the driver permits, in ns. The hardware permits longer intervals, but then
v4l2-compliance computes a rate of 0 frames per second and never stops streaming.
"""
MAX_DENOMINATOR: Final = 100_000
"""Largest denominator of a frame interval that the driver reports. The limit keeps the fraction simple, for
example 1/30 s.
"""


class Video:
    """The driver's operations for the video device of one camera.  All callers hold the camera's mutex."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    # -- driver and input -----------------------------------------------------

    def querycap(self, arg: s.V4l2Capability) -> None:
        """Return the names of the driver and the camera (VIDIOC_QUERYCAP)."""
        arg.driver = self._camera.this.name.encode()
        arg.card = CARD.encode()

    def enum_input(self, arg: s.V4l2Input) -> None:
        """Describe the only input, whose index is 0 (VIDIOC_ENUMINPUT)."""
        if arg.index:
            raise os_error(EINVAL)
        arg.name = b"Camera"
        arg.type = v4l2.V4L2_INPUT_TYPE_CAMERA

    def g_input(self) -> int:
        """Return the index of the only input (VIDIOC_G_INPUT)."""
        return 0

    def s_input(self, index: int) -> None:
        """Select an input, which must be 0 (VIDIOC_S_INPUT)."""
        if index:
            raise os_error(EINVAL)

    # -- formats --------------------------------------------------------------

    def enum_fmt(self, arg: s.V4l2Fmtdesc) -> None:
        """Return the pixel format with the requested index (VIDIOC_ENUM_FMT)."""
        arg.pixelformat = _nth(list(FORMATS), arg.index)

    def enum_framesizes(self, arg: s.V4l2Frmsizeenum) -> None:
        """Return the frame size of the sensor mode with the requested index (VIDIOC_ENUM_FRAMESIZES)."""
        if arg.pixel_format not in FORMATS:
            raise os_error(EINVAL)
        mode = _nth(hw.MODES, arg.index)
        arg.type = v4l2.V4L2_FRMSIZE_TYPE_DISCRETE
        arg.union = s.V4l2FrmsizeDiscrete(mode.width, mode.height).pack()

    def enum_frameintervals(self, arg: s.V4l2Frmivalenum) -> None:
        """Return the shortest and the longest frame interval of a size (VIDIOC_ENUM_FRAMEINTERVALS)."""
        modes = [mode for mode in hw.MODES if (mode.width, mode.height) == (arg.width, arg.height)]
        if arg.pixel_format not in FORMATS or not modes or arg.index:
            raise os_error(EINVAL)
        shortest, longest = _seconds(modes[0].interval_ns), _seconds(MAX_INTERVAL)
        arg.type = v4l2.V4L2_FRMIVAL_TYPE_CONTINUOUS
        arg.union = s.V4l2FrmivalStepwise(
            shortest.numerator, shortest.denominator, longest.numerator, longest.denominator, 1, 1
        ).pack()

    def g_fmt(self, pix: s.V4l2PixFormat) -> None:
        """Return the current format (VIDIOC_G_FMT).  Raise ENODEV if the camera is unplugged."""
        camera = self._camera
        fourcc = FOURCC[hw.PixelFormat(camera.read(hw.FORMAT))]
        _describe(pix, hw.MODES[camera.read(hw.MODE)], fourcc)

    def try_fmt(self, pix: s.V4l2PixFormat) -> None:
        """Replace the requested size by the nearest supported one, and an unsupported pixel format by YUYV
        (VIDIOC_TRY_FMT).

        The source is `v4l2_find_nearest_size()`.
        """
        fourcc = pix.pixelformat if pix.pixelformat in FORMATS else v4l2.V4L2_PIX_FMT_YUYV
        width, height = pix.width, pix.height
        nearest = min(hw.MODES, key=lambda mode: abs(mode.width - width) + abs(mode.height - height))
        _describe(pix, nearest, fourcc)

    def s_fmt(self, pix: s.V4l2PixFormat) -> None:
        """Set the supported format that is nearest to the requested one (VIDIOC_S_FMT). Raise EBUSY if
        buffers are allocated or a stream runs.
        """
        camera = self._camera
        self.try_fmt(pix)
        camera.check_present()
        if camera.ring is not None or camera.video.queue.busy:
            raise os_error(EBUSY)
        camera.write(hw.SIZES.index((pix.width, pix.height)), hw.MODE)
        camera.write(FORMATS[pix.pixelformat], hw.FORMAT)

    def g_parm(self, parm: s.V4l2Captureparm) -> None:
        """Return the actual frame interval in the current mode with the current exposure (VIDIOC_G_PARM).

        Raise ENODEV if the camera is unplugged.
        """
        interval = _seconds(self._camera.read(hw.FRAME_INTERVAL))
        parm.capability = v4l2.V4L2_CAP_TIMEPERFRAME
        parm.capturemode = parm.readbuffers = 0
        parm.numerator, parm.denominator = interval.numerator, interval.denominator

    def s_parm(self, parm: s.V4l2Captureparm) -> None:
        """Set the frame interval that is nearest to the requested one (VIDIOC_S_PARM). If the requested
        interval is 0, set the default.

        Raise EBUSY while a stream runs.
        """
        camera = self._camera
        camera.check_present()
        if camera.ring is not None:
            raise os_error(EBUSY)
        wanted = hw.INTERVAL_DEFAULT
        if parm.numerator and parm.denominator:
            wanted = round(Fraction(parm.numerator * SECOND, parm.denominator))
        camera.write(min(wanted, MAX_INTERVAL), hw.INTERVAL)
        self.g_parm(parm)


def _nth(items: Any, index: int) -> Any:
    """Return the item whose index an enumeration ioctl passes. Raise EINVAL if the index is too high."""
    if index >= len(items):
        raise os_error(EINVAL)
    return items[index]


def _seconds(nanoseconds: int) -> Fraction:
    return Fraction(nanoseconds, SECOND).limit_denominator(MAX_DENOMINATOR)


def _describe(pix: s.V4l2PixFormat, mode: hw.Mode, fourcc: int) -> None:
    """Fill in struct v4l2_pix_format for a sensor mode and a pixel format.

    The colour space is sRGB; the other colour fields have the default 0: BT.601 encoding in video range.
    """
    pix.width, pix.height, pix.pixelformat = mode.width, mode.height, fourcc
    pix.field = v4l2.V4L2_FIELD_NONE
    pix.bytesperline = mode.width * hw.BYTES_PER_PIXEL[FORMATS[fourcc]]
    pix.sizeimage = pix.bytesperline * mode.height
    pix.colorspace = v4l2.V4L2_COLORSPACE_SRGB
    pix.flags = pix.ycbcr_enc = pix.quantization = pix.xfer_func = 0


def register_video(camera: Camera) -> None:
    """Register the video device of a camera. Raise ENFILE if all device numbers are in use."""
    videodev = camera.videodev
    queue = videodev.vb2_queue_init(camera.device, Capture(camera), camera.mutex, TIMESTAMPS, camera)
    camera.video = videodev.video_register_device(
        camera.this,
        camera.device,
        CARD,
        f"platform:{camera.device.name}",
        Video(camera),
        make_controls(camera),
        queue,
        camera.mutex,
    )


async def unregister_video(camera: Camera) -> None:
    """Unregister the video device.  Programs that have it open get ENODEV."""
    await camera.videodev.video_unregister_device(camera.video)
