"""A program opens the node that an add event names."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Mouse
from simkernel.testing.situations import uevent_before_node
from simkernel.uapi.fcntl import O_RDONLY


async def opener(app: Any, log: list[str], *, attempts: int) -> None:
    async for event in await app.uevents():
        if "DEVNAME" not in event.variables:
            continue
        for _ in range(attempts):
            try:
                await app.open(f"/dev/{event.variables['DEVNAME']}", O_RDONLY)
                log.append("opened")
                return
            except OSError as error:
                log.append(error.strerror or "")
                await app.sleep(0.004)
        return


@pytest.mark.parametrize(("attempts", "last"), [(1, "No such file or directory"), (9, "opened")])
def test_only_a_program_that_tries_again_opens_the_node(attempts: int, last: str) -> None:
    log: list[str] = []
    with Machine() as machine:
        machine.spawn(opener, log, attempts=attempts)
        with uevent_before_node(machine):
            machine.plug(Mouse())
            machine.run()
    assert log[-1] == last


def test_a_device_that_is_gone_gets_no_node() -> None:
    with Machine() as machine:
        with uevent_before_node(machine, delay=millis(50)) as occurrence:
            machine.plug(mouse := Mouse())
            while not occurrence.happened:
                machine.run(until=machine.now + millis(1))
        machine.unplug(mouse)
        machine.run(until=machine.now + millis(200))
        assert "input" not in machine.blocking().listdir("/dev")
