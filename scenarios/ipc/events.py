"""Measurements of events: costs, latencies, losses and throughput.

Costs are counted on an idle machine.  Latencies, to one listener and to several, are measured under load.
Losses are counted while a listener sleeps.  The throughput is measured with events sent as fast as
possible.
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from itertools import chain
from typing import Final

import attrs

from simkernel import App, micros
from simkernel.scenario.figures import distribution
from simkernel.uapi.ipc_demo import IPC_DEMO_START, IpcDemoEvent, IpcDemoStart

from .driver import last_event
from .measure import Bench, Row
from .transport import EVENT, Function, Listener, Session, Transport

SETTLED: Final = 0.002
"""Time in s for which a measurement continues after the last event, so that slow listeners still receive it.
"""
AWAKE: Final = 10
"""Time for which a sleeping listener continues to sleep after the last event, in event intervals."""
BLOCKED: Final = 1_000_000
"""Duration in ns. A send that takes longer has blocked."""
FLOOD: Final = 500
"""Number of events in the throughput measurement."""
FLOOD_INTERVAL: Final = 1000
"""Interval in ns at which the driver sends events in the throughput measurement. If a program sends the
events, it sends without a pause.
"""


@attrs.define
class Delivery:
    """The events that one measurement has sent to listeners, and their costs."""

    listeners: list[Listener] = attrs.field(factory=list)
    sent_at: dict[int, int] = attrs.field(factory=dict)
    sends: int = 0
    """Number of the sender's system calls."""
    longest: int = 0
    """Longest duration of a send in ns."""
    calls: int = 0
    """Number of system calls of the sender and the listeners. The sender's sleeps are not counted. If the
    driver sends the events, two ioctls are not counted either: one starts the events, and the other one reads
    the last event.
    """
    copied: int = 0
    busy: int = 0

    async def send(
        self, session: Session, send: Function | None, count: int, interval: int, wait: bool = True
    ) -> None:
        """Send `count` events, `interval` ns apart.

        If `wait` is False, stop at the first send that would block.
        """
        app = session.app
        if send is None:
            await app.ioctl(session.device, IPC_DEMO_START, IpcDemoStart(interval, count).pack())
            await app.sleep((count + 1) * interval / 1e9)
            last = await last_event(session)
            self.sent_at = {last.number - back: last.time - back * interval for back in range(count)}
            self.calls -= 3
            self.copied -= IpcDemoStart.SIZE + EVENT
            return
        due = app.monotonic_ns()
        for number in range(1, count + 1):
            if interval:
                due += interval
                await app.sleep(max(0, due - app.monotonic_ns()) / 1e9)
                self.calls -= 1
            begun = app.monotonic_ns()
            try:
                self.sends += await send(IpcDemoEvent(number, begun).pack(), wait)
            except BlockingIOError:
                return
            self.sent_at[number] = begun
            self.longest = max(self.longest, app.monotonic_ns() - begun)

    def latencies(self) -> dict[int, list[int]]:
        """Return the latencies to all listeners in ns, by event number.

        A signal carries no number, so it counts for the newest event.
        """
        found: dict[int, list[int]] = {}
        starts = sorted(self.sent_at.values())
        for listener in self.listeners:
            for time, number in listener.received:
                if number is None:
                    found.setdefault(0, []).append(time - starts[bisect_right(starts, time) - 1])
                elif number in self.sent_at:
                    found.setdefault(number, []).append(time - self.sent_at[number])
        return found

    def arrived(self, listener: Listener) -> int:
        """Return the number of this measurement's events that a listener has received. A signal counts as one
        event.
        """
        return sum(number is None or number in self.sent_at for _, number in listener.received)


