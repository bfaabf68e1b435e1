"""A reader of buttons loses the release of a button."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import millis
from simkernel.testing.situations import syn_dropped
from simkernel.uapi.fcntl import O_NONBLOCK, O_RDONLY
from simkernel.uapi.input import EVIOCGKEY, InputEvent
from simkernel.uapi.input_event_codes import BTN_LEFT, EV_KEY, EV_SYN, SYN_DROPPED, SYN_REPORT
from tests.testing.situations.conftest import Equipped


def pressed(program: Any, fd: int) -> bool:
    """Return True if the kernel reports the left button as pressed (EVIOCGKEY)."""
    bits = program.ioctl(fd, EVIOCGKEY(96), bytes(96))
    return bool(bits[BTN_LEFT // 8] >> BTN_LEFT % 8 & 1)


def follow(program: Any, fd: int, state: bool, *, resync: bool) -> bool:
    """Return the state of the left button according to the readable events."""
    dropped = False
    while True:
        try:
            data = program.read(fd, 64 * InputEvent.SIZE)
        except BlockingIOError:
            return state
        for _, _, type, code, value in InputEvent.LAYOUT.iter_unpack(data):
            if (type, code) == (EV_SYN, SYN_DROPPED):
                dropped = resync
            elif dropped and (type, code) == (EV_SYN, SYN_REPORT):
                dropped, state = False, pressed(program, fd)
            elif not dropped and (type, code) == (EV_KEY, BTN_LEFT):
                state = bool(value)


@pytest.mark.parametrize("resync", [True, False])
def test_only_a_reader_that_asks_for_the_state_sees_the_release(equipped: Equipped, resync: bool) -> None:
    machine = equipped.machine
    program = machine.blocking()
    fd = program.open("/dev/input/event0", O_RDONLY | O_NONBLOCK)
    equipped.mouse.move(buttons=1)
    machine.run(until=machine.now + millis(100))
    assert follow(program, fd, False, resync=resync)
    with syn_dropped(machine):
        state = follow(program, fd, True, resync=resync)
    assert not pressed(program, fd)
    assert state is not resync
