"""An asyncio event loop on simulated time. Its selector runs the simulated machine until a descriptor is
ready.

    loop = simkernel.blocking.loop.event_loop(machine)
    client = pyroute2.GenericNetlinkSocket(use_socket=sock, use_event_loop=loop)

Where asyncio would block in select(2), simulated time passes instead. The sockets are those of
`machine.blocking()`. Their `fileno()` is a descriptor of the host (simkernel/blocking/descriptor.py).
"""

from __future__ import annotations

import asyncio
import selectors

from simkernel.blocking.sync_runner import outside, run_until
from simkernel.engine import nanoseconds_up
from simkernel.machine import Machine

Ready = list[tuple[selectors.SelectorKey, int]]


class SimulatedSelector(selectors.DefaultSelector):
    """A selector that runs the machine until a registered descriptor is ready or the timeout expires."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine
        self._poll = super().select

    def select(self, timeout: float | None = None) -> Ready:
        """Return the ready descriptors, after at most `timeout` simulated seconds.

        Without a timeout, raise Deadlock if no event is scheduled, and TimeLimit if no descriptor is ready
        after 60 simulated seconds.
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
    """An asyncio event loop that uses the machine's simulated clock."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(SimulatedSelector(machine))
        self._engine = machine.engine

    def time(self) -> float:
        """Return the machine's clock in seconds."""
        return self._engine.now / 1e9


def event_loop(machine: Machine) -> SimulatedEventLoop:
    """Return a new asyncio event loop whose clock is that of `machine`.  The caller closes the loop."""
    return SimulatedEventLoop(machine)
