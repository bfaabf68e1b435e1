"""The mouse is plugged into another slot."""

from __future__ import annotations

import pytest

from simkernel import Machine, SimulationError, millis
from simkernel.hardware import Mouse
from simkernel.testing.situations import replugged
from simkernel.uapi.fcntl import O_RDONLY
from tests.testing.situations.conftest import Equipped


def test_the_input_device_has_another_number(equipped: Equipped) -> None:
    program = equipped.machine.blocking()
    assert program.listdir("/sys/class/input") == ["input0", "event0"]
    assert equipped.mouse.slot is not None
    slot, before = equipped.mouse.slot.number, program.readlink("/sys/class/input/event0")
    with replugged(equipped.machine, equipped.mouse):
        equipped.machine.run(until=millis(400))
    assert "input1" in program.listdir("/sys/class/input")
    assert program.readlink("/sys/class/input/event0") != before
    assert equipped.mouse.slot is not None
    assert equipped.mouse.slot.number != slot


@pytest.mark.parametrize(("closes", "node"), [(True, "video0"), (False, "video1")])
def test_the_node_has_another_name_while_the_old_one_is_open(
    equipped: Equipped, closes: bool, node: str
) -> None:
    machine = equipped.machine
    program = machine.blocking()
    fd = program.open("/dev/video0", O_RDONLY)
    with replugged(machine, equipped.camera):
        if closes:
            program.close(fd)
        machine.run(until=millis(400))
    assert [name for name in program.listdir("/dev") if name.startswith("video")] == [node]


def test_a_full_bus_has_no_other_slot() -> None:
    with Machine(udev=False) as machine:
        mice = [Mouse() for _ in machine.bus.slots[1:]]
        for mouse in mice:
            machine.plug(mouse)
        with pytest.raises(SimulationError, match="needs a free slot"):
            replugged(machine, mice[0])
        assert mice[0].slot is not None
