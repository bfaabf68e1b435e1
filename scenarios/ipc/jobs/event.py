"""The third job: to be told of an event that somebody else began.

Once with one listener on a machine that does nothing else, where it is counted what an event costs; then,
while other programs want the processors as well, with one listener, with several, with one who sleeps
while the events come; and at last with as many events as there can be.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final

import attrs

from simkernel.scenario.figures import distribution

from ..ways.way import Settings, Source, Way
from .contention import Contention
from .meter import Reading, read

SETTLED: Final = 0.002
"""Seconds after the last event in which whoever is told late is told."""
AWAKE: Final = 10
"""Intervals after the last event in which a listener wakes up who has slept."""
HELD: Final = 1_000_000
"""ns that a call takes only if it waits for somebody to read."""
FLOOD: Final = 500
"""Events, when there are as many as there can be ..."""
FLOOD_INTERVAL: Final = 1000
"""... and ns between two that the driver begins then.  A program begins the next when it can."""


class Ear:
    """What one listener has heard: when, and of which event; how it was told that it missed some; and how
    often it had looked by then, if nobody tells it."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int | None]] = []
        self.losses: list[str] = []
        self.awake_at = 0
        self.looks = 0


class Audience:
    """The listeners of a source, each in a process of its own.

    One that is `asleep` for so many ns wakes up then, or when a signal wakes it, and hears what is there.
    """

    def __init__(self, way: Way, count: int, asleep: int = 0) -> None:
        self.way = way
        self.ears = [Ear() for _ in range(count)]
        self.asleep = asleep
        self.ready = 0

    async def listen(self, app: Any, source: Source, place: int) -> None:
        """A listener: hears till it is killed."""
        ear = self.ears[place]
        listener = await self.way.listener(app, source, place)
        ear.losses = listener.losses
        self.ready += 1
        ear.awake_at = app.monotonic_ns() + self.asleep
        while True:
            if (left := ear.awake_at - app.monotonic_ns()) > 0:
                try:
                    await app.sleep(left / 1e9)
                except InterruptedError:
                    if not await listener.ready():
                        continue
            numbers = await listener.hear()
            now = app.monotonic_ns()
            ear.looks = listener.looks
            ear.heard += [(now, number) for number in numbers]

    async def gather(self, app: Any, source: Source) -> None:
        """Let them come, and wait till they listen."""
        for place in range(len(self.ears)):
            source.pids.append(await app.spawn(self.listen, source, place, name=f"listener{place}"))
        while self.ready < len(self.ears):
            await app.sleep(0.0001)
        await app.sleep(0.0001)

    async def dismiss(self, app: Any, source: Source) -> None:
        """End them."""
        for pid in source.pids:
            await app.kill(pid, 9)
            await app.waitpid(pid)


@attrs.define
class Outcome:
    """One showing: when the events began, who heard what, and what it cost."""

    begun: dict[int, int]
    ears: list[Ear]
    cost: Reading
    calls: int
    """System calls to tell and to hear, and none of those that let the events begin."""
    copied: int
    """Bytes that were copied, the same."""
    sends: int
    waited: int
    """How long the source had to wait at most till it could tell of one, in ns."""

    def latencies(self) -> list[int]:
        """From the beginning of an event till one was told of it, in ns."""
        starts = sorted(self.begun.values())
        found = []
        for ear in self.ears:
            for time, number in ear.heard:
                if number is None:  # a signal: the newest there is
                    found.append(time - starts[bisect_right(starts, time) - 1])
                elif number in self.begun:
                    found.append(time - self.begun[number])
        return found

    def told(self, ear: Ear) -> int:
        """Of how many events it was told, one by one."""
        return len([number for _, number in ear.heard if number is None or number in self.begun])

    def in_sleep(self, ear: Ear) -> int:
        """How many began before it was to wake up."""
        return sum(begun <= ear.awake_at for begun in self.begun.values())

    @property
    def rate(self) -> float:
        """Events a second of which the first listener was told."""
        heard = self.ears[0].heard
        elapsed = heard[-1][0] - min(self.begun.values()) if heard else 0
        return len(heard) * 1e9 / elapsed if elapsed else 0.0


