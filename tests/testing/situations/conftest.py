"""Machines with devices whose drivers are bound."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera, Mouse


@attrs.frozen
class Equipped:
    """A machine with a mouse and a camera, 100 ms after they were plugged in."""

    machine: Machine
    mouse: Mouse
    camera: Camera


@pytest.fixture
def equipped() -> Iterator[Equipped]:
    """An `Equipped` machine. The test fails if the machine still holds resources at the end."""
    with Machine(seed=1, check_leaks=True) as machine:
        machine.plug(mouse := Mouse())
        machine.plug(camera := Camera())
        machine.run(until=millis(100))
        yield Equipped(machine, mouse, camera)
