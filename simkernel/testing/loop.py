"""asyncio on simulated time: an event loop whose selector lets the machine run.

    loop = simkernel.testing.event_loop(machine)
    client = pyroute2.GenericNetlinkSocket(use_socket=sock, use_event_loop=loop)

Where asyncio would wait in select(2), simulated time passes instead.  Sockets are those of
`machine.blocking()`; their `fileno()` is a real descriptor (simkernel/testing/descriptor.py).
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

from simkernel.engine import nanoseconds_up
from simkernel.machine import Machine
from simkernel.testing.driver import outside, run_until

Ready = list[tuple[selectors.SelectorKey, int]]


class SimulatedSelector(selectors.BaseSelector):
    """A selector that steps the machine until a registered descriptor is ready or the time is up."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._real = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As `selectors.BaseSelector.register`."""
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """As `selectors.BaseSelector.unregister`."""
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As `selectors.BaseSelector.modify`."""
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """As `selectors.BaseSelector.get_map`."""
        return self._real.get_map()

    def close(self) -> None:
        """Close the real selector beneath."""
        self._real.close()

    def select(self, timeout: float | None = None) -> Ready:
        """What is ready now, or as soon as anything is within `timeout` simulated seconds.

        Without a timeout it raises Deadlock if nothing is left that could happen, and TimeLimit if nothing
        is ready after 60 simulated seconds.
        """
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready

        def look() -> Ready:
            nonlocal ready
            ready = self._real.select(0)
            return ready

        engine = self._machine.engine
        deadline = None if timeout is None else engine.now + nanoseconds_up(timeout)
        with outside(engine, "the event loop"):
            run_until(engine, self._machine.kernel.processes, look, "the event loop", deadline=deadline)
        if deadline is not None and not ready:
            engine.run(until=deadline)
        return ready


class SimulatedEventLoop(asyncio.SelectorEventLoop):
    """asyncio's own event loop, with the machine's clock."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(SimulatedSelector(machine))
        self._machine = machine

    def time(self) -> float:
        """Simulated seconds."""
        return self._machine.now / 1e9


def event_loop(machine: Machine) -> SimulatedEventLoop:
    """A new event loop on `machine`'s time.  Close it when done, as any loop."""
    return SimulatedEventLoop(machine)
