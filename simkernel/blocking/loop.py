"""asyncio on simulated time: an event loop whose selector lets the machine run.

    loop = simkernel.blocking.loop.event_loop(machine)
    client = pyroute2.GenericNetlinkSocket(use_socket=sock, use_event_loop=loop)

Where asyncio would wait in select(2), simulated time passes instead.  Sockets are those of
`machine.blocking()`; their `fileno()` is a real descriptor (simkernel/blocking/descriptor.py).
"""

from __future__ import annotations

import asyncio
import selectors

from simkernel.blocking.sync_runner import outside, run_until
from simkernel.engine import nanoseconds_up
from simkernel.machine import Machine

Ready = list[tuple[selectors.SelectorKey, int]]


class SimulatedSelector(selectors.DefaultSelector):
    """A selector that steps the machine until a registered descriptor is ready or the time is up."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine
        self._poll = super().select

    def select(self, timeout: float | None = None) -> Ready:
        """What is ready now, or as soon as anything is within `timeout` simulated seconds.

        Without a timeout it raises Deadlock if nothing is left that could happen, and TimeLimit if nothing
        is ready after 60 simulated seconds.
        """
        ready = self._poll(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready

        def poll() -> Ready:
            nonlocal ready
            ready = self._poll(0)
            return ready

        engine = self._machine.engine
        deadline = None if timeout is None else engine.now + nanoseconds_up(timeout)
        with outside(engine, "the event loop"):
            run_until(engine, self._machine.kernel.processes, poll, "the event loop", deadline=deadline)
        if deadline is not None and not ready:
            engine.run(until=deadline)
        return ready


class SimulatedEventLoop(asyncio.SelectorEventLoop):
    """asyncio's own event loop, with the machine's clock."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(SimulatedSelector(machine))
        self._engine = machine.engine

    def time(self) -> float:
        """Simulated seconds."""
        return self._engine.now / 1e9


def event_loop(machine: Machine) -> SimulatedEventLoop:
    """A new event loop on `machine`'s time.  Close it when done, as any loop."""
    return SimulatedEventLoop(machine)
