"""Track the positions of mice, even when messages are lost.

`follow(app, table)` is called once, and must not return.  `table` is a dictionary, empty at first.  Keep
the position of each mouse in it, as in table["mouse0"] = (x, y).

    mice = await app.genetlink("mouse")     opens the driver's family
    await mice.join("motion")               subscribes to its events
    async for event in mice.events():       waits for the next event, such as
        {"device": "mouse0", "sequence": 7, "dx": 1, "dy": -2, ...}
    await mice.dump("get-state")            returns the state of all mice, such as
        [{"device": "mouse0", "sequence": 9, "x": 4, "y": 5, ...}]

An event is one step of a mouse.  A state is the sum of all steps of a mouse.  Its sequence number is that
of the last step in the sum.  A state without "sequence" has no step yet.

The queue of a socket is bounded.  If the program is slow, the kernel drops events, and the next receive
raises OSError with the errno 105 (ENOBUFS).  Then request the state, and continue.  An event that the
state already contains can still be in the queue: do not count it twice.
"""

from __future__ import annotations

from typing import Any

from simkernel import millis
from simkernel.hardware import Mouse, Move, Script
from simkernel.testing.exercise import Wrong, exercise
from simkernel.testing.situations import overrun

STEPS = 6


@exercise(calls={"follow": "app, table"})
async def judge(app: Any, sim: Any, student: Any) -> None:
    """Judge the student's program. Two mice move, and the first one has already moved when the program
    starts. At a moment that varies from run to run, overrun the program's receive queue.
    """
    table: dict[str, tuple[int, int]] = {}
    first = Mouse(Script([Move(millis(8 * step), dx=1, dy=step) for step in range(STEPS)]))
    second = Mouse(Script([Move(millis(20 + 8 * step), dx=-step, dy=2) for step in range(STEPS)]))
    sim.plug(first)
    sim.plug(second)
    await app.sleep(0.02)
    await app.spawn(student.follow, table)
    sim.any_step(overrun, sim.machine, "follow")
    await sim.quiet()
    mice = await app.genetlink("mouse")
    for state in await mice.dump("get-state"):
        name, truth = state["device"], (state["x"], state["y"])
        if table.get(name) != truth:
            raise Wrong(f"table[{name!r}] is {table.get(name)}: the mouse is at {truth}")
