"""A mouse moves, and three programs track its position; one of them is too slow.

Covers: one multicast group with several members; bounded receive queues, overrun and ENOBUFS; a dump to
    resynchronize; which events are lost.
Scenario: Three programs join the group to which the driver sends motion events, and track the position of
    the mouse. The third one computes after each event, so its queue overruns, which ENOBUFS reports. Then it
    empties its queue, requests the state, and continues from there.
When useful: to learn how to write a listener that is right even when it is slow. With --set drain=false it
    requests the state before it has emptied its queue. Until the queue is empty, the kernel silently drops
    events, so the listener continues from an outdated state.
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
    """A program that tracks the mouse: the position that it computes, and its counters."""

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
        """The position of the mouse, as this program computes it."""
        return self.x, self.y

    @property
    def counters(self) -> dict[str, int]:
        """The program's counters of events, by name."""
        return {name: getattr(self, name) for name in COUNTERS}

    async def follow(self, app: App) -> None:
        """Join the group and apply each event; resynchronize after an overrun."""
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
        """Receive all queued events. After an overrun the kernel queues no new event until the queue is
        empty.
        """
        while await app.poll([(sock, POLLIN)], 0):
            await sock.recv(BUFSIZE)
            self.stale += 1

    async def ask(self, mouse: Any) -> None:
        """Request the state of the first mouse and store it. Later events update the stored state."""
        state = (await mouse.dump("get-state"))[0]
        self.sequence = state.get("sequence", -1)
        self.x, self.y = state["x"], state["y"]
        self.asked += 1

    def hear(self, event: dict[str, Any]) -> None:
        """Apply an event, unless the program's state already contains it."""
        if event["sequence"] <= self.sequence:
            self.stale += 1
            return
        self.missed += event["sequence"] - self.sequence - 1
        self.sequence = event["sequence"]
        self.x += event["dx"]
        self.y += event["dy"]
        self.heard += 1


async def observer(app: App, found: dict[str, Any]) -> None:
    """Request the true state and the counters from the driver, after all events."""
    mouse = await app.genetlink("mouse")
    found["state"] = await mouse.do("get-state")
    found["statistics"] = await mouse.do("get-statistics")


async def administrator(app: App, rate: int) -> None:
    """Load the driver with a report rate for the mouse that is plugged in later."""
    await app.modprobe("mouse", rate=rate)


@scenario(
    ScenarioParameter("moves", int, 1500, minimum=1, maximum=100000, help="number of motions"),
    ScenarioParameter(
        "step", float, 1.0, minimum=0.05, maximum=1000.0, unit="ms", help="time between two motions"
    ),
    ScenarioParameter(
        "work", float, 3.0, minimum=0.0, maximum=1000.0, unit="ms", help="slow program: computation per event"
    ),
    ScenarioParameter(
        "buffer", int, 16384, minimum=2048, maximum=212992, unit="bytes", help="slow program: SO_RCVBUF"
    ),
    ScenarioParameter(
        "drain", bool, True, help="the slow program empties its queue before it requests the state"
    ),
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
    """Report the events and the position that each program has computed."""
    state, counters = found["state"], found["statistics"]
    where = state["x"], state["y"]
    run.text(
        f"The mouse has made {made['made']} reports. The driver has taken {counters['reports']} of them and "
        f"sent {counters['announced']} events, each once for three listeners. The mouse is now at {where}."
    )
    run.table(
        "The listeners",
        ("program", "used", "stale", "missed", "overruns", "asked", "believes", "is right"),
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
        result += "Its position is wrong, and later events do not correct it."
    elif slow.overruns:
        result += (
            f"Number of its overruns (ENOBUFS): {slow.overruns}. After each one it has requested the state, "
            "so its position is right. With --set drain=false it requests the state before its queue is "
            "empty, and its position stays wrong."
        )
    else:
        result += "Its queue has not overrun."
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
