"""A demonstration: a source, and one listener who does something particular."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from ..ways.way import Listener, Settings, Source, Way

BUSY: Final = 100_000
"""ns that a listener computes at a time who is busy till something has happened."""
INTERVAL: Final = 10_000
"""ns from one event to the next."""

Act = Callable[[Listener], Awaitable[Any]]


def play(machine: Any, way: type[Way], settings: Settings, count: int, act: Act, *, wait: bool = True) -> Any:
    """Let `count` events begin while a listener is busy, then let it `act`; what came of it, and the source.

    Busy is in user mode: it sleeps in no call that a signal could end.
    """
    results: list[Any] = []
    state = {"listening": False, "begun": False}
    used = way(settings)

    async def listen(app: Any, source: Source) -> None:
        listener = await used.listener(app, source, 0)
        state["listening"] = True
        while not state["begun"]:
            await app.compute(BUSY)
        results.append(await act(listener))

    async def begin(app: Any) -> None:
        source = await used.source(app, 1)
        source.pids.append(await app.spawn(listen, source, name="listener"))
        while not state["listening"]:
            await app.sleep(0.0001)
        interval = INTERVAL if count < 10 else 1000 if way.other == "driver" else 0
        await source.run(count, interval, wait=wait)
        state["begun"] = True
        await app.waitpid(source.pids[0])
        results.append(source)

    machine.spawn(begin, name="source")
    machine.run()
    return results
