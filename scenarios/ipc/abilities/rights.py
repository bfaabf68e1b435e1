"""Between whom a way goes, who is kept out, and how often a byte is copied on it."""

from __future__ import annotations

from typing import Any, Final

from ..jobs.event import show
from ..jobs.meter import read
from ..ways.way import NUMBER, WORKS, Cut, Settings, Way

SIZE: Final = 65536
"""Bytes that go across to have their copies counted ..."""
LEAST: Final = 1024
"""... and where they do not fit."""
INTERVAL: Final = 10_000


def between(machine: Any, way: type[Way], settings: Settings) -> str:
    """Whether it reaches from program to program."""
    told = _told(machine, way(settings).between)
    return told if told == WORKS else f"no: {told}"


def permission(machine: Any, way: type[Way], settings: Settings) -> str:
    """What keeps somebody out who has not the right."""
    return _told(machine, way(settings).forbidden)


def copies(machine: Any, way: type[Way], settings: Settings) -> str:
    """The kernel's count of what it copied, over what arrived: a frame, an answer, or else an event."""
    if "question" in way.lacks:
        copied = show(machine, way, settings, 1, 1, INTERVAL).copied
        return f"{copied / NUMBER:.2f}" if copied else "no byte goes"
    found: list[float] = []

    async def ask(app: Any) -> None:
        exchange = await way(settings).opened(app)
        size, before = SIZE, read(machine)
        if "frame" not in way.lacks:
            await exchange.take(size)
        else:
            try:
                await exchange.ask(bytes(size))
            except Cut as cut:
                size, before = LEAST, read(machine)
                assert cut.size < SIZE
                await exchange.ask(bytes(size))
            size *= 2  # the question has gone there, and the answer back
        found.append((read(machine) - before).copied / size)
        await exchange.close()

    machine.spawn(ask, name="asker")
    machine.run()
    return f"{found[0]:.2f}"


def _told(machine: Any, attempt: Any) -> str:
    results: list[str] = []

    async def act(app: Any) -> None:
        results.append(await attempt(app))

    machine.spawn(act, name="attempt")
    machine.run()
    return results[0]
