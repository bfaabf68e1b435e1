"""The folder of modules that the kernel's tests use too."""

from tests.kernel.conftest import bench

__all__ = ["bench"]
