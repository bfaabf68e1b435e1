"""The same bench as the kernel's tests have."""

from tests.kernel.conftest import bench

__all__ = ["bench"]
