"""The mouse."""

from simkernel.hardware.mouse.device import Mouse, Statistics
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
    "Motion",
    "MotionError",
    "Mouse",
    "Move",
    "Script",
    "Statistics",
    "Walk",
    "parse_recording",
    "recording",
]
