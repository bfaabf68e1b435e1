"""In each test, one of the kernel's memory allocations fails while a mouse or a camera is plugged in."""

from __future__ import annotations

import pytest

from simkernel import Machine, SimulationError, millis
from simkernel.explore.faults import Fault, Injector
from simkernel.hardware import Camera, Mouse
from simkernel.testing.situations import allocation_failed
from simkernel.uapi.errno import ENOBUFS, ENOMEM

DEVICES = [(Mouse, "event0", nth) for nth in range(1, 11)] + [(Camera, "video0", nth) for nth in range(1, 10)]


@pytest.mark.parametrize(("kind", "node", "nth"), DEVICES)
def test_nothing_is_left_of_a_device_that_lacks_memory(
    kind: type[Mouse | Camera], node: str, nth: int
) -> None:
    with Machine(faults=Injector(), check_leaks=True) as machine:
        machine.plug(device := kind())
        with allocation_failed(machine, fault=Fault("kmalloc", nth=nth)):
            machine.run(until=millis(100))
        machine.unplug(device)
        machine.run(until=millis(300))
        assert machine.statistics["oopses"] == 0
        machine.plug(device)
        machine.run(until=millis(500))
        names = machine.blocking().listdir("/sys/class/" + ("input" if kind is Mouse else "video4linux"))
        assert node in names


def test_a_program_gets_the_error() -> None:
    with Machine(faults=Injector()) as machine:
        program = machine.blocking()
        with allocation_failed(machine), pytest.raises(OSError) as error:
            program.eventfd(0)
        assert error.value.errno in (ENOMEM, ENOBUFS)
        program.eventfd(0)


def test_a_machine_without_fault_points_is_refused() -> None:
    with Machine() as machine, pytest.raises(SimulationError, match=r"faults=Injector\(\)"):
        allocation_failed(machine)


def test_the_rules_of_the_machine_stay() -> None:
    with Machine(faults=Injector(Fault("kmalloc", nth=1))) as machine:
        program = machine.blocking()
        with allocation_failed(machine, fault=Fault("kmalloc", nth=2)):
            for _ in range(2):
                with pytest.raises(OSError):
                    program.eventfd(0)
        program.eventfd(0)
