"""The mouse is unplugged while its reader sleeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simkernel import seconds
from simkernel.testing.situations import unplugged_while_reading
from simkernel.uapi.errno import ENODEV
from simkernel.uapi.fcntl import O_RDONLY
from simkernel.uapi.poll import POLLERR, POLLHUP, POLLIN
from tests.testing.situations.conftest import Equipped


async def blocking_reader(app: Any) -> object:
    fd = await app.open("/dev/input/event0", O_RDONLY)
    try:
        return await app.read(fd, 24)
    except OSError as error:
        return error.errno


async def polling_reader(app: Any) -> object:
    fd = await app.open("/dev/input/event0", O_RDONLY)
    return (await app.poll([(fd, POLLIN)]))[0][1]


@pytest.mark.parametrize(
    ("reader", "result"), [(blocking_reader, ENODEV), (polling_reader, POLLERR | POLLHUP)]
)
def test_a_sleeping_reader_wakes_up(equipped: Equipped, reader: Callable[..., Any], result: int) -> None:
    results: list[object] = []

    async def program(app: Any) -> None:
        results.append(await reader(app))

    with unplugged_while_reading(equipped.machine, equipped.mouse, "program"):
        equipped.machine.spawn(program)
        equipped.machine.run(on_idle="raise")
    assert results == [result]


def test_a_reader_that_finds_events_is_not_disturbed(equipped: Equipped) -> None:
    machine = equipped.machine
    program = machine.blocking()
    fd = program.open("/dev/input/event0", O_RDONLY)
    equipped.mouse.move(5)
    machine.run(until=machine.now + seconds(1))
    with unplugged_while_reading(machine, equipped.mouse) as occurrence:
        assert len(program.read(fd, 240)) == 48
        assert not occurrence.happened
        with pytest.raises(OSError, match="No such device"):
            program.read(fd, 240)