def deliver(
    bench: Bench, transport: Transport, listeners: int, count: int, interval: int, asleep: int = 0, *,
    loaded: bool = False,
) -> Delivery:  # fmt: skip
    """Send `count` events to new listeners. A listener first sleeps for `asleep` ns, unless a signal ends its
    sleep, and then receives.
    """
    delivery = Delivery()
    ready: dict[int, Listener] = {}

    async def source(app: App) -> None:
        session = bench.session(app)
        send, listen = await transport.event(session, listeners)

        async def listener(app: App, index: int) -> None:
            ready[index] = end = await listen(app, index)
            end.awake_at = app.monotonic_ns() + asleep
            while True:
                if (left := end.awake_at - app.monotonic_ns()) > 0:
                    with suppress(InterruptedError):
                        await app.sleep(left / 1e9)
                numbers = await end.wait()
                end.received += [(app.monotonic_ns(), number) for number in numbers]

        for index in range(listeners):
            await session.spawn(listener, index, name=f"listener{index}")
        while len(ready) < listeners:
            await app.sleep(0.0001)
        await app.sleep(0.0001)
        before = bench.since()
        await delivery.send(session, send, count, interval)
        delivery.busy = bench.since(before)[3]
        await app.sleep(SETTLED + (2 * session.poll + (AWAKE * interval if asleep else 0)) / 1e9)
        _, calls, copied, _ = bench.since(before)
        delivery.calls += calls - 1  # do not count the sleep after the last event
        delivery.copied += copied
        await session.close()

    bench.run(source, "source", loaded=loaded)
    delivery.listeners = [ready[index] for index in range(listeners)]
    return delivery


def measure_events(bench: Bench, transport: Transport) -> Row:
    """Measure the latency, the rate and the losses of the events of one transport.

    `last_p99` is the time until the last of several listeners receives an event.  `asleep` events were
    sent while a listener slept; it received `told_asleep`, and `losses` states what reports the others.
    Of FLOOD events that are sent as fast as possible, `told_flood` arrive, `rate` per second.
    """
    settings = bench.settings
    count, many, asleep = settings["messages"], settings["listeners"], settings["asleep"]
    interval, quiet = micros(settings["interval"]), max(2, count // 5)
    cost = deliver(bench, transport, 1, quiet, interval)
    many_cost = deliver(bench, transport, many, quiet, interval)
    one, several = (
        deliver(bench, transport, listeners, count, interval, loaded=True).latencies()
        for listeners in (1, many)
    )
    slept = deliver(bench, transport, 1, asleep, interval, (asleep + AWAKE) * interval)
    flood = deliver(bench, transport, 1, FLOOD, FLOOD_INTERVAL if transport.peer == "driver" else 0)
    spread, many_spread = (distribution(chain(*each.values())) for each in (one, several))
    sleeper, received = slept.listeners[0], flood.listeners[0].received
    elapsed = received[-1][0] - min(flood.sent_at.values()) if received else 0
    return {
        "transport": transport.name,
        "p50": spread["p50"], "p99": spread["p99"],
        "many_p50": many_spread["p50"], "many_p99": many_spread["p99"],
        "last_p99": distribution(max(times) for number, times in several.items() if number)["p99"],
        "asleep": sum(sent <= sleeper.awake_at for sent in slept.sent_at.values()),
        "told_asleep": slept.arrived(sleeper), "losses": losses(slept),
        "told_flood": flood.arrived(flood.listeners[0]),
        "rate": round(len(received) * 1e9 / elapsed, 1) if elapsed else 0.0,
        "cpu": round(cost.busy / quiet, 1), "calls": round(cost.calls / quiet, 2),
        "copied": round(cost.copied / quiet, 1), "many_calls": round(many_cost.calls / quiet, 2),
    }  # fmt: skip


def losses(slept: Delivery) -> str:
    """Return how a listener detects lost events: by an errno, by a gap in the numbers, or not at all.

    If none is lost, return "sender waits" if the sender blocked, else "-".
    """
    listener = slept.listeners[0]
    if slept.arrived(listener) >= len(slept.sent_at):
        return "sender waits" if slept.longest > BLOCKED else "-"
    if listener.errors:
        return listener.errors[0]
    return "gap" if any(number is not None for _, number in listener.received) else "not told"
