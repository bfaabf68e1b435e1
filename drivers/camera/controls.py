"""The controls of a camera, which programs set over netlink or V4L2.

The video subsystem stores the values, so all V4L2 subscribers receive an event for each change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from simkernel.hardware.camera import registers as hw
from simkernel.uapi.video.v4l2_controls import V4L2_CID_EXPOSURE, V4L2_CID_GAIN, V4L2_CID_TEST_PATTERN

from .device import Camera

if TYPE_CHECKING:
    from ..video.controls import Control, ControlHandler


class CameraControl(NamedTuple):
    """A control of the camera: its register, its range, its V4L2 id and its menu."""

    register: int
    minimum: int
    maximum: int
    default: int
    id: int
    menu: tuple[str, ...] = ()


PATTERNS: Final = ("colour bars", "grey ramp", "checkerboard", "solid grey")
CONTROLS: Final = {
    "exposure": CameraControl(
        hw.EXPOSURE, hw.EXPOSURE_MIN, hw.EXPOSURE_MAX, hw.EXPOSURE_DEFAULT, V4L2_CID_EXPOSURE
    ),
    "gain": CameraControl(hw.GAIN, hw.GAIN_MIN, hw.GAIN_MAX, hw.GAIN_DEFAULT, V4L2_CID_GAIN),
    "test-pattern": CameraControl(
        hw.PATTERN, 0, len(PATTERNS) - 1, hw.Pattern.COLOUR_BARS, V4L2_CID_TEST_PATTERN, PATTERNS
    ),
}
REGISTERS: Final = {control.id: control.register for control in CONTROLS.values()}


class ControlOps:
    """The driver's operations for the controls of one camera."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    def s_ctrl(self, control: Control, value: int) -> None:
        """Write a value to the control's register.  The device applies it to the next frame."""
        self._camera.write(value, REGISTERS[control.id])


def make_controls(camera: Camera) -> ControlHandler:
    """Create the controls of a camera and write their defaults to the device."""
    videodev = camera.videodev
    handler = videodev.v4l2_ctrl_handler_init()
    ops = ControlOps(camera)
    for name, control in CONTROLS.items():
        if control.menu:
            made = videodev.v4l2_ctrl_new_std_menu_items(
                handler, ops, control.id, control.default, control.menu
            )
        else:
            bounds = (control.minimum, control.maximum, 1, control.default)
            made = videodev.v4l2_ctrl_new_std(handler, ops, control.id, *bounds)
        camera.controls[name] = made
    videodev.v4l2_ctrl_handler_setup(handler)
    return handler


def set_control(camera: Camera, name: str, value: int) -> None:
    """Set a control for a netlink request.  The value must be in range, and the caller holds the mutex.

    Raise ENODEV if the camera is unplugged.
    """
    camera.check_present()
    camera.videodev.v4l2_ctrl_s_ctrl(camera.controls[name], value)
