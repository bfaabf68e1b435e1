"""Fixtures: a machine with a camera, and a program that has opened the camera's video device."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simkernel import Machine
from simkernel.hardware import Camera
from tests.drivers.bench import bench
from tests.drivers.v4l2 import Video


@pytest.fixture
def machine() -> Iterator[Machine]:
    with bench(Camera()) as machine:
        yield machine


@pytest.fixture
def video(machine: Machine) -> Video:
    return Video.open(machine)
