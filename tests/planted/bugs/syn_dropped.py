"""A client ignores SYN_DROPPED, the report of lost events. If the release of a button is lost, the client
believes that the button is still pressed.

After https://github.com/VocaHQ/vocalinux/issues/338 and https://github.com/libts/tslib/issues/69.
"""

from __future__ import annotations

from typing import Any

from simkernel import millis
from simkernel.hardware import Mouse
from simkernel.hardware.mouse import registers
from simkernel.hardware.mouse.motion import Move, Script
from simkernel.uapi.fcntl import O_RDONLY
from simkernel.uapi.input import EVIOCGKEY, InputEvent
from simkernel.uapi.input_event_codes import BTN_LEFT, EV_KEY, EV_SYN, SYN_DROPPED, SYN_REPORT
from tests.planted.bug import Bug

KEYS = 96
"""Size of the key bitmap in bytes."""


async def read(app: Any, held: set[int], sound: bool) -> None:
    """Read the events of a mouse. `held` contains the code of the left button while this client believes that
    the button is pressed.
    """
    fd = await app.open("/dev/input/event0", O_RDONLY)
    dropped = False
    while True:
        data = await app.read(fd, 64 * InputEvent.SIZE)
        for at in range(0, len(data), InputEvent.SIZE):
            event = InputEvent.unpack(data, at)
            if sound and (event.type, event.code) == (EV_SYN, SYN_DROPPED):
                dropped = True
            elif dropped:
                if (event.type, event.code) == (EV_SYN, SYN_REPORT):
                    dropped = False
                    keys = int.from_bytes(await app.ioctl(fd, EVIOCGKEY(KEYS), bytes(KEYS)), "little")
                    held.clear()
                    held.update({BTN_LEFT} if keys >> BTN_LEFT & 1 else ())
            elif (event.type, event.code) == (EV_KEY, BTN_LEFT):
                if event.value:
                    held.add(event.code)
                    await app.sleep(0.014)  # This pause simulates a reaction to a pressed button.
                else:
                    held.discard(event.code)


def motion() -> Script:
    """Return 20 moves of a mouse, one per millisecond. The left button is pressed during three successive
    moves, and the other buttons during every second move.
    """
    left, others = registers.BUTTON_LEFT, registers.BUTTON_ALL & ~registers.BUTTON_LEFT
    return Script(
        Move(
            millis(5 + number),
            dx=1,
            dy=1,
            wheel=1,
            buttons=(left if 2 <= number < 5 else 0) | (others if number % 2 else 0),
        )
        for number in range(20)
    )


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A client reads the events of a mouse."""
    sim.plug(Mouse(motion()))
    while not await app.access("/dev/input/event0", 0):
        await app.sleep(0.0005)
    held: set[int] = set()
    await app.spawn(read, held, sound)
    await sim.quiet()
    assert held == set(), held


BUG = Bug(body, sound=("mouse rate=1000",), faulty=("mouse rate=1000",))
