"""The camera."""

from simkernel.hardware.camera.device import Camera, Statistics

__all__ = ["Camera", "Statistics"]
