"""A client keeps the family id of a module that is reloaded."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import millis
from simkernel.testing.situations import module_reloaded
from tests.testing.situations.conftest import Equipped


def test_a_request_to_the_old_id_fails_and_a_new_client_succeeds(equipped: Equipped) -> None:
    program = equipped.machine.blocking()
    old = program.genetlink("mouse")
    with module_reloaded(equipped.machine, "mouse"), pytest.raises(FileNotFoundError):
        old.do("get-state")
    assert "mouse" in {module["name"] for module in program.lsmod()}
    new = program.genetlink("mouse")
    assert new.family.id > old.family.id
    assert new.do("get-state") is not None


@pytest.mark.parametrize(("joins_again", "events"), [(True, 1), (False, 0)])
def test_a_member_of_the_old_group_hears_nothing(equipped: Equipped, joins_again: bool, events: int) -> None:
    machine = equipped.machine
    program = machine.blocking()
    old = program.genetlink("mouse")
    old.join("motion")
    module_reloaded(machine, "mouse")
    client = program.genetlink("mouse") if joins_again else old
    if joins_again:
        client.join("motion")
    equipped.mouse.move(3)
    machine.run(until=machine.now + millis(100))
    ready = program.poll([(client.event_socket, 1)], 0)
    assert len(ready) == events


def test_a_program_of_the_machine_can_request_it(equipped: Equipped) -> None:
    machine, seen = equipped.machine, []

    async def program(app: Any) -> None:
        mouse = await app.genetlink("mouse")
        occurrence = module_reloaded(machine, "mouse")
        await app.sleep(0.1)
        seen.append(occurrence.happened)
        with pytest.raises(FileNotFoundError):
            await mouse.do("get-state")

    machine.spawn(program)
    machine.run()
    assert seen == [1]