def show(
    machine: Any,
    way: type[Way],
    settings: Settings,
    listeners: int,
    count: int,
    interval: int,
    asleep: int = 0,
    contention: Contention | None = None,
) -> Outcome:
    """Let `count` events begin before so many listeners."""
    found: list[Outcome] = []

    async def begin(app: Any) -> None:
        used = way(settings)
        audience = Audience(used, listeners, asleep)
        source = await used.source(app, listeners)
        await audience.gather(app, source)
        before = read(machine)
        await source.run(count, interval)
        cost = read(machine) - before
        await app.sleep(SETTLED + (2 * settings.poll + (AWAKE * interval if asleep else 0)) / 1e9)
        settled = read(machine) - before
        calls, copied = settled.calls - source.aside - 1, settled.copied - source.copied_aside
        await audience.dismiss(app, source)
        found.append(Outcome(source.begun, audience.ears, cost, calls, copied, source.sends, source.longest))
        if contention is not None:
            contention.stop()

    machine.spawn(begin, name="source")
    machine.run()
    return found[0]


@attrs.frozen
class EventRow:
    """A line of the figures: what becomes of events over one way.  Times in ns."""

    way: str
    p50: int | None
    p99: int | None
    many_p50: int | None
    many_p99: int | None
    last_p99: int | None
    """Till the last of several was told, in 99 of 100 cases."""
    asleep: int
    """Events that began while the listener slept."""
    told_asleep: int
    """Events that it was told of then or later, of all that were to begin in its sleep."""
    losses: str
    """How it knows of what it was not told, or what else became of them."""
    told_flood: int
    """Of FLOOD events, as fast as can be."""
    rate: float
    """Events that it was told of in a second, then."""
    cpu: float
    calls: float
    copied: float
    many_calls: float


def measure(
    machine: Any,
    way: type[Way],
    settings: Settings,
    *,
    count: int,
    listeners: int,
    interval: int,
    asleep: int,
    cpus: int,
    load: float,
) -> EventRow:
    """All of it for one way."""
    quiet = max(2, count // 5)
    cost = show(machine, way, settings, 1, quiet, interval)
    many_cost = show(machine, way, settings, listeners, quiet, interval)
    one = show(machine, way, settings, 1, count, interval, contention=Contention(machine, cpus, load))
    many = show(
        machine, way, settings, listeners, count, interval, contention=Contention(machine, cpus, load)
    )
    slept = show(machine, way, settings, 1, asleep, interval, asleep=(asleep + AWAKE) * interval)
    flood = show(machine, way, settings, 1, FLOOD, FLOOD_INTERVAL if way.other == "driver" else 0)
    spread, many_spread = distribution(one.latencies()), distribution(many.latencies())
    return EventRow(
        way.name,
        spread["p50"],
        spread["p99"],
        many_spread["p50"],
        many_spread["p99"],
        distribution(_last(many))["p99"],
        slept.in_sleep(slept.ears[0]),
        slept.told(slept.ears[0]),
        noticed(slept),
        flood.told(flood.ears[0]),
        round(flood.rate, 1),
        round(cost.cost.busy / quiet, 1),
        round(cost.calls / quiet, 2),
        round(cost.copied / quiet, 1),
        round(many_cost.calls / quiet, 2),
    )


def _last(outcome: Outcome) -> list[int]:
    """How long each event took to reach the last of those who heard of it."""
    last: dict[int, int] = {}
    for ear in outcome.ears:
        for time, number in ear.heard:
            if number in outcome.begun:
                last[number] = max(last.get(number, 0), time - outcome.begun[number])
    return list(last.values())


def noticed(outcome: Outcome) -> str:
    """How a listener can know that it has missed something: an errno, a gap in the numbers, or not at all.

    If nothing is missing it may be that the source had to wait for it.
    """
    ear = outcome.ears[0]
    if outcome.told(ear) >= len(outcome.begun):
        return "sender waits" if outcome.waited > HELD else "-"
    if ear.losses:
        return ear.losses[0]
    return "gap" if any(number is not None for _, number in ear.heard) else "not told"
