"""Virtual hardware: a bus and the devices on it.  It knows no kernel."""

from simkernel.hardware.bus import RO, RW, W1C, WO, Bus, Device, Register
from simkernel.hardware.camera.device import Camera
from simkernel.hardware.mouse.device import Mouse
from simkernel.hardware.mouse.motion import (
    Motion,
    MotionError,
    Move,
    Script,
    Walk,
    parse_recording,
    recording,
)

__all__ = [
    "RO",
    "RW",
    "W1C",
    "WO",
    "Bus",
    "Camera",
    "Device",
    "Motion",
    "MotionError",
    "Mouse",
    "Move",
    "Register",
    "Script",
    "Walk",
    "parse_recording",
    "recording",
]
