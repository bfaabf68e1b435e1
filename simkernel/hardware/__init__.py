"""Virtual hardware: a bus and the devices on it.  It does not depend on the kernel."""

from simkernel.hardware.bus import RO as RO
from simkernel.hardware.bus import RW as RW
from simkernel.hardware.bus import W1C as W1C
from simkernel.hardware.bus import WO as WO
from simkernel.hardware.bus import Bus as Bus
from simkernel.hardware.bus import Device as Device
from simkernel.hardware.bus import Register as Register
from simkernel.hardware.camera.device import Camera as Camera
from simkernel.hardware.mouse.device import Mouse as Mouse
from simkernel.hardware.mouse.motion import Motion as Motion
from simkernel.hardware.mouse.motion import MotionError as MotionError
from simkernel.hardware.mouse.motion import Move as Move
from simkernel.hardware.mouse.motion import Script as Script
from simkernel.hardware.mouse.motion import Walk as Walk
from simkernel.hardware.mouse.motion import parse_recording as parse_recording
from simkernel.hardware.mouse.motion import recording as recording
