"""Lesson 5: one event for many programs, and one program that is too slow.

Covers: a multicast group; a receive queue for each socket, its limit in bytes, ENOBUFS; a dump of the state.
Scenario: Three copies of a program add up the movements of a mouse. One of them computes on each event, so
    its queue overruns. The report compares the position that each program has computed with the true one.
When useful: to learn what a listener must do after ENOBUFS. The goal needs a change of the slow program.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from simkernel import App, millis
from simkernel.hardware import Mouse, Move, Script
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.uapi.errno import ENOBUFS
from simkernel.uapi.socket import SO_RCVBUF, SOL_SOCKET

MOVES = 120
STEP = millis(1)
FIRST = millis(8)
"""Time of the first movement in ns. All programs have subscribed to the events before this time."""
SMALLEST = 512
"""Minimum number of bytes that a message takes in the receive queue of a socket."""
FOLLOWED = 45
PROGRAM = Path(__file__).with_name("follower.txt").read_text("utf-8")


@attrs.define
class Listener:
    """A program that tracks the mouse: its computed position, and the counters of its event socket."""

    name: str
    follow: Callable[..., Any]
    work: int = 0
    buffer: int = 0
    place: dict[str, Any] = attrs.field(factory=dict)
    port: int = 0
    received: int = 0
    lost: list[int] = attrs.field(factory=list)
    """The flow ids of the events that were dropped because the queue was full."""
    errors: int = 0

    async def run(self, app: App) -> None:
        """Join the multicast group, then run the function `follow` of program.py."""
        mouse = await app.genetlink("mouse")
        await mouse.join("motion")
        if self.buffer:  # the kernel doubles the value of SO_RCVBUF
            await mouse.event_socket.setsockopt(SOL_SOCKET, SO_RCVBUF, self.buffer // 2)
        self.port = (await mouse.event_socket.getsockname())[0]
        await self.follow(app, mouse, self.place, self.work)

    def note(self, record: Any) -> None:
        """Count the received events, the lost events and the errors of the event socket."""
        if record.fields.get("portid") == self.port:
            self.received += record.name == "netlink_recv"
            if record.name == "netlink_overrun":
                self.lost.append(record.flow)
        elif record.name == "sys_exit" and record.fields["comm"] == self.name:
            self.errors += record.fields.get("error") == ENOBUFS

    def counters(self) -> tuple[int, int, int]:
        """Return the numbers of received events, lost events, and errors."""
        return self.received, len(self.lost), self.errors

    def believes(self) -> str:
        """Return the position of the mouse as the program has computed it."""
        return f"{self.place.get('x')}, {self.place.get('y')}"


async def load(app: App) -> None:
    """Load the driver with a rate of 1000 reports per second."""
    await app.modprobe("mouse", rate=1000)


async def observe(app: App, state: dict[str, int]) -> None:
    """Request the true position of the mouse from the driver, for comparison."""
    mouse = await app.genetlink("mouse")
    state.update(await mouse.do("get-state") or {})


@scenario(
    ScenarioParameter(
        "work", int, 0, minimum=0, maximum=10, unit="ms", help="slow program's work on each event"
    ),
    ScenarioParameter(
        "buffer", int, 8192, minimum=4096, maximum=65536, unit="bytes", help="slow program's queue"
    ),
    ScenarioParameter("program", str, PROGRAM, help="the source code of all three programs"),
)
def multicast(run: Run) -> None:
    follow = run.source("program").get("follow")
    if not callable(follow):
        run.goal(False, "program.py has no function follow(app, mouse, place, work).")
        return
    machine = run.machine()
    machine.spawn(load)
    machine.run()
    reports: list[int] = []
    listeners = [Listener(name, follow) for name in ("quick", "another")]
    listeners.append(Listener("slow", follow, millis(run["work"]), run["buffer"]))

    def note(record: Any) -> None:
        if record.name == "report":
            reports.append(record.flow)
        for listener in listeners:
            listener.note(record)

    machine.trace.subscribe(note)
    hand = machine.random("hand")
    moves = (Move(FIRST + STEP * n, hand.randint(1, 9), hand.randint(1, 9)) for n in range(MOVES))
    machine.plug(Mouse(Script(moves)))
    machine.run(until=machine.now + FIRST // 2)
    for listener in listeners:
        machine.spawn(listener.run, uid=1000, name=listener.name)
    queued = min(MOVES, run["buffer"] // SMALLEST)
    machine.run(until=machine.now + FIRST + STEP * MOVES + millis(10 + run["work"] * queued))
    state: dict[str, int] = {}
    machine.spawn(observe, state)
    machine.run(until=machine.now + millis(5))
    report(run, listeners, f"{state['x']}, {state['y']}", reports)


def report(run: Run, listeners: list[Listener], true: str, reports: list[int]) -> None:
    """Compare each program's position with the true one. Decide whether the run reaches the goal."""
    slow = listeners[-1]
    right = {each.name: each.believes() == true for each in listeners}
    run.text(
        f"The mouse moves {len(reports)} times, a millisecond apart, and ends at {true}. The driver sends "
        f"each movement once, to the group. The slow program receives {slow.received} of them; "
        f"{len(slow.lost)} find its queue full and are lost. It believes that the mouse is at "
        f"{slow.believes()}."
    )
    run.table(
        "Three programs in one group",
        ("program", "believes", "is right", "receives", "loses", "ENOBUFS"),
        [
            (each.name, each.believes(), "yes" if right[each.name] else "NO", *each.counters())
            for each in listeners
        ],
    )
    run.metric("position", true)
    for each in listeners:
        counters = dict(zip(("received", "lost", "enobufs"), each.counters(), strict=True))
        run.metric(each.name, {**counters, "position": each.believes()})
    first = slow.lost[0] if slow.lost else reports[FOLLOWED // 2]
    for number, flow in enumerate(reports[:FOLLOWED]):
        run.follow(f"event {number}: {'lost' if flow in slow.lost else 'received'}", flow, flow == first)
    if slow.lost:
        result = "right" if right["slow"] else "wrong"
        run.goal(
            right["slow"], f"the slow program loses {len(slow.lost)} events, and its position is {result}."
        )
    else:
        run.goal(False, "the slow program has lost no event yet.")
