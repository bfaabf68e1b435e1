"""The fixture `bench` of the kernel's tests, which the tests of driverapi use too."""

from tests.kernel.conftest import bench

__all__ = ["bench"]
