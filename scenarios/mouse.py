"""A mouse moves, and three programs follow it; one of them is too slow.

Covers: one multicast group with several members; bounded receive queues, overrun and ENOBUFS; a dump to
    come back in step; what is lost and what is not.
Scenario: Three programs join the group in which the driver announces motion, and keep track of where the
    mouse is. The third takes its time over each event, so its queue overflows. The kernel tells it
    by ENOBUFS; it empties its queue, asks for the state, and goes on from there.
When useful: to learn how to write a listener that is right even when it is slow. With --set drain=false
    it asks for the state before it has emptied its queue: until that is empty the kernel drops
    events without another word, so the listener goes on from a state that is out of date.
"""

from __future__ import annotations

from typing import Any

import attrs

from simkernel import App, millis
from simkernel.hardware import Mouse, Walk
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.uapi.errno import ENOBUFS
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.socket import SO_RCVBUF, SOL_SOCKET

BUFSIZE = 65536
COUNTERS = ("heard", "stale", "missed", "overruns", "asked")


@attrs.define
class Listener:
    """A program that follows the mouse: what it believes, and what has happened to it."""

    name: str
    work: float = 0.0
    buffer: int = 0
    drain: bool = True
    sequence: int = -1
    x: int = 0
    y: int = 0
    heard: int = 0
    stale: int = 0
    missed: int = 0
    overruns: int = 0
    asked: int = 0

    @property
    def position(self) -> tuple[int, int]:
        """Where it believes the mouse to be."""
        return self.x, self.y

    @property
    def counters(self) -> dict[str, int]:
        """What has happened to it."""
        return {name: getattr(self, name) for name in COUNTERS}

    async def follow(self, app: App) -> None:
        """The program."""
        mouse = await app.genetlink("mouse")
        await mouse.join("motion")
        if self.buffer:
            await mouse.event_socket.setsockopt(SOL_SOCKET, SO_RCVBUF, self.buffer)
        await self.ask(mouse)
        events = mouse.events("motion")
        while True:
            try:
                event = await anext(events)
            except OSError as error:
                if error.errno != ENOBUFS:
                    raise
                self.overruns += 1
                if self.drain:
                    await self.empty(app, mouse.event_socket)
                await self.ask(mouse)
                continue
            self.hear(event)
            if self.work:
                await app.compute(millis(self.work))

    async def empty(self, app: App, sock: Any) -> None:
        """Read whatever is queued: only then does the kernel queue anything again."""
        while await app.poll([(sock, POLLIN)], 0):
            await sock.recv(BUFSIZE)
            self.stale += 1

    async def ask(self, mouse: Any) -> None:
        """Take over the state of the first mouse."""
        state = (await mouse.dump("get-state"))[0]
        self.sequence = state.get("sequence", -1)
        self.x, self.y = state["x"], state["y"]
        self.asked += 1

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event into account, unless it is in the state already."""
        if event["sequence"] <= self.sequence:
            self.stale += 1
            return
        self.missed += event["sequence"] - self.sequence - 1
        self.sequence = event["sequence"]
        self.x += event["dx"]
        self.y += event["dy"]
        self.heard += 1


async def observer(app: App, found: dict[str, Any]) -> None:
    """Asks the driver, when all is still, what is the case."""
    mouse = await app.genetlink("mouse")
    found["state"] = await mouse.do("get-state")
    found["statistics"] = await mouse.do("get-statistics")


async def administrator(app: App, rate: int) -> None:
    """Loads the driver, for the mouse that is going to be plugged in."""
    await app.modprobe("mouse", rate=rate)


@scenario(
    ScenarioParameter("moves", int, 1500, minimum=1, maximum=100000, help="how often the mouse is moved"),
    ScenarioParameter(
        "step", float, 1.0, minimum=0.05, maximum=1000.0, unit="ms", help="from one move to the next"
    ),
    ScenarioParameter(
        "work", float, 3.0, minimum=0.0, maximum=1000.0, unit="ms", help="of the slow one, an event"
    ),
    ScenarioParameter(
        "buffer", int, 16384, minimum=2048, maximum=212992, unit="bytes", help="of the slow one"
    ),
    ScenarioParameter("drain", bool, True, help="whether the slow one empties its queue before it asks"),
)
def mouse(run: Run) -> None:
    machine = run.machine()
    listeners = [
        Listener("quick"),
        Listener("another"),
        Listener("slow", run["work"], run["buffer"], run["drain"]),
    ]
    device = Mouse(Walk(step=millis(run["step"]), steps=run["moves"]))
    machine.spawn(administrator, 1000)
    machine.run(until=millis(5))
    machine.plug(device)
    machine.run(until=millis(10))
    for listener in listeners:
        machine.spawn(listener.follow, uid=1000, name=listener.name)
    machine.run(until=millis(10) + millis(run["step"]) * run["moves"])
    machine.run()
    found: dict[str, Any] = {}
    machine.spawn(observer, found, uid=1000)
    machine.run()
    report(run, listeners, found, machine.statistics["devices"][device.name])


def report(run: Run, listeners: list[Listener], found: dict[str, Any], made: dict[str, int]) -> None:
    """Write down who knows what."""
    state, counters = found["state"], found["statistics"]
    where = state["x"], state["y"]
    run.text(
        f"The mouse has made {made['made']} reports. The driver has taken {counters['reports']} of them and "
        f"announced {counters['announced']}, each once, for three listeners. The mouse is now at {where}."
    )
    run.table(
        "The listeners",
        ("who", "used", "stale", "missed", "overruns", "asked", "believes", "is right"),
        [
            (
                each.name,
                *each.counters.values(),
                str(each.position),
                "yes" if each.position == where else "NO",
            )
            for each in listeners
        ],
    )
    slow = listeners[-1]
    result = f"The slow listener has used {slow.heard} of {counters['announced']} events. "
    if slow.position != where:
        result += "Its position is wrong, and no later event corrects it."
    elif slow.overruns:
        result += (
            f"After each of {slow.overruns} overruns (ENOBUFS) it has asked for the state, so its position "
            "is right. With --set drain=false it asks before its queue is empty: its position stays wrong."
        )
    else:
        result += "Its queue has not overflowed."
    run.text(result)
    run.metric("reports_made", made["made"])
    run.metric("reports_lost", made["lost"])
    run.metric("reports_announced", counters["announced"])
    run.metric("reports_queued", counters["pending"])
    run.metric("reports_missed_by_driver", counters["missed"])
    run.metric("position", list(where))
    run.metric(
        "listeners",
        {each.name: {**each.counters, "right": each.position == where} for each in listeners},
    )
