"""The fixture `bench` for the tests of driverapi, imported from the tests of the kernel."""

from tests.kernel.conftest import bench

__all__ = ["bench"]
